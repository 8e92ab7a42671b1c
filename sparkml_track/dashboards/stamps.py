"""What changed since the last look: cheap to ask, so that a page makes again only what has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from sparkml_track.home import Home

__all__ = ["Kind", "Stamp", "stamp"]

#: Two that are equal mean that nothing was written in between.
Stamp = tuple[int, ...]
#: Seconds for which an object store is taken to be unchanged: to ask it costs a request for each folder.
_AWAY = 15
_LONGEST = 255  # bytes of the name of a file


class Kind(StrEnum):
    """What may change in a home."""

    SWEEPS = "sweeps"
    RUNS = "runs"
    TABLES = "tables"
    JOBS = "jobs"
    SYSTEM = "system"


def stamp(home: Home, *kinds: Kind, of: str = "") -> Stamp:
    """When what a page shows was last written.

    Args:
        home: whose state.
        kinds: of what.
        of: of one sweep or table alone, by its folder's name; of one system table by its own. What is no such name
            never changes.
    """
    if of and not _is_name(of):  # an address may say anything
        return ()
    found = [number for kind in kinds for number in _newest(home, kind, of)]
    return tuple(found)


def _is_name(of: str) -> bool:
    """Whether it names a folder beside others, and none elsewhere."""
    try:
        size = len(os.fsencode(of))
    except UnicodeError:
        return False
    return of not in (".", "..") and not set(of) & set("/\\\0") and size <= _LONGEST


def _newest(home: Home, kind: Kind, of: str) -> Iterator[int]:
    if home.store is not None and kind in (Kind.SWEEPS, Kind.TABLES, Kind.SYSTEM):
        yield int(time.time()) // _AWAY
        return
    match kind:
        case Kind.SWEEPS:
            yield from _of_folders(home.journal / of, files=True)
        case Kind.TABLES:
            # A version is a file in the log; no other change counts.
            logs = [home.tables / of / "_delta_log"] if of else list(_logs(home.tables))
            yield from (_time(log) for log in logs)
        case Kind.RUNS:
            # What is written meanwhile lies in the log beside the database.
            yield from (_time(path) for path in (home.database, home.database.with_name(f"{home.database.name}-wal")))
        case Kind.JOBS:
            yield from _of_folders(home.root / "jobs", files=False)
        case Kind.SYSTEM:
            if of:
                # Rows wait in a file, then they are in the table.
                table = home.tables / f"system.{of}" / "_delta_log"
                yield from (_time(path) for path in (home.system / f"{of}.jsonl", table))
                return
            yield from _of_folders(home.root / "system", files=False)


def _of_folders(root: Path, *, files: bool) -> Iterator[int]:
    """Of a folder, of those in it, and of their files if they are written on: all as one sum, and how many."""
    times, count = _time(root), 0
    for path in _entries(root):
        times, count = times + _time(path), count + 1
        if path.is_dir():
            inner = [each for each in _entries(path) if files or each.is_dir()]
            times, count = times + sum(map(_time, inner)), count + len(inner)
    yield times
    yield count


def _logs(root: Path) -> Iterator[Path]:
    """The logs of all tables; a schema is a folder of them."""
    for path in _entries(root):
        if (path / "_delta_log").is_dir():
            yield path / "_delta_log"
        elif path.is_dir():
            yield from (each / "_delta_log" for each in _entries(path))


def _entries(root: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(root)]
    except OSError:  # not there yet, or gone
        return []


def _time(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_mtime_ns + found.st_size
