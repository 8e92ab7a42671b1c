"""Files named by the digest of what they hold: how everything that is sent to slots lies in the host's folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from typing import IO, Any

from sparkml_track.slot.host.paths import HostPaths

__all__ = ["blob_path", "write_blob"]


def write_blob(folder: str, write: Callable[[Any], object]) -> str:
    """Makes a file of the folder.

    Args:
        folder: of the host.
        write: called with the open file.

    Returns:
        Its digest.
    """
    blobs = HostPaths(folder).blobs
    with tempfile.NamedTemporaryFile(dir=blobs, delete=False) as file:
        hashing = _Hashing(file)
        write(hashing)
    digest = hashing.hash.hexdigest()[:32]
    os.rename(file.name, blob_path(folder, digest))
    return digest


def blob_path(folder: str, digest: str) -> str:
    """Where a file lies."""
    return HostPaths(folder).blob(digest)


class _Hashing:
    """A file that hashes what is written, so that it is read only once more, by the slots."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False
