"""Batches on their way to slots: pickled by cloudpickle, with large arrays left out."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import cloudpickle

from sparkml_track.executors import by_value_for
from sparkml_track.frontdoors._joblib.arrays import Arrays, Mapping
from sparkml_track.frontdoors._joblib.batches import array_of

__all__ = ["BatchPickler"]


class BatchPickler:
    """Pickles batches for one executor. Threads: any.

    Args:
        arrays: takes large ones.
        shared: slots read the driver's files; else modules that are not installed are sent along, by value.
        code: folders that slots get.
    """

    def __init__(self, arrays: Arrays, *, shared: bool, code: Sequence[str]) -> None:
        self._arrays = arrays
        self._by_value = nullcontext if shared else by_value_for(code)

    def dumps(self, batch: object, mapping: Mapping) -> tuple[bytes, dict[str, str]]:
        """The pickle, and the files that must go with it.

        Raises:
            Exception: whatever keeps it from being pickled.
        """
        buffer, files = io.BytesIO(), dict[str, str]()
        with self._by_value():
            _Pickler(buffer, self._arrays, mapping, files).dump(batch)
        return buffer.getvalue(), files


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, buffer: io.BytesIO, arrays: Arrays, mapping: Mapping, files: dict[str, str]) -> None:
        super().__init__(buffer, protocol=5)
        self._arrays, self._mapping, self._files = arrays, mapping, files

    def reducer_override(self, obj: Any) -> Any:
        if obj is array_of:
            return obj.__name__  # by its name, wherever slots have it: they know it by that
        numpy = sys.modules.get("numpy")
        if numpy is not None and type(obj) in (numpy.ndarray, numpy.memmap):
            reduced = self._arrays.reduce(obj, self._mapping, self._files)
            if reduced is not None:
                return reduced
        return super().reducer_override(obj)
