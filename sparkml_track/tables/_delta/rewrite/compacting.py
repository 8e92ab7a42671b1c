"""Small files made into larger ones, and rows sorted, as a Spark job: the rows stay, so other writers hardly mind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import TableError
from sparkml_track.tables._delta import log
from sparkml_track.tables._delta.actions import Change, Entry, entries
from sparkml_track.tables._delta.rewrite.candidates import rows_of
from sparkml_track.tables._delta.rewrite.landing import Plan
from sparkml_track.tables._delta.staging import staged_rows

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

    path: Path
    by: tuple[str, ...]
    size: int


def compute(spark: SparkSession, found: log.Log, wanted: Compaction) -> Plan | None:
    """Rewrite what is too small, or everything where it is to be sorted; None where nothing would change."""
    chosen = _chosen(entries(found, wanted.path), wanted)
    if not chosen:
        return None
    count = max(1, math.ceil(sum(entry.size for entry in chosen) / wanted.size))
    schema, name = log.schema_of(found), wanted.path.name
    with translated(f"optimizing table {name}", TableError):
        rows = rows_of(spark, chosen, schema)
        columns = [f"`{column}`" for column in wanted.by]
        rows = (
            rows.repartitionByRange(count, *columns).sortWithinPartitions(*columns) if columns else rows.coalesce(count)
        )
    staged = staged_rows(wanted.path, rows, found, checked=False)
    before, after = [entry.rows for entry in chosen], sum(file.rows for file in staged.files)
    if None not in before and after != sum(number for number in before if number is not None):
        staged.discard()
        raise TableError(
            f"optimizing table {name}: {sum(filter(None, before)):,} rows were read and {after:,} written. Nothing was "
            "committed"
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


def _chosen(found: Sequence[Entry], wanted: Compaction) -> list[Entry]:
    if wanted.by:
        return list(found)
    small = [entry for entry in found if entry.size < wanted.size * _FULL]
    return small if len(small) > 1 else []
