"""The sweep's data as files that slots map: written once, named by digest, opened without a copy where that goes.

    numpy array                  mapped, read-only
    Arrow table, Spark frame     mapped Arrow table
    masked array, scipy sparse   mapped by their arrays, read-only
    pandas                       pickled, its columns mapped; each attempt has its own and may change it
    any other object             pickled; each attempt has its own

What arrives equals what was given: a pickle keeps what Arrow would change (mixed objects, names, zones, intervals).

An opener is a nested function, so that it is pickled by value and slots need nothing of ours to open the file. What
it ``imports`` the template has imported before the first attempt opens it; where ``copies``, each attempt gets its own.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError
from sparkml_track.executors._shipping.blobs import blob_path, write_blob
from sparkml_track.executors._shipping.pickled import MappedPickle, dump

__all__ = ["Entry", "Opener", "place", "place_all", "place_bytes"]

Opener = Callable[[str], object]
#: Digest of the file, and what opens it.
Entry = tuple[str, Opener]

_log = logging.getLogger(__name__)


def place_all(data: Mapping[str, object], folder: str) -> dict[str, Entry]:
    """Writes all of ``data``; logs what each attempt has to unpickle.

    Raises:
        DataError: see ``place``.
    """
    entries = {name: place(name, value, folder) for name, value in data.items()}
    slow = [f"{name!r} ({type(data[name]).__name__})" for name, (_, load) in entries.items() if _unpickles(load)]
    if slow:
        _log.info(
            "data %s: pickled once, one copy on each host, unpickled by each attempt that reads it; arrays, sparse "
            "matrices and Arrow tables are mapped instead",
            ", ".join(slow),
        )
    return entries


def place(name: str, value: object, folder: str) -> Entry:
    """Writes one entry of ``data``.

    Raises:
        DataError: it cannot be sent; names it, its column where there is one, and the way out.
    """
    if _is(value, "numpy", "ndarray", "memmap") and not value.dtype.hasobject:  # type: ignore[attr-defined]
        return _array(value, folder)
    if _is(value, "pyarrow", "Table"):
        return _table(value, folder)
    if _root(value) == "pyspark":
        return _spark(name, value, folder)
    return _pickled(name, value, folder)


def place_bytes(data: bytes, folder: str) -> str:
    """Writes bytes; returns their digest."""
    return write_blob(folder, lambda file: file.write(data))


def _root(value: object) -> str:
    return type(value).__module__.split(".")[0]


def _is(value: object, library: str, *names: str) -> bool:
    """Whether it is of just these classes: one derived from them has more to it than they know."""
    module = sys.modules.get(library)
    return module is not None and type(value) in [getattr(module, name) for name in names]


def _array(value: Any, folder: str) -> Entry:
    import numpy

    def load(path: str) -> object:
        import numpy

        return numpy.load(path, mmap_mode="r", allow_pickle=False)

    load.imports = "numpy"  # type: ignore[attr-defined]
    return write_blob(folder, lambda file: numpy.save(file, value, allow_pickle=False)), load


def _table(value: Any, folder: str) -> Entry:
    import pyarrow

    def write(file: IO[bytes]) -> None:
        with pyarrow.ipc.new_file(file, value.schema) as writer:
            writer.write_table(value.unify_dictionaries())  # a file has one dictionary for all chunks of a column

    def load(path: str) -> object:
        import pyarrow

        return pyarrow.ipc.open_file(pyarrow.memory_map(path)).read_all()

    load.imports = "pyarrow"  # type: ignore[attr-defined]
    return write_blob(folder, write), load


def _spark(name: str, value: Any, folder: str) -> Entry:
    if not hasattr(value, "toArrow"):
        raise DataError(
            f"data {name!r} is a {type(value).__name__} of pyspark; allowed of Spark are data frames: call to_spark() "
            "or to_pandas(), or collect it"
        )
    with translated(f"collecting data {name!r} as an Arrow table", DataError):
        table = value.toArrow()
    return _table(table, folder)


def _pickled(name: str, value: object, folder: str) -> Entry:
    try:
        written = dump(value, folder)
        load = _opener_of(written, value)
        arrived = load(blob_path(folder, written.digest))
    except Exception as error:
        raise DataError(_why_not(name, value, error, folder)) from None
    if type(arrived) is not type(value):
        raise DataError(
            f"data {name!r} is a {type(value).__name__} and would arrive as a {type(arrived).__name__}; {_WAY_OUT}"
        )
    return written.digest, load


def _opener_of(written: MappedPickle, value: object) -> Opener:
    head, spans = written.head, written.spans
    mapped = _is(value, "numpy.ma", "MaskedArray") or _root(value) == "scipy"

    def load(path: str) -> object:
        import mmap
        import pickle

        # A private mapping costs memory only where an attempt writes.
        access = mmap.ACCESS_READ if mapped else mmap.ACCESS_COPY
        with open(path, "rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=access))
        buffers = [view[start:end] for start, end in spans]
        return pickle.loads(view[:head], buffers=buffers)  # noqa: S301  # the driver's own data

    load.imports = _imported(value, bool(spans))  # type: ignore[attr-defined]
    load.copies = not mapped  # type: ignore[attr-defined]
    load.unpickles = not mapped and _root(value) != "pandas"  # type: ignore[attr-defined]
    return load


def _imported(value: object, arrays: bool) -> str:
    root = _root(value)
    known = {"pandas": "pandas", "scipy": "scipy.sparse", "numpy": "numpy", "polars": "polars", "torch": "torch"}
    return known.get(root, "numpy" if arrays else "builtins")


def _unpickles(load: Opener) -> bool:
    return bool(getattr(load, "unpickles", False))


_WAY_OUT = (
    "pass what it is made of (numbers, text, lists, dicts, arrays, data frames), or create it inside the objective"
)


def _why_not(name: str, value: object, error: Exception, folder: str) -> str:
    last = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1][:200]
    if _root(value) == "pandas" and hasattr(value, "columns"):
        held = [value.columns[at] for at in range(len(value.columns)) if not _goes(value.iloc[:, at], folder)]  # type: ignore[attr-defined]
        if held:
            return f"data {name!r}: column {held[0]!r} cannot be pickled ({last}); convert the column, or drop it"
    return f"data {name!r} is a {type(value).__name__} that cannot be pickled ({last}); {_WAY_OUT}"


def _goes(value: object, folder: str) -> bool:
    try:
        dump(value, folder)
    except Exception:
        return False
    return True
