"""The sweep's data as files that slots map: written once, named by digest, opened without a copy.

An opener is a nested function, so that it is pickled by value and slots need nothing of ours to open the file. What
it ``imports`` the template has imported before the first attempt opens it; where ``copies``, each attempt gets its own.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from typing import IO, Any

from sparkml_track.errors import DataError

__all__ = ["Entry", "Opener", "place", "place_bytes"]

Opener = Callable[[str], object]
#: Digest of the file, and what opens it.
Entry = tuple[str, Opener]


#: What the mapped kinds of a library have, and the others have not.
_MARKS = {"numpy": "shape", "pyarrow": "combine_chunks", "pandas": "iloc", "pyspark": "toArrow"}


def place(name: str, value: object, folder: str) -> Entry:
    """Writes one entry of ``data``.

    Raises:
        DataError: it is of a kind that cannot be mapped; names it and what can.
    """
    kind = type(value).__module__.split(".")[0]
    door = {"numpy": _array, "pyarrow": _table, "pandas": _pandas, "pyspark": _spark}.get(kind)
    if door is None or not hasattr(value, _MARKS[kind]):
        raise DataError(
            f"data {name!r} is a {type(value).__name__}; allowed are numpy arrays, Arrow tables, pandas data frames "
            "and series, and Spark data frames"
        )
    return door(name, value, folder)


def place_bytes(data: bytes, folder: str) -> str:
    """Writes bytes; returns their digest."""
    return _write(folder, lambda file: file.write(data))


def _array(name: str, value: Any, folder: str) -> Entry:
    import numpy

    if value.dtype.hasobject:
        raise DataError(f"data {name!r} is an array of {value.dtype}; allowed are numbers, booleans, dates and text")

    def load(path: str) -> object:
        import numpy

        return numpy.load(path, mmap_mode="r", allow_pickle=False)

    load.imports = "numpy"  # type: ignore[attr-defined]
    return _write(folder, lambda file: numpy.save(file, value, allow_pickle=False)), load


def _table(_name: str, value: Any, folder: str) -> Entry:
    import pyarrow

    def write(file: IO[bytes]) -> None:
        with pyarrow.ipc.new_file(file, value.schema) as writer:
            writer.write_table(value)

    def load(path: str) -> object:
        import pyarrow

        return pyarrow.ipc.open_file(pyarrow.memory_map(path)).read_all()

    load.imports = "pyarrow"  # type: ignore[attr-defined]
    return _write(folder, write), load


def _pandas(name: str, value: Any, folder: str) -> Entry:
    import pyarrow

    if not hasattr(value, "columns"):
        return _series(name, value, folder)
    try:
        table = pyarrow.Table.from_pandas(value)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, TypeError) as error:
        raise DataError(f"data {name!r} cannot be turned into Arrow: {error}; convert the column, or drop it") from None
    digest, open_table = _table(name, table, folder)

    def load(path: str) -> object:
        return open_table(path).to_pandas(use_threads=False)  # type: ignore[attr-defined]

    load.imports = "pandas"  # type: ignore[attr-defined]
    load.copies = True  # type: ignore[attr-defined]  # a trial may change its frame: each gets one of its own
    return digest, load


def _series(name: str, value: Any, folder: str) -> Entry:
    digest, open_frame = _pandas(name, value.to_frame("values"), folder)
    named = value.name

    def load(path: str) -> object:
        return open_frame(path)["values"].rename(named)  # type: ignore[index]

    load.imports = "pandas"  # type: ignore[attr-defined]
    load.copies = True  # type: ignore[attr-defined]
    return digest, load


def _spark(name: str, value: Any, folder: str) -> Entry:
    return _table(name, value.toArrow(), folder)


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


def _write(folder: str, write: Callable[[Any], object]) -> str:
    blobs = os.path.join(folder, "blobs")
    with tempfile.NamedTemporaryFile(dir=blobs, delete=False) as file:
        hashing = _Hashing(file)
        write(hashing)
    digest = hashing.hash.hexdigest()[:32]
    os.rename(file.name, os.path.join(blobs, digest))
    return digest
