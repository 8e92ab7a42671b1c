"""One update of a pipeline at a time on this host; the kernel takes the lock back when its holder ends."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparkml_track.errors import LeaseHeld, SetupError

__all__ = ["updating"]


@contextmanager
def updating(path: Path, pipeline: str) -> Iterator[None]:
    """Keeps other updates of a pipeline out.

    Args:
        path: of the lock.
        pipeline: its name.

    Raises:
        LeaseHeld: there is one; names its process.
        SetupError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SetupError(f"the lock {path} cannot be made: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
            raise LeaseHeld(
                f"pipeline {pipeline} is being updated by {holder}; wait for it to end, or end it, and try again"
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(handle)
