"""The segments of one sweep as objects. Each is put if it is not there, whole, and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from typing_extensions import override

from sparkml_track.adapters.objects.client import ObjectClient
from sparkml_track.address import ObjectAddress
from sparkml_track.errors import JournalError
from sparkml_track.journals._objects.asking import Patience, patiently
from sparkml_track.journals._store import SegmentName, Store

__all__ = ["ObjectStore"]

# Small objects are read many at a time, those around the one that is asked for.
_AROUND = 64
_THREADS = 16
_KEPT_BYTES = 64 << 20


class ObjectStore(Store):
    """The segments under one prefix.

    Args:
        folder: of the sweep's journal.
        client: of the bucket.
        patience: see ``Patience``.
    """

    grows = False
    quick = False

    def __init__(self, folder: ObjectAddress, client: ObjectClient, patience: Patience) -> None:
        self.place = str(folder)
        self._folder, self._client, self._patience = folder, client, patience
        self._names: list[SegmentName] = []
        self._kept: dict[SegmentName, bytes] = {}
        self._missed = 0

    @override
    def names(self) -> Sequence[SegmentName]:
        found = [SegmentName.parse(each.address.name) for each in self._client.walk(self._folder)]
        self._names = sorted(name for name in found if name)
        return self._names

    @override
    def read(self, name: SegmentName, limit: int | None = None, start: int = 0) -> bytes:
        if name not in self._kept:
            self._fetch(name)
        return self._kept[name][start : None if limit is None else start + limit]

    @override
    def create(self, name: SegmentName, data: bytes) -> None:
        at = self._folder / str(name)
        # A put whose answer was lost finds its own bytes there, which is success.
        if not patiently(lambda: self._client.put_new(at, data), self._patience):
            raise JournalError(f"segment {at} is there already; another driver wrote it")

    @override
    def grow(self, data: bytes) -> None:
        raise NotImplementedError

    @override
    def close(self) -> None:
        self._kept.clear()

    def _fetch(self, name: SegmentName) -> None:
        wanted, self._missed = [name], self._missed + 1
        if self._missed > 1 and name in self._names:  # who reads two reads all
            at = self._names.index(name)
            wanted = self._names[max(0, at - _AROUND) : at + _AROUND]
        if sum(map(len, self._kept.values())) > _KEPT_BYTES:
            self._kept.clear()
        missing = [each for each in wanted if each not in self._kept]
        with ThreadPoolExecutor(_THREADS) as threads:
            self._kept |= zip(missing, threads.map(self._read, missing), strict=True)

    def _read(self, name: SegmentName) -> bytes:
        data = self._client.read(self._folder / str(name))
        if data is None:
            raise JournalError(
                f"the journal is damaged: {self.place}/{name} is missing. Bring it back from a copy, or start the "
                "sweep anew with resume='never'"
            )
        return data
