"""Small files made into larger ones, and rows sorted: the rows stay, so other writers hardly mind.

delta-rs has an optimize of its own. It commits over what deleted and merged rows meanwhile, and brings them back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import TableError
from sparkml_track.tables._delta import files, log
from sparkml_track.tables._delta.actions import Change, Entry, entries
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._delta.rewrite.candidates import rows_of
from sparkml_track.tables._delta.rewrite.landing import Plan
from sparkml_track.tables._delta.staging import Staged, staged_arrow, staged_rows
from sparkml_track.tables._rows.arrow import normalised

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A file that is this much of the wished size is left alone.
_FULL = 0.75


@dataclass(frozen=True, slots=True)
class Compaction:
    """What to do with the files of a table.

    Attributes:
        path: of the table.
        by: columns to sort by, none to leave the order.
        size: bytes that a file should have.
    """

    path: Location
    by: tuple[str, ...]
    size: int


def compute(spark: SparkSession | None, found: log.Log, wanted: Compaction) -> Plan | None:
    """Rewrite what is too small, or everything where it is to be sorted; None where nothing would change."""
    groups = _groups(entries(found, wanted.path), wanted)
    if not groups:
        return None
    chosen = [entry for group in groups for entry in group]
    staged = _by_arrow(groups, found, wanted) if spark is None else _by_spark(spark, chosen, found, wanted)
    before, after = [entry.rows for entry in chosen], sum(file.rows for file in staged.files)
    if None not in before and after != sum(number for number in before if number is not None):
        staged.discard()
        raise TableError(
            f"optimizing table {wanted.path.name}: {sum(filter(None, before)):,} rows were read and {after:,} written. "
            "Nothing was committed"
        )
    change = Change(
        "OPTIMIZE",
        {"predicate": "[]", "targetSize": str(wanted.size), "sortBy": ", ".join(wanted.by)},
        staged.files,
        chosen,
        data_change=False,
        metrics={"numAddedFiles": len(staged.files), "numRemovedFiles": len(chosen)},
    )
    return Plan(change, lambda _: True)


def _groups(found: Sequence[Entry], wanted: Compaction) -> list[list[Entry]]:
    """Files that become one or several together: of one partition, and as many as the wished size takes."""
    partitions: dict[tuple[tuple[str, object], ...], list[Entry]] = {}
    for entry in found:
        if wanted.by or entry.size < wanted.size * _FULL:
            partitions.setdefault(tuple(entry.partition.items()), []).append(entry)
    if wanted.by:
        return list(partitions.values())
    return [group for each in partitions.values() for group in _packed(each, wanted.size) if len(group) > 1]


def _packed(found: Sequence[Entry], size: int) -> list[list[Entry]]:
    packed: list[list[Entry]] = [[]]
    for entry in found:
        if sum(other.size for other in packed[-1]) >= size:
            packed.append([])
        packed[-1].append(entry)
    return packed


def _by_spark(spark: SparkSession, chosen: Sequence[Entry], found: log.Log, wanted: Compaction) -> Staged:
    count = max(1, math.ceil(sum(entry.size for entry in chosen) / wanted.size))
    apart = [f"`{column}`" for column in log.partitions_of(found)]
    columns = [*apart, *(f"`{column}`" for column in wanted.by)]
    with translated(f"optimizing table {wanted.path.name}", TableError):
        rows = rows_of(spark, chosen, log.schema_of(found))
        if wanted.by:
            rows = rows.repartitionByRange(count, *columns).sortWithinPartitions(*columns)
        else:
            rows = rows.repartition(*apart) if apart else rows.coalesce(count)
    return staged_rows(wanted.path, rows, found, checked=False)


def _by_arrow(groups: Sequence[Sequence[Entry]], found: log.Log, wanted: Compaction) -> Staged:
    """One group after the other in memory."""
    schema = pa.schema(found.schema().to_arrow())
    inside = pa.schema([field for field in schema if field.name not in log.partitions_of(found)])

    def write(folder: Location) -> files.Partitions:
        folder.make_folder()
        named: dict[str, dict[str, str | None]] = {}
        for number, group in enumerate(groups):
            rows = pa.concat_tables([_read(entry, inside, wanted.path.name) for entry in group])
            if by := [(column, "ascending") for column in wanted.by if column in inside.names]:
                rows = rows.sort_by(by)
            count = max(1, math.ceil(sum(entry.size for entry in group) / wanted.size))
            names = files.write_parts(rows, folder, f"part-{number:05d}", math.ceil(max(rows.num_rows, 1) / count))
            named |= dict.fromkeys(names, files.partition_texts(group[0].partition))
        return named

    return staged_arrow(wanted.path, found, write)


def _read(entry: Entry, schema: pa.Schema, name: str) -> pa.Table:
    """A file in the columns of the table; those that came later are null in it."""
    rows = normalised(pq.read_table(entry.path.source(), partitioning=None), name)
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=pa.schema([pa.field(field.name, field.type) for field in schema]))
