"""Parquet files on their way into a table: where they are staged, and what their footers say.

Each write puts its files into a folder of its own under the table, named by a uuid. The log names them there, so they
are never renamed, and the folder of a writer that died is named by no version.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sparkml_track.tables._rows.expect import Written

_PREFIX = "write-"
#: What a writer that died while it committed leaves in the log's folder.
TEMPORARY = "_commit_*.json.tmp"
# Delta allows bounds of strings to be cut; whole short ones need no rounding.
_LONGEST_BOUND = 32
_ROWS_PER_FILE = 4_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Rounded up to milliseconds it is still a moment that has a name.
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999000, UTC)
# A row group is the least that one task reads.
_ROWS_PER_GROUP = 65_536


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One Parquet file that no version names yet.

    Attributes:
        path: relative to the table.
        size: bytes.
        rows: how many.
        nulls: per top-level column that holds plain values.
        lowest: smallest value per column, where the footer knows it.
        highest: largest value per column, where the footer knows it.
    """

    path: str
    size: int
    rows: int
    nulls: Mapping[str, int]
    lowest: Mapping[str, object]
    highest: Mapping[str, object]

    @property
    def stats(self) -> str:
        """The file's statistics in the JSON of the Delta protocol ("Per-file Statistics")."""
        return json.dumps(
            {
                "numRecords": self.rows,
                "minValues": {name: _bound(value, up=False) for name, value in self.lowest.items()},
                "maxValues": {name: _bound(value, up=True) for name, value in self.highest.items()},
                "nullCount": dict(self.nulls),
            }
        )


def new_folder(table: Path) -> Path:
    """Name (and do not make) the folder for one write."""
    return table / f"{_PREFIX}{uuid.uuid4().hex}"


def stage_arrow(rows: pa.Table, folder: Path) -> None:
    """Write an Arrow table into ``folder``."""
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, max(rows.num_rows, 1), _ROWS_PER_FILE)):
        part = rows.slice(start, _ROWS_PER_FILE)
        path = folder / f"part-{number:05d}.parquet"
        pq.write_table(part, path, compression="zstd", row_group_size=_ROWS_PER_GROUP)


def staged_files(folder: Path) -> tuple[StagedFile, ...]:
    """Read the footers of what was written into ``folder``; files without rows are left out."""
    for checksum in folder.glob(".*.crc"):
        checksum.unlink()  # Hadoop's local file system leaves them; Parquet pages and the log's sizes do without.
    found = (_staged(path, folder.parent) for path in sorted(folder.glob("*.parquet")))
    return tuple(file for file in found if file.rows)


def summed(files: Sequence[StagedFile], table: Path, columns: Iterable[str]) -> Written:
    """Add up rows and the nulls of ``columns``."""
    nulls = {column: sum(_nulls(file, table, column) for file in files) for column in columns}
    return Written(sum(file.rows for file in files), nulls)


def read_staged(paths: Sequence[Path], columns: Sequence[str]) -> pa.Table:
    """Read some columns of staged files into memory."""
    parts = [pq.read_table(path, columns=list(columns)) for path in paths]
    return pa.concat_tables(parts) if parts else pa.table({column: [] for column in columns})


def discard(folder: Path) -> None:
    """Remove a folder that no version names."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep_leftovers(table: Path, named: Collection[str], keep: timedelta, *, dry_run: bool) -> list[str]:
    """Remove the folders of writers that died before ``keep``, and emptied ones.

    Args:
        table: its folder.
        named: relative paths that a version names, or named as long as the log remembers.
        keep: younger folders may belong to writers at work.
        dry_run: only list.

    Returns:
        The relative paths of the files.
    """
    known = {Path(path).parts[0] for path in named}
    limit, left = time.time() - keep.total_seconds(), list[str]()
    for path in (table / "_delta_log").glob(TEMPORARY):
        if path.stat().st_mtime <= limit:
            left.append(str(path.relative_to(table)))
            if not dry_run:
                path.unlink(missing_ok=True)
    for folder in table.glob(f"{_PREFIX}*"):
        if folder.stat().st_mtime <= limit and (folder.name not in known or not any(folder.iterdir())):
            left += [str(path.relative_to(table)) for path in folder.rglob("*") if path.is_file()]
            if not dry_run:
                discard(folder)
    return left


def _staged(path: Path, table: Path) -> StagedFile:
    footer = pq.read_metadata(path)
    nulls, lowest, highest = dict[str, int](), dict[str, object](), dict[str, object]()
    for index in range(footer.num_columns):
        chunks = [footer.row_group(group).column(index) for group in range(footer.num_row_groups)]
        known = bool(chunks) and all(chunk.is_stats_set and chunk.statistics.has_null_count for chunk in chunks)
        if not known or "." in chunks[0].path_in_schema:
            continue
        name = chunks[0].path_in_schema
        nulls[name] = sum(chunk.statistics.null_count for chunk in chunks)
        bounds = _bounds([chunk.statistics for chunk in chunks])
        if bounds:
            lowest[name], highest[name] = bounds
    return StagedFile(str(path.relative_to(table)), path.stat().st_size, footer.num_rows, nulls, lowest, highest)


def _bounds(chunks: Sequence[pq.Statistics]) -> tuple[object, object] | None:
    filled = [chunk for chunk in chunks if chunk.num_values]
    if not filled or not all(chunk.has_min_max for chunk in filled):
        return None
    try:
        low, high = min(chunk.min for chunk in filled), max(chunk.max for chunk in filled)
    except (OverflowError, ValueError):  # years that Python has no dates for: no bounds are right, too
        return None
    return (low, high) if _boundable(low) and _boundable(high) else None


def _nulls(file: StagedFile, table: Path, column: str) -> int:
    if column in file.nulls:
        return file.nulls[column]
    # Footers leave statistics out when values are long.
    return int(pq.read_table(table / file.path, columns=[column])[column].null_count)


def _boundable(value: object) -> bool:
    # No floats: footers leave NaN out, and Delta orders it above all numbers.
    if isinstance(value, str):
        return len(value) <= _LONGEST_BOUND
    if isinstance(value, datetime):
        return value <= _LAST
    return isinstance(value, int | date) and not isinstance(value, bool)


def _bound(value: object, *, up: bool) -> object:
    if isinstance(value, datetime):
        # The log keeps milliseconds: an upper bound is rounded up, a lower one down.
        millis, rest = divmod((value - _EPOCH) // timedelta(microseconds=1), 1000)
        moment = _EPOCH + timedelta(milliseconds=millis + (1 if up and rest else 0))
        return f"{_day(moment)}T{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return _day(value) if isinstance(value, date) else value


def _day(value: date) -> str:
    # strftime leaves out the zeros of years before 1000.
    return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
