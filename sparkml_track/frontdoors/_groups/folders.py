"""Folders that a process holds while it lives; those of a dead one are known by their locks, which are free."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sparkml_track.errors import LeaseHeld, SetupError
from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["held", "new_rows_folder", "remove"]

_LOCK = "lock"
_ROWS = "rows-"


@contextmanager
def held(folder: Path, what: str) -> Iterator[Path]:
    """Makes a folder if it is missing and keeps other drivers out of it.

    Raises:
        LeaseHeld: another one has it; ``what`` begins the message.
        SetupError: it cannot be written.
    """
    _make(folder)
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        if not _taken(handle):
            raise LeaseHeld(f"{what} right now, in another process, which holds {folder}; wait for it, or end it")
        yield folder
    finally:
        os.close(handle)


@contextmanager
def new_rows_folder(storage: Path) -> Iterator[Path]:
    """A folder for the rows of all groups, which goes at the end; those of drivers that died go first.

    Raises:
        SetupError: it cannot be written.
    """
    folder = storage / f"{_ROWS}{uuid.uuid4().hex}"
    with ExitStack() as stack:
        _make(storage)
        with exclusive_lock(storage):  # nobody takes a folder for a dead one's before its lock is held
            for left in storage.glob(f"{_ROWS}*"):
                _remove_if_dead(left)
            stack.enter_context(held(folder, "rows are written"))
        stack.callback(remove, folder)
        yield folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> SetupError:
    return SetupError(
        f"the folder {folder} cannot be written ({error.strerror or error}); make it writable, or choose another "
        "with storage="
    )


def remove(folder: Path) -> None:
    """Removes a folder and what is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_dead(folder: Path) -> None:
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:  # it is being made, or goes
        return
    try:
        if _taken(handle):
            remove(folder)
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
