"""What was read of versions: they never change, so nothing is read twice while their commits lie where they lay."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeAlias

from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._values import DataFile, TableInfo

# Of how many versions something is kept.
_MOST = 256
#: By which a commit is known: a table that was deleted and made again counts from 0 again.
_Stamp: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one version without its rows: of each of its files also where it lies."""

    info: TableInfo
    files: tuple[DataFile, ...]
    places: tuple[Location, ...]


class KnownVersions:
    """Versions of tables by their folders. Threads may share it: what two of them read at once is the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Location, int], tuple[_Stamp, Known]] = {}
        self._latest: dict[Location, int] = {}

    def get(self, path: Location, version: int | None) -> Known | None:
        """What is known, None if it must be read.

        Args:
            path: of the table.
            version: None for the latest; then nothing is known once another writer has committed.
        """
        latest = version is None
        wanted = self._latest.get(path) if version is None else version
        found = None if wanted is None else self._kept.get((path, wanted))
        if wanted is None or found is None or found[0] != _stamp(path, wanted):
            return None
        return None if latest and _stamp(path, wanted + 1) else found[1]

    def keep(self, path: Location, known: Known) -> None:
        """Keeps what was read; not of a version whose commit is only in a checkpoint."""
        version = known.info.ref.version
        stamp = _stamp(path, version)
        if stamp is None:
            return
        for oldest in list(self._kept)[: len(self._kept) + 1 - _MOST]:
            self._kept.pop(oldest, None)
        self._kept[path, version] = stamp, known
        self._latest[path] = max(version, self._latest.get(path, version))


def _stamp(path: Location, version: int) -> _Stamp | None:
    if path.path is None:
        return None  # what an object store answers costs as much as reading
    try:
        found = os.stat(f"{path}/_delta_log/{version:020d}.json")  # noqa: PTH116  # asked for each query
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
