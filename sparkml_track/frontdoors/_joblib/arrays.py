"""Large arrays of batches: each written once, as a file that slots map, and not pickled with every task."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from sparkml_track.frontdoors._joblib.batches import array_of
from sparkml_track.slot.host.folder import Host

__all__ = ["Arrays", "Mapping"]

#: What a user's own map of a file is opened with in slots: "w+" would empty it.
_OPENED = {"w+": "r+"}


@dataclass(frozen=True, slots=True)
class Mapping:
    """How arrays are mapped; joblib's settings.

    Attributes:
        max_nbytes: arrays beyond are; None for none.
        mmap_mode: of numpy; None for none.
        temp_folder: where the files lie; None for the folder that this host's slots share.
    """

    max_nbytes: int | None = 1 << 20
    mmap_mode: str | None = "r"
    temp_folder: str | None = None


class _Placed(NamedTuple):
    """An array, for as long as there is one, and its file."""

    array: Callable[[], object]
    name: str
    path: str


class Arrays:
    """The arrays of one executor. Threads: any.

    Args:
        shared: slots read the driver's files.
    """

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._host: Host | None = None
        self._folders: dict[str, str] = {}
        self._known: dict[int, _Placed] = {}
        self._users: Counter[str] = Counter()

    def reduce(self, array: Any, mapping: Mapping, files: dict[str, str]) -> Any:
        """What a pickle has in place of an array of numpy, None for the array itself.

        Args:
            array: of the class ndarray or memmap.
            mapping: joblib's settings.
            files: takes what must go with the batch.
        """
        mode = mapping.mmap_mode
        if array.dtype.hasobject or mode is None:
            return None
        if self._shared and (own := _file_behind(array)) is not None:
            return _of_file(array, own)
        if mapping.max_nbytes is None or array.nbytes <= mapping.max_nbytes:
            return None
        placed = self._placed(array, mapping.temp_folder)
        if placed.name not in files:
            files[placed.name] = placed.path
            self._users[placed.name] += 1
        return array_of, (placed.name, _OPENED.get(mode, mode))

    def release(self, files: dict[str, str]) -> None:
        """A batch has ended; files of arrays that the driver has no more go with their last one."""
        with self._lock:
            self._users.subtract(files.keys())
            for key, placed in list(self._known.items()):
                if placed.name in files and placed.array() is None and not self._users[placed.name]:
                    del self._known[key]
                    with suppress(OSError):
                        os.unlink(placed.path)  # noqa: PTH108

    def _placed(self, array: Any, temp_folder: str | None) -> _Placed:
        with self._lock:
            known = self._known.get(id(array))
            if known is None or known.array() is not array:
                name = f"array-{secrets.token_hex(8)}"
                path = os.path.join(self._folder(temp_folder), name)  # noqa: PTH118
                _write(array, path)
                known = self._known[id(array)] = _Placed(weakref.ref(array), name, path)
        return known

    def _folder(self, temp_folder: str | None) -> str:
        if temp_folder is None:
            # What a driver leaves behind that is killed, the next one removes.
            self._host = self._host or Host(f"arrays-{secrets.token_hex(8)}", home=True)
            return self._host.folder
        if temp_folder not in self._folders:
            self._folders[temp_folder] = tempfile.mkdtemp(prefix="sparkml-", dir=temp_folder)
        return self._folders[temp_folder]

    def close(self) -> None:
        """Removes the files."""
        with self._lock:
            self._known.clear()
            for folder in self._folders.values():
                shutil.rmtree(folder, ignore_errors=True)
            self._folders.clear()
            if self._host is not None:
                self._host.remove()
                self._host = None


def _write(array: Any, path: str) -> None:
    numpy = sys.modules["numpy"]
    with open(path, "xb") as file:  # noqa: PTH123
        numpy.save(file, numpy.asarray(array), allow_pickle=False)


def _file_behind(array: Any) -> Any:
    """The map of a file of the user's that an array is, or is a part of; None if it is none."""
    numpy = sys.modules["numpy"]
    found = None
    while array is not None:
        if type(array) is numpy.memmap and array.filename is not None:
            found = array
        array = getattr(array, "base", None)
    return found


def _of_file(array: Any, own: Any) -> Any:
    """How the same part of the same file is mapped elsewhere, so that tasks can write where the user said so."""
    numpy = sys.modules["numpy"]
    low, high = numpy.lib.array_utils.byte_bounds(array)
    start = own.offset + low - numpy.lib.array_utils.byte_bounds(own)[0]
    data = numpy.memmap, (str(own.filename), "uint8", _OPENED.get(own.mode, own.mode), start, (high - low,))
    first = array.__array_interface__["data"][0] - low
    return numpy.ndarray, (array.shape, array.dtype, _Part(*data), first, array.strides)


class _Part:
    """Is pickled as a map of a part of a file."""

    def __init__(self, *reduced: Any) -> None:
        self._reduced = reduced

    def __reduce__(self) -> Any:
        return self._reduced
