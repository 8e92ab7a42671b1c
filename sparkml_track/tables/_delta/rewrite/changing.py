"""Delete and update as Spark jobs: one finds the files that hold the rows, one rewrites them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import TableError
from sparkml_track.tables._delta import log
from sparkml_track.tables._delta.actions import Change, Entry, entries
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._delta.rewrite.candidates import FILE, by_name, path_of, rows_of, with_files
from sparkml_track.tables._delta.rewrite.feeding import images
from sparkml_track.tables._delta.rewrite.landing import Plan
from sparkml_track.tables._delta.rewrite.pruning import matcher, may_match, ranges
from sparkml_track.tables._delta.staging import Staged, staged_rows
from sparkml_track.tables._rows.feed import is_fed
from sparkml_track.tables._values import TransactionId

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


@dataclass(frozen=True, slots=True)
class RowChange:
    """Rows to delete or update.

    Attributes:
        path: of the table.
        where: which rows, in SQL; None for all.
        changes: column to expression; None to delete.
        transaction: noted with the commit.
    """

    path: Location
    where: str | None
    changes: Mapping[str, str] | None
    transaction: TransactionId | None

    @property
    def action(self) -> str:
        """The subject of errors."""
        return f"{'deleting from' if self.changes is None else 'updating'} table {self.path.name}"


def compute(spark: SparkSession, found: log.Log, wanted: RowChange) -> Plan | None:
    """Compute the change for a version; None where no row is concerned and no transaction to note."""
    schema = log.schema_of(found)
    types = {field["name"]: field["type"] for field in json.loads(schema)["fields"]}
    asked = ranges(wanted.where, types)
    judge = matcher(asked, types)
    candidates = [e for e in entries(found, wanted.path) if may_match(asked, *_bounds(e))]
    with translated(wanted.action, TableError):
        counts = _matched(with_files(spark, candidates, schema), wanted)
    known = by_name(candidates)
    touched = {known[name]: count for name, count in counts.items()}
    if not touched and wanted.transaction is None:
        return None
    whole = [entry for entry, count in touched.items() if wanted.changes is None and count == entry.rows]
    partly = [entry for entry in touched if entry not in whole]
    fed = is_fed(log.properties_of(found))
    staged = _rewritten(spark, partly, tuple(touched) if fed else (), wanted, found) if partly else None
    if staged is not None:
        _check_count(staged, touched, partly, wanted)
    return Plan(_change(wanted, staged, touched), judge)


def _bounds(entry: Entry) -> tuple[Mapping[str, object], Mapping[str, object]]:
    return {**entry.lowest, **entry.partition}, {**entry.highest, **entry.partition}


def _condition(wanted: RowChange) -> str:
    # A condition that is neither true nor false takes no row.
    return f"coalesce(({wanted.where}), false)" if wanted.where is not None else "true"


def _matched(rows: DataFrame, wanted: RowChange) -> dict[str, int]:
    counts = rows.where(_condition(wanted)).groupBy(FILE).count().collect()
    return {path_of(row[FILE]): row["count"] for row in counts}


def _rewritten(
    spark: SparkSession, partly: Sequence[Entry], told: Sequence[Entry], wanted: RowChange, found: log.Log
) -> Staged:
    """Writes the files that are partly touched anew, and of those in ``told`` what became of their rows."""
    from pyspark.sql import functions as f

    with translated(wanted.action, TableError):
        rows, taken = rows_of(spark, partly, log.schema_of(found)), f.expr(_condition(wanted))
        if wanted.changes is None:
            new = rows.where(~taken)
        else:
            new = rows.select(*_columns(rows, wanted, lambda value, old: f.when(taken, value).otherwise(old)))
        became = _images(rows_of(spark, told, log.schema_of(found)).where(taken), wanted) if told else None
    return staged_rows(wanted.path, new, found, checked=wanted.changes is not None, images=became)


def _images(taken: DataFrame, wanted: RowChange) -> DataFrame:
    from pyspark.sql import functions as f

    before, after = (_columns(taken, wanted, which) for which in (lambda _, old: old, lambda value, _: value))
    return images(taken, before, after, f.lit(wanted.changes is not None))


def _columns(rows: DataFrame, wanted: RowChange, which: Callable[[Column, Column], Column]) -> list[Column]:
    """The table's columns; of one that changes ``which`` of the new value and the old one."""
    from pyspark.sql import functions as f

    changes, found = wanted.changes or {}, []
    for field in rows.schema:
        value = old = f.col(f"`{field.name}`")
        if field.name in changes:
            value = which(f.expr(changes[field.name]).cast(field.dataType), old)
        found.append(value.alias(field.name))
    return found


def _change(wanted: RowChange, staged: Staged | None, touched: Mapping[Entry, int]) -> Change:
    rows = sum(touched.values())
    done = "numDeletedRows" if wanted.changes is None else "numUpdatedRows"
    adds = staged.files if staged else ()
    return Change(
        "DELETE" if wanted.changes is None else "UPDATE",
        {"predicate": json.dumps([wanted.where]) if wanted.where else "[]"},
        adds,
        tuple(touched),
        transaction=wanted.transaction,
        metrics={done: rows, "numAddedFiles": len(adds), "numRemovedFiles": len(touched)},
        feed=staged.feed if staged else (),
    )


def _check_count(staged: Staged, touched: Mapping[Entry, int], partly: Sequence[Entry], wanted: RowChange) -> None:
    """Several jobs asked the condition: all must have had the same answer."""
    before = [entry.rows for entry in partly]
    gone = sum(touched[entry] for entry in partly) if wanted.changes is None else 0
    kept = sum(file.rows for file in staged.files)
    taken = sum(touched.values()) * (1 if wanted.changes is None else 2)
    other = None not in before and kept != sum(rows for rows in before if rows is not None) - gone
    if other or staged.images not in (None, taken):
        staged.discard()
        raise TableError(
            f"{wanted.action}: the condition {wanted.where!r} was true for other rows when it was asked again. Use "
            "one that gives the same answer each time (no rand(), no current time). Nothing was written"
        )
