"""Merge as Spark jobs: the rows that come are held, the files they meet are found, those alone are rewritten.

Only names of files, counts and the bounds of keys come to the driver.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError, TableError
from sparkml_track.tables._delta import log
from sparkml_track.tables._delta.actions import Change, Entry, entries
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._delta.rewrite.candidates import FILE, by_name, path_of, rows_of, with_files
from sparkml_track.tables._delta.rewrite.feeding import inserted
from sparkml_track.tables._delta.rewrite.landing import Plan
from sparkml_track.tables._delta.rewrite.matching import HERE, NONE, RULE, changes, inserts, joined, results, ruled
from sparkml_track.tables._delta.rewrite.pruning import Range, matcher, may_match
from sparkml_track.tables._delta.spark import repeated_key
from sparkml_track.tables._delta.staging import Staged, staged_rows
from sparkml_track.tables._rows.expect import duplicate_error
from sparkml_track.tables._rows.feed import is_fed
from sparkml_track.tables._values import MergeRule, TransactionId

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

# Keys of so few rows are sent to each task; more are shuffled.
_BROADCAST = 500_000
# Rows times files that are compared to leave files out.
_COMPARED = 200_000_000
# Rows whose keys are read without a thought.
_FEW = 20_000_000


@dataclass(frozen=True, slots=True)
class Merging:
    """Rows to merge.

    Attributes:
        path: of the table.
        keys: the columns to match.
        rules: what to do with rows.
        transaction: noted with the commit.
        source: the rows that come, held so that each job sees the same; with ``HERE`` true.
        rows: how many.
        bounds: of their keys.
        fingerprint: of their keys, in any order.
    """

    path: Location
    keys: tuple[str, ...]
    rules: tuple[MergeRule, ...]
    transaction: TransactionId | None
    source: DataFrame
    rows: int
    bounds: tuple[Range, ...]
    fingerprint: tuple[int, int]

    @property
    def all_files(self) -> bool:
        """Whether rows change that nothing comes for."""
        return any(rule.when == "not_matched_by_source" for rule in self.rules)


def held(
    path: Location, data: DataFrame, keys: Sequence[str], rules: Sequence[MergeRule], transaction: TransactionId | None
) -> Merging:
    """Compute the rows that come, once, and refuse null and repeated keys.

    Raises:
        DataError: keys that are null, or of two rows.
    """
    from pyspark.sql import functions as f

    name = path.name
    with translated(f"merging into table {name}", TableError):
        # A plan that is asked twice may answer twice: what was computed is kept, and lost rather than made anew.
        source = data.withColumn(HERE, f.lit(True)).localCheckpoint(eager=False)
        facts = _facts(source, keys)
    if nulls := [f"{facts[f'nulls{n}']:,} nulls in {key!r}" for n, key in enumerate(keys) if facts[f"nulls{n}"]]:
        raise DataError(f"table {name}: {'; '.join(nulls)}, which is never null. Nothing was written")
    if (facts["most"] or 0) > 1 and (twice := repeated_key(source, keys)):
        raise duplicate_error(name, keys, twice)
    bounds = tuple(Range(key, facts[f"low{n}"], facts[f"high{n}"]) for n, key in enumerate(keys))
    return Merging(path, tuple(keys), tuple(rules), transaction, source, facts["rows"], bounds, _print_of(facts))


def _facts(source: DataFrame, keys: Sequence[str]) -> dict[str, Any]:
    """How many rows come, how many of one key at most, and nulls and bounds of each key column; in one job."""
    from pyspark.sql import functions as f

    columns = [f.col(f"`{key}`").alias(f"key{n}") for n, key in enumerate(keys)]
    grouped = source.select(*columns).groupBy(*[f"key{n}" for n in range(len(keys))]).count()
    found = grouped.select(
        f.coalesce(f.sum("count"), f.lit(0)).alias("rows"),
        f.max("count").alias("most"),
        *_fingerprint([f"key{n}" for n in range(len(keys))]),
        *[f.sum(f.when(f.col(f"key{n}").isNull(), f.col("count"))).alias(f"nulls{n}") for n in range(len(keys))],
        *[f.min(f"key{n}").alias(f"low{n}") for n in range(len(keys))],
        *[f.max(f"key{n}").alias(f"high{n}") for n in range(len(keys))],
    )
    facts: dict[str, Any] = found.toArrow().to_pylist()[0]
    return facts


def compute(spark: SparkSession, found: log.Log, wanted: Merging) -> Plan | None:
    """Compute the change for a version; None where there is nothing to do and no transaction to note."""
    schema = log.schema_of(found)
    types = {field["name"]: field["type"] for field in json.loads(schema)["fields"]}
    everything = entries(found, wanted.path)
    with translated(f"merging into table {wanted.path.name}", TableError):
        candidates = everything if wanted.all_files else _met(spark, everything, wanted)
        counts, all_matched = _touched(with_files(spark, candidates, schema), wanted) if candidates else ({}, False)
    known = by_name(candidates)
    touched = [known[name] for name, by_rule in counts.items() if any(rule != NONE for rule in by_rule)]
    inserting = any(rule.when == "not_matched" for rule in wanted.rules) and wanted.rows > 0 and not all_matched
    met = candidates if wanted.all_files else [known[name] for name in counts]
    staged = _staged(spark, touched, met if inserting else None, wanted, found)
    if not touched and not (staged and staged.files) and wanted.transaction is None:
        return None
    judge = matcher(() if wanted.all_files else wanted.bounds, types)
    return Plan(_change(wanted, staged, touched, counts), judge)


def _met(spark: SparkSession, everything: Sequence[Entry], wanted: Merging) -> list[Entry]:
    """The files whose bounds hold a key that comes."""
    if not wanted.rows:
        return []
    near = [
        e for e in everything if may_match(wanted.bounds, {**e.lowest, **e.partition}, {**e.highest, **e.partition})
    ]
    key = wanted.keys[0]
    bounded = [(n, e.lowest[key], e.highest[key]) for n, e in enumerate(near) if {key} <= {*e.lowest} & {*e.highest}]
    # Only whole numbers and text are compared: their bounds are exact.
    exact = [row for row in bounded if isinstance(row[1], int | str) and not isinstance(row[1], bool)]
    few = sum(entry.rows or _FEW for entry in near) < _FEW  # reading their keys costs less than leaving some out
    if few or not exact or wanted.rows * len(exact) > _COMPARED:
        return near
    column = wanted.source[f"`{key}`"]
    ranged = spark.createDataFrame(exact, ["file", "low", "high"])
    met = ranged.join(wanted.source, (column >= ranged["low"]) & (column <= ranged["high"]))
    numbers = {row["file"] for row in met.select("file").distinct().collect()}
    judged = {row[0] for row in exact}
    return [entry for number, entry in enumerate(near) if number not in judged or number in numbers]


def _touched(rows: DataFrame, wanted: Merging) -> tuple[dict[str, dict[int, int]], bool]:
    """For each file that holds rows which may change, how many of them each rule takes, or none.

    Also whether each row that comes matched exactly one: the keys that matched are those that came, so none is new.
    """
    from pyspark.sql import functions as f

    how = "left" if wanted.all_files else "inner"
    taken = ruled(joined(rows, _small(wanted), wanted.keys, how), wanted.rules)
    counts: dict[str, dict[int, int]] = {}
    matched, total, mixed = 0, 0, 0
    keys = [f"source.`{key}`" for key in wanted.keys]
    for row in taken.groupBy(FILE, RULE).agg(f.count(f.lit(1)).alias("rows"), *_fingerprint(keys)).collect():
        counts.setdefault(path_of(row[FILE]), {})[row[RULE]] = row["rows"]
        matched, total, mixed = matched + row["rows"], total + (row["total"] or 0), mixed ^ (row["mixed"] or 0)
    return counts, (matched, total, mixed) == (wanted.rows, *wanted.fingerprint)


def _fingerprint(keys: Sequence[str]) -> list[Column]:
    """Numbers by which two sets of keys are known to be the same: a sum and an exclusive or of their hashes."""
    from pyspark.sql import functions as f

    hashed = f.xxhash64(*[f.col(key) for key in keys])
    return [f.sum(hashed.bitwiseAND(f.lit(0xFFFFFFFF))).alias("total"), f.bit_xor(hashed).alias("mixed")]


def _print_of(facts: Mapping[str, Any]) -> tuple[int, int]:
    return facts["total"] or 0, facts["mixed"] or 0


def _small(wanted: Merging) -> DataFrame:
    """The columns that conditions may ask for, sent to each task where they are few."""
    from pyspark.sql import functions as f

    asked = any(rule.condition is not None for rule in wanted.rules)
    rows = wanted.source if asked else wanted.source.select(*[f"`{key}`" for key in wanted.keys], HERE)
    return f.broadcast(rows) if wanted.rows <= _BROADCAST else rows


def _staged(
    spark: SparkSession, touched: Sequence[Entry], met: Sequence[Entry] | None, wanted: Merging, found: log.Log
) -> Staged | None:
    """Write the rows of the touched files as they will be, and those that come new.

    Args:
        spark: the session.
        touched: files to rewrite.
        met: files in which rows match, whether a rule takes them or not; None where nothing is inserted.
        wanted: what to merge.
        found: the version.
    """
    from pyspark.sql import functions as f

    schema = log.schema_of(found)
    if not touched and met is None:
        return None
    with translated(f"merging into table {wanted.path.name}", TableError):
        fields = rows_of(spark, (), schema).schema
        source = f.broadcast(wanted.source) if wanted.rows <= _BROADCAST else wanted.source
        fed = bool(touched) and is_fed(log.properties_of(found))
        parts: list[DataFrame] = []
        became: list[DataFrame] = []
        if touched:
            changed = ruled(joined(rows_of(spark, touched, schema), source, wanted.keys, "left"), wanted.rules)
            parts.append(results(changed, wanted.rules, fields))
            if fed:
                became.append(changes(changed, wanted.rules, fields))
        if met is not None:
            keys = [f"`{key}`" for key in wanted.keys]
            # First the few keys of the table that match, which are cheap to send; then the rows that lack one.
            there = joined(rows_of(spark, met, schema).select(*keys), source.select(*keys), wanted.keys, "left_semi")
            fresh = joined(wanted.source, there, wanted.keys, "left_anti") if met else wanted.source
            parts.append(inserts(fresh, wanted.rules, fields))
            if fed:
                became.append(inserted(parts[-1]))
    return staged_rows(wanted.path, _union(parts), found, images=_union(became) if fed else None)


def _union(parts: Sequence[DataFrame]) -> DataFrame:
    return reduce(lambda one, other: one.unionAll(other), parts)


def _images_of(metrics: Mapping[str, int]) -> int:
    """Rows of change files: an updated row is there twice."""
    updated = metrics["numTargetRowsUpdated"]
    return 2 * updated + metrics["numTargetRowsDeleted"] + metrics["numTargetRowsInserted"]


def _change(
    wanted: Merging, staged: Staged | None, touched: Sequence[Entry], counts: Mapping[str, Mapping[int, int]]
) -> Change:
    total = {index: sum(each.get(index, 0) for each in counts.values()) for index in range(len(wanted.rules))}
    by_kind = {
        kind: sum(total[index] for index, rule in enumerate(wanted.rules) if rule.then == kind)
        for kind in ("update", "delete")
    }
    before, adds, feed = [entry.rows for entry in touched], *((staged.files, staged.feed) if staged else ((), ()))
    metrics = {"numTargetRowsUpdated": by_kind["update"], "numTargetRowsDeleted": by_kind["delete"]}
    if None not in before:
        kept = sum(rows for rows in before if rows is not None) - by_kind["delete"]
        metrics["numTargetRowsInserted"] = sum(file.rows for file in adds) - kept
        if staged and staged.images is not None and staged.images != _images_of(metrics):
            staged.discard()
            raise TableError(
                f"merging into table {wanted.path.name}: a condition of a rule was true for other rows when it was "
                "asked again. Use conditions that give the same answer each time (no rand(), no current time). "
                "Nothing was written"
            )
    metrics |= {"numTargetFilesAdded": len(adds), "numTargetFilesRemoved": len(touched)}
    on = " AND ".join(f"target.`{key}` = source.`{key}`" for key in wanted.keys)
    parameters = {
        "predicate": json.dumps([on]),
        "rules": json.dumps([rule.when + " " + rule.then for rule in wanted.rules]),
    }
    return Change("MERGE", parameters, adds, touched, transaction=wanted.transaction, metrics=metrics, feed=feed)
