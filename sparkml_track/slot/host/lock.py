"""The one lock that keeps other processes of this host out; the kernel takes it back when its holder ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["exclusive_lock"]


@contextmanager
def exclusive_lock(path: str | os.PathLike[str], waits: Callable[[], object] | None = None) -> Iterator[None]:
    """Waits until nobody else has it.

    Args:
        path: of a folder, or of a file that is made if missing.
        waits: called once if somebody else has it.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags, 0o600)
    try:
        if waits is None or not _taken(handle):
            if waits is not None:
                waits()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
