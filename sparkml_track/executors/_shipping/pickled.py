"""Objects as one pickle and the buffers of their arrays, which slots map instead of copying.

The pickle is made by the driver and opened by its own slots; nothing that comes from a slot is ever unpickled.
"""

from __future__ import annotations

import io
import pickle
import sys
from dataclasses import dataclass
from typing import Any

import cloudpickle

from sparkml_track.executors._shipping.blobs import write_blob

__all__ = ["MappedPickle", "dump"]

#: Arrays begin at multiples of it, as vector instructions like.
_ALIGNED = 64


@dataclass(frozen=True, slots=True)
class MappedPickle:
    """A written file.

    Attributes:
        digest: of the file.
        head: bytes of the pickle, which comes first.
        spans: where the buffers begin and end.
    """

    digest: str
    head: int
    spans: tuple[tuple[int, int], ...]


def dump(value: object, folder: str) -> MappedPickle:
    """Writes an object into a file of the host's folder.

    Raises:
        Exception: whatever stops it from being pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(value)
    head = stream.getbuffer()
    views = [buffer.raw() for buffer in buffers]
    spans, end = [], len(head)
    for view in views:
        start = -(-end // _ALIGNED) * _ALIGNED
        end = start + view.nbytes
        spans.append((start, end))

    def write(file: Any) -> None:
        file.write(head)
        written = len(head)
        for view, (start, until) in zip(views, spans, strict=True):
            file.write(bytes(start - written))
            file.write(view)
            written = until

    return MappedPickle(write_blob(folder, write), len(head), tuple(spans))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Takes arrays apart that numpy would copy into the pickle."""

    def reducer_override(self, obj: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(obj) is numpy.memmap:
            return numpy.asarray(obj).view(numpy.ndarray).__reduce_ex__(5)
        if numpy is not None and type(obj) is numpy.ma.MaskedArray and obj.baseclass is numpy.ndarray:
            # data, mask, dtype, copy, subok, ndmin, fill_value, keep_mask, hard_mask, shrink
            # The public fill_value is never unset.
            options = (None, False, True, 0, obj._fill_value, True, obj.hardmask, False)  # noqa: SLF001
            return numpy.ma.MaskedArray, (obj.data, obj.mask, *options)
        return super().reducer_override(obj)
