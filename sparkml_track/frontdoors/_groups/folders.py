"""Folders for the rows of groups; those of a driver that died are removed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from sparkml_track.engine.storage import held_folder
from sparkml_track.engine.storage.held_folder import LOCK, made, taken
from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["held", "new_rows_folder", "remove"]

_WAY_OUT = "make it writable, or choose another with storage="
_ROWS = "rows-"
held = partial(held_folder.held, way_out=_WAY_OUT)


@contextmanager
def new_rows_folder(storage: Path) -> Iterator[Path]:
    """A folder for the rows of all groups, which goes at the end; those of drivers that died go first.

    Raises:
        SetupError: it cannot be written.
    """
    folder = storage / f"{_ROWS}{uuid.uuid4().hex}"
    with ExitStack() as stack:
        made(storage, _WAY_OUT)
        with exclusive_lock(storage):  # nobody takes a folder for a dead one's before its lock is held
            for left in storage.glob(f"{_ROWS}*"):
                _remove_if_dead(left)
            stack.enter_context(held(folder, "rows are written"))
        stack.callback(remove, folder)
        yield folder


def remove(folder: Path) -> None:
    """Removes a folder and what is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def _remove_if_dead(folder: Path) -> None:
    try:
        handle = os.open(folder / LOCK, os.O_RDWR)
    except OSError:  # it is being made, or goes
        return
    try:
        if taken(handle):
            remove(folder)
    finally:
        os.close(handle)
