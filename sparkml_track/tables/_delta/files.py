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
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sparkml_track.errors import DataError
from sparkml_track.tables._delta.locations import FoundFile, Location
from sparkml_track.tables._rows.expect import Written

_PREFIX = "write-"
# How Spark names the folder of null.
_NULL = "__HIVE_DEFAULT_PARTITION__"
# The types that partition columns may have.
_ARROW = {
    "string": pa.string(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "short": pa.int16(),
    "byte": pa.int8(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
#: Name of a file to the values of its partition columns.
Partitions: TypeAlias = Mapping[str, Mapping[str, str | None]]
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
        partition: values of the partition columns, which the file does not hold, as text.
    """

    path: str
    size: int
    rows: int
    nulls: Mapping[str, int]
    lowest: Mapping[str, object]
    highest: Mapping[str, object]
    partition: Mapping[str, str | None] = field(default_factory=dict)

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


def new_folder(table: Location) -> Location:
    """Name (and do not make) the folder for one write."""
    return table / f"{_PREFIX}{uuid.uuid4().hex}"


def stage_arrow(rows: pa.Table, folder: Location, by: Sequence[str] = ()) -> Partitions:
    """Write an Arrow table into ``folder``.

    Returns:
        Where there are partition columns, the values of each file.

    Raises:
        DataError: empty text in a partition column, which the log cannot tell from null.
    """
    folder.make_folder()
    if not by:
        write_parts(rows, folder, "part")
        return {}
    found: dict[str, Mapping[str, str | None]] = {}
    for number, values in enumerate(rows.select(list(by)).group_by(list(by)).aggregate([]).to_pylist()):
        if "" in values.values():
            raise DataError(f"table {folder.parent.name}: empty text in a partition column ({', '.join(by)})")
        wanted = [pc.is_null(rows[c]) if v is None else pc.equal(rows[c], v) for c, v in values.items()]
        part = rows.filter(reduce(pc.and_, wanted)).drop_columns(list(by))
        found |= dict.fromkeys(write_parts(part, folder, f"part-{number:05d}"), partition_texts(values))
    return found


def write_parts(rows: pa.Table, folder: Location, prefix: str, most: int = _ROWS_PER_FILE) -> list[str]:
    """Write rows into files of at most ``most`` of them, and give the names."""
    names = []
    for number, start in enumerate(range(0, max(rows.num_rows, 1), most)):
        names.append(f"{prefix}-{number:05d}.parquet")
        with (folder / names[-1]).sink() as out:
            pq.write_table(rows.slice(start, most), out, compression="zstd", row_group_size=_ROWS_PER_GROUP)
    return names


def partition_texts(values: Mapping[str, object]) -> dict[str, str | None]:
    """Values of partition columns as the log writes them."""
    return {column: None if value is None else _text(value) for column, value in values.items()}


def gather(folder: Path) -> Partitions:
    """Move what Spark wrote into folders named ``column=value`` up into ``folder``; give the values of each file."""
    found: dict[str, Mapping[str, str | None]] = {}
    for number, path in enumerate(sorted(folder.rglob("*=*/*.parquet"))):
        parts = [part.partition("=") for part in path.parent.relative_to(folder).parts]
        values = {unquote(column): None if value == _NULL else unquote(value) for column, _, value in parts}
        name = f"part-{number:05d}-{path.name}"
        path.rename(folder / name)
        found[name] = values
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
    return found


def staged_files(folder: Location, partitions: Partitions) -> tuple[StagedFile, ...]:
    """Read the footers of what was written into ``folder``; files without rows are left out."""
    listed = folder.walk()
    for each in listed:
        # Hadoop's local file system leaves them; Parquet pages and the log's sizes do without.
        if each.location.name.endswith(".crc"):
            each.location.delete()
    found = [_staged(each, folder.parent) for each in listed if each.location.name.endswith(".parquet")]
    return tuple(replace(file, partition=partitions.get(Path(file.path).name, {})) for file in found if file.rows)


def staged_file(
    folder: Location, name: str, size: int, footer: bytes, partition: Mapping[str, str | None]
) -> StagedFile:
    """A file of which somebody else read the footer."""
    found = pq.read_metadata(pa.BufferReader(footer))
    return replace(_described((folder / name).below(folder.parent), size, found), partition=partition)


def summed(files: Sequence[StagedFile], table: Location, columns: Iterable[str]) -> Written:
    """Add up rows and the nulls of ``columns``."""
    nulls = {column: sum(_nulls(file, table, column) for file in files) for column in columns}
    return Written(sum(file.rows for file in files), nulls)


def read_staged(
    table: Location, files: Sequence[StagedFile], columns: Sequence[str], kinds: Mapping[str, object]
) -> pa.Table:
    """Read some columns of staged files into memory.

    Args:
        table: its folder.
        files: staged.
        columns: which.
        kinds: column to Delta type, for the partition columns.
    """
    parts = [_read(table, file, columns, kinds) for file in files]
    return pa.concat_tables(parts) if parts else pa.table({column: [] for column in columns})


def discard(folder: Location) -> None:
    """Remove a folder that no version names."""
    folder.discard()


def sweep_leftovers(table: Location, named: Collection[str], keep: timedelta, *, dry_run: bool) -> list[str]:
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
    for each in (table / "_delta_log").walk():
        if fnmatchcase(each.location.name, TEMPORARY) and each.modified <= limit:
            left.append(each.location.below(table))
            if not dry_run:
                each.location.delete()
    for folder in (table / name for name in table.names() if name.startswith(_PREFIX)):
        if folder.modified() <= limit and (folder.name not in known or not folder.names()):
            left += [each.location.below(table) for each in folder.walk()]
            if not dry_run:
                folder.discard()
    return left


def _staged(each: FoundFile, table: Location) -> StagedFile:
    return _described(each.location.below(table), each.size, pq.read_metadata(each.location.source()))


def _described(path: str, size: int, footer: pq.FileMetaData) -> StagedFile:
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
    return StagedFile(path, size, footer.num_rows, nulls, lowest, highest)


def _bounds(chunks: Sequence[pq.Statistics]) -> tuple[object, object] | None:
    filled = [chunk for chunk in chunks if chunk.num_values]
    if not filled or not all(chunk.has_min_max for chunk in filled):
        return None
    try:
        low, high = min(chunk.min for chunk in filled), max(chunk.max for chunk in filled)
    except (OverflowError, ValueError):  # years that Python has no dates for: no bounds are right, too
        return None
    return (low, high) if _boundable(low) and _boundable(high) else None


def _text(value: object) -> str:
    """A partition value in the log (Protocol, "Partition Value Serialization")."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(table: Location, file: StagedFile, columns: Sequence[str], kinds: Mapping[str, object]) -> pa.Table:
    inside = [column for column in columns if column not in file.partition]
    rows = pq.read_table((table / file.path).source(), columns=inside)
    given = {
        column: pa.array([file.partition[column]] * file.rows, pa.string()).cast(_ARROW[str(kinds[column])])
        for column in columns
        if column in file.partition
    }
    return pa.table({column: given[column] if column in given else rows[column] for column in columns})


def _nulls(file: StagedFile, table: Location, column: str) -> int:
    if column in file.partition:
        return file.rows if file.partition[column] is None else 0
    if column in file.nulls:
        return file.nulls[column]
    # Footers leave statistics out when values are long.
    return int(pq.read_table((table / file.path).source(), columns=[column])[column].null_count)


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
