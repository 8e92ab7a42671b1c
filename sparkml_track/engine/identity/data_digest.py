"""Digests of a sweep's data: equal content gives an equal digest in every process, however it lies in memory."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
import zlib
from collections.abc import Callable
from typing import Any

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError

__all__ = ["data_digest", "materialised"]

_PIECE = 1 << 20
_CAST = "cast, rename or drop the column if Arrow does not know its type (year-month intervals, repeated struct fields)"
#: What a pickle without a memo writes alike for equal values.
_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


def materialised(name: str, value: object) -> object:
    """A Spark data frame as an Arrow table, computed once: a second computation may give other rows.

    Raises:
        DataError: Spark cannot compute it, or Arrow has no such column.
    """
    if not hasattr(value, "toArrow"):
        return value
    with translated(f"collecting data {name!r} as an Arrow table", DataError, _CAST):
        return value.toArrow()


def data_digest(value: object) -> str:
    """Names the content of one entry of ``data``; of what cannot be pickled by name, its type."""
    if type(value).__module__.split(".")[0] == "pyspark":
        return _plan_digest(value)
    sink = _Sink(f"{type(value).__module__}.{type(value).__qualname__}")
    try:
        _feed(value, sink)
    except Exception:  # noqa: BLE001  # a lock, a class made in a function: what cannot be sent is refused elsewhere
        return type(value).__name__
    return sink.digest()


def _feed(value: Any, sink: _Sink) -> None:
    kind = type(value)
    sink.mark(f"{kind.__module__}.{kind.__qualname__}")
    feed = _CONTAINERS.get(kind) or _FEEDS.get(_library_kind(value))
    if feed is not None:
        feed(value, sink)
    else:
        _feed_pickle(value, sink)


def _library_kind(value: Any) -> str:
    kind = type(value)
    root = kind.__module__.split(".")[0]
    names = {"numpy": ("ndarray", "memmap"), "pyarrow": ("Table",), "pandas": ("DataFrame", "Series")}
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is numpy.ma.MaskedArray:
        return "masked"
    return f"{root}.{kind.__name__}" if kind.__name__ in names.get(root, ()) else ""


def _feed_dict(value: dict[Any, Any], sink: _Sink) -> None:
    sink.mark(f"{len(value)}")
    for key, below in value.items():
        _feed(key, sink)
        _feed(below, sink)


def _feed_list(value: Any, sink: _Sink) -> None:
    sink.mark(f"{len(value)}")
    if set(map(type, value)) <= _ATOMS:
        _feed_pickle(list(value), sink)
        return
    for each in value:
        _feed(each, sink)


def _feed_set(value: Any, sink: _Sink) -> None:
    """In an order of its own: that of a set of text differs by process."""
    for digest in sorted(data_digest(each) for each in value):
        sink.mark(digest)


def _feed_pickle(value: Any, sink: _Sink) -> None:
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=5, buffer_callback=buffers.append)
    pickler.fast = True  # a memo writes what two equal values share in memory
    pickler.dump(value)
    sink.write(stream.getbuffer())
    for buffer in buffers:
        sink.write(buffer.raw())


def _feed_array(value: Any, sink: _Sink) -> None:
    import numpy

    sink.mark(f"{value.dtype} {value.shape}")
    if value.dtype.hasobject:
        _feed_list(value.ravel().tolist(), sink)
        return
    sink.write(numpy.ascontiguousarray(value).reshape(-1).view("u1"))


def _feed_masked(value: Any, sink: _Sink) -> None:
    import numpy

    _feed(numpy.asarray(value.data), sink)
    _feed(numpy.asarray(numpy.ma.getmaskarray(value)), sink)
    sink.mark(f"{value.fill_value!r} {value.hardmask}")


def _feed_table(value: Any, sink: _Sink) -> None:
    import pyarrow

    sink.mark(str(value.schema.remove_metadata()))
    for name in range(value.num_columns):
        # How the rows are cut into chunks does not count.
        column = pyarrow.table([value.column(name).combine_chunks()], names=["_"])
        with pyarrow.ipc.new_stream(pyarrow.PythonFile(sink, "w"), column.schema) as writer:
            writer.write_table(column)


def _feed_frame(value: Any, sink: _Sink) -> None:
    """By column, since how a frame groups its columns in memory does not count."""
    _feed_index(value.columns, sink)
    _feed_index(value.index, sink)
    for at in range(value.shape[1]):
        _feed_column(value.iloc[:, at], sink)


def _feed_series(value: Any, sink: _Sink) -> None:
    _feed(value.name, sink)
    _feed_index(value.index, sink)
    _feed_column(value, sink)


def _feed_index(index: Any, sink: _Sink) -> None:
    sink.mark(type(index).__name__)
    _feed(list(index.names), sink)
    _feed_column(index, sink)


def _feed_column(column: Any, sink: _Sink) -> None:
    import numpy

    sink.mark(str(column.dtype))
    if isinstance(column.dtype, numpy.dtype):
        _feed_array(column.to_numpy(), sink)
    elif type(column.dtype).__name__ == "CategoricalDtype":
        values = column.array if hasattr(column, "array") else column
        _feed_array(values.codes, sink)
        _feed_index(values.categories, sink)
        sink.mark(str(values.ordered))
    else:
        _feed_pickle(column.array, sink)


def _plan_digest(value: Any) -> str:
    """Of a Spark data frame that stays one: its columns and types; the rows would have to be computed."""
    schema = getattr(value, "schema", None)
    return type(value).__name__ if schema is None else _Sink(schema.json()).digest()


_Feed = Callable[[Any, "_Sink"], None]
_CONTAINERS: dict[type, _Feed] = {
    dict: _feed_dict,
    list: _feed_list,
    tuple: _feed_list,
    set: _feed_set,
    frozenset: _feed_set,
}
_FEEDS: dict[str, _Feed] = {
    "masked": _feed_masked,
    "numpy.ndarray": _feed_array,
    "numpy.memmap": _feed_array,
    "pyarrow.Table": _feed_table,
    "pandas.DataFrame": _feed_frame,
    "pandas.Series": _feed_series,
}


class _Sink:
    """Digests what is written: checksums of 1 MB pieces (3 GB/s), and a hash over those."""

    def __init__(self, head: str) -> None:
        self._hash = hashlib.sha256(head.encode())
        self.closed = False

    def mark(self, text: str) -> None:
        """Takes a text that says what comes next."""
        self._hash.update(f"[{text}]".encode("utf-8", "surrogatepass"))

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _PIECE):
            self._hash.update(b"%08x" % zlib.crc32(view[start : start + _PIECE]))
        return len(view)

    def digest(self) -> str:
        return self._hash.hexdigest()[:16]

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False
