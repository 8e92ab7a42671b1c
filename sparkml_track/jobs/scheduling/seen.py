"""Versions of tables, and files that are there and no longer written to."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.errors import TableError
from sparkml_track.governance.names import full_name
from sparkml_track.jobs.scheduling.memory import Seen

if TYPE_CHECKING:
    from sparkml_track.tables import Tables

__all__ = ["Files", "changed_tables"]


def changed_tables(names: Sequence[str], tables: Tables, seen: Seen) -> dict[str, int | None]:
    """The versions of tables that have another one than was seen. One that was never looked at is only noted.

    Args:
        names: of the tables.
        tables: where they are.
        seen: what is known of the job.
    """
    there = {full_name(each): each for each in tables.names()}
    changed = dict[str, int | None]()
    for name in names:
        own = there.get(full_name(name))
        try:
            version = None if own is None else tables.latest(own).version
        except TableError:  # being written for the first time, or dropped a moment ago
            continue
        if name not in seen.tables:
            seen.tables[name] = version
        elif version is not None and version != seen.tables[name]:
            changed[name] = version
    return changed


class Files:
    """Files of a job that are new or changed, once they have not changed for a while.

    Args:
        folder: that patterns are relative to.
        patterns: of names; ``**`` is any folders.
        settle: seconds.
    """

    def __init__(self, folder: Path, patterns: Sequence[str], settle: float) -> None:
        self._folder, self._patterns, self._settle = folder, patterns, settle
        self._since: dict[str, tuple[list[int], float]] = {}

    def arrived(self, seen: Seen, seconds: float) -> dict[str, list[int]]:
        """Looks once; gives those that have arrived, with their sizes and times. The first look only notes them.

        Args:
            seen: what is known of the job; files that are gone are forgotten.
            seconds: of a clock that does not go back.
        """
        there = self._there()
        if seen.files is None:
            seen.files = there
        for gone in seen.files.keys() - there.keys():
            del seen.files[gone]
        moving = {path: stamp for path, stamp in there.items() if seen.files.get(path) != stamp}
        # How long a file has been as it is, by our own clock: its own time may be another machine's, or kept by a copy.
        self._since = {
            path: before if (before := self._since.get(path)) and before[0] == stamp else (stamp, seconds)
            for path, stamp in moving.items()
        }
        return {path: stamp for path, (stamp, since) in self._since.items() if seconds - since >= self._settle}

    def _there(self) -> dict[str, list[int]]:
        found = dict[str, list[int]]()
        for pattern in self._patterns:
            for path in glob.iglob(str(self._folder / pattern), recursive=True):  # noqa: PTH207  # patterns may be absolute
                try:
                    status = Path(path).stat()
                except OSError:  # gone since it was listed
                    continue
                if Path(path).is_file():
                    found[path] = [status.st_size, status.st_mtime_ns]
        return found
