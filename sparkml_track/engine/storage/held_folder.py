"""A folder that a process holds while it lives; that of a dead one is known by its lock, which is free."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkml_track.errors import LeaseHeld, SetupError

__all__ = ["LOCK", "held", "made", "taken"]

#: The file that is locked.
LOCK = "lock"


@contextmanager
def held(folder: Path, what: str, way_out: str) -> Iterator[Path]:
    """Makes a folder if it is missing and keeps other drivers out of it.

    Args:
        folder: is held.
        what: begins the message if another one has it.
        way_out: ends the message if it cannot be written.

    Raises:
        LeaseHeld: another one has it.
        SetupError: it cannot be written.
    """
    made(folder, way_out)
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(folder, error, way_out) from None
    try:
        if not taken(handle):
            raise LeaseHeld(f"{what} right now, in another process, which holds {folder}; wait for it, or end it")
        yield folder
    finally:
        os.close(handle)


def made(folder: Path, way_out: str) -> None:
    """Makes a folder if it is missing, for this user alone; raises as ``held``."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error, way_out) from None


def taken(handle: int) -> bool:
    """Takes the lock of an open file; False if another one has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unwritable(folder: Path, error: OSError, way_out: str) -> SetupError:
    return SetupError(f"the folder {folder} cannot be written ({error.strerror or error}); {way_out}")
