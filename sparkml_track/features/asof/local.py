"""DuckDB over Parquet files: the way of one machine, whose rows pass Spark once, as the result.

Union and window take rows through a shuffle, a sort and a window of Spark, which costs 8 to 10 times what DuckDB's
as-of join does. Where Spark is this machine and features are whole Parquet files (as a table at a version is), one of
its Python workers runs that join with all cores and hands the result on, in one partition. The rows are files too, or
any data frame, whose rows are then fed to the worker.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.features.asof import query
from sparkml_track.features.asof.contract import Asof, Side
from sparkml_track.features.asof.scans import Scan, scan_of
from sparkml_track.governance.sources.hidden_reads import reading

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

__all__ = ["LEAST", "by_duckdb"]

#: Bytes of feature files below which Spark alone is as quick: a worker starts and loads DuckDB first.
LEAST = 4_000_000
_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})
_TIMES = frozenset({"timestamp", "timestamp_ntz", "date"})
# Floats are left to Spark, which has rules of its own for -0.0 and nan.
_KEYS = _WHOLE | _TIMES | {"string", "binary", "boolean"}
_VALUES = _KEYS | {"float", "double"}


def by_duckdb(rows: DataFrame, sides: Sequence[Side], least: int | None = None) -> DataFrame | None:
    """Add what was known of each side, by DuckDB.

    Args:
        rows: that look up.
        sides: what is looked up.
        least: bytes of feature files from which it is worth it, ``LEAST`` for None.

    Returns:
        None where this way cannot be gone, or is not worth it.
    """
    if not (_is_here(rows) and _carries(rows, sides)):
        return None
    scans = [scan_of(side.features, _kinds(side.features, _used(side.how))) for side in sides]
    found = [scan for scan in scans if scan is not None]
    if len(found) < len(sides) or sum(scan.size for scan in found) < (LEAST if least is None else least):
        return None
    return _run(rows, sides, found, _schema(rows, sides))


def _schema(rows: DataFrame, sides: Sequence[Side]) -> StructType:
    """That of the window's result."""
    from pyspark.sql.types import StructField, StructType

    fields = [StructField(field.name, field.dataType, metadata=field.metadata) for field in rows.schema]
    for side in sides:
        theirs = side.features.schema
        fields += [
            StructField(name, theirs[column].dataType, metadata=theirs[column].metadata)
            for name, column in side.how.outputs.items()
        ]
    return StructType(fields)


def _is_here(rows: DataFrame) -> bool:
    """Whether Spark's workers are processes of this machine that have what this one has."""
    if type(rows).__module__.startswith("pyspark.sql.connect") or rows.isStreaming:
        return False
    master = str(rows.sparkSession.conf.get("spark.master", ""))
    return (
        master.startswith("local")
        and not master.startswith("local-cluster")
        and importlib.util.find_spec("duckdb") is not None
    )


def _carries(rows: DataFrame, sides: Sequence[Side]) -> bool:
    left = dict(rows.dtypes)
    return (
        len(left) == len(rows.columns)
        and all(_is_flat(kind) for kind in left.values())
        and all(_carries_side(left, side) for side in sides)
    )


def _carries_side(left: Mapping[str, str], side: Side) -> bool:
    how, right = side.how, dict(side.features.dtypes)
    if len(right) < len(side.features.columns) or not how.keys:
        return False
    # An age in local time depends on the zone's changes of clock, which Spark knows.
    times = {"timestamp", "date"} if how.lookback is not None else _TIMES | _WHOLE
    return (
        all(left[key] in _KEYS or left[key].startswith("decimal(") for key in how.keys)
        and left[how.time] in times
        and (how.created is None or right[how.created] in _TIMES | _WHOLE)
        and all(_is_flat(right[column]) for column in how.outputs.values())
    )


def _is_flat(kind: str) -> bool:
    return kind in _VALUES or kind.startswith("decimal(")


def _used(how: Asof) -> list[str]:
    created = [how.created] if how.created else []
    return list(dict.fromkeys([*how.keys.values(), how.feature_time, *created, *how.outputs.values()]))


def _kinds(frame: DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Columns to their types in Arrow, instants in UTC as Parquet has them."""
    from pyspark.sql.pandas.types import to_arrow_type

    fields = frame.schema
    return {name: to_arrow_type(fields[name].dataType, timezone="UTC") for name in columns}


def _run(rows: DataFrame, sides: Sequence[Side], scans: Sequence[Scan], schema: StructType) -> DataFrame:
    from pyspark.sql.pandas.types import to_arrow_schema

    scan = scan_of(rows, _kinds(rows, rows.columns))
    session: SparkSession = rows.sparkSession
    # Under other names: a user's may differ in case alone from one of DuckDB's.
    fed = rows.toDF(*[f"c{place}" for place in range(len(rows.columns))]).repartition(1)
    asked = query.Query(
        _sql(rows, sides, scans, scan),
        to_arrow_schema(schema, timezone="UTC"),
        session.sparkContext.defaultParallelism,
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2,
        scan is None,
    )
    read = [each.files for each in (*scans, *([scan] if scan else []))]
    run = reading(asked.__call__, *read, made=_made(rows, sides, scans, scan))
    with sent_by_value(query):
        return (fed if scan is None else session.range(0, 1, 1, 1)).mapInArrow(run, schema)


def _made(
    rows: DataFrame, sides: Sequence[Side], scans: Sequence[Scan], scan: Scan | None
) -> list[list[tuple[int, str]]]:
    """Of each column what it is of: a table and its column, or the place of one that is fed."""
    own = {
        name: (-1, str(place)) if scan is None else (len(scans), scan.columns[name])
        for place, name in enumerate(rows.columns)
    }
    made = [[each] for each in own.values()]
    for place, (side, of) in enumerate(zip(sides, scans, strict=True)):
        how, created = side.how, [side.how.created] if side.how.created else []
        common = [own[name] for name in (*how.keys, how.time)]
        common += [(place, of.columns[name]) for name in (*how.keys.values(), how.feature_time, *created)]
        made += [[*common, (place, of.columns[column])] for column in how.outputs.values()]
    return made


def _sql(rows: DataFrame, sides: Sequence[Side], scans: Sequence[Scan], scan: Scan | None) -> str:
    own = {name: f"c{place}" for place, name in enumerate(rows.columns)}
    source = "fed" if scan is None else f"({_read(scan, own)})"
    picked, joins = [f"r.{name}" for name in own.values()], []
    for number, (side, of) in enumerate(zip(sides, scans, strict=True)):
        theirs = {name: f"f{place}" for place, name in enumerate(of.columns)}
        joins.append(_join(side.how, own, theirs, f"s{number}", _read(of, theirs)))
        picked += [_value(side.how, own, theirs, f"s{number}", column) for column in side.how.outputs.values()]
    columns = ", ".join(f"{value} AS o{place}" for place, value in enumerate(picked))
    return f"SELECT {columns} FROM {source} r {' '.join(joins)}"  # noqa: S608 - all names are ours or quoted


def _join(how: Asof, own: Mapping[str, str], theirs: Mapping[str, str], side: str, read: str) -> str:
    at = theirs[how.feature_time]
    read = f"SELECT * FROM ({read}) WHERE {at} IS NOT NULL"  # noqa: S608 - names of ours
    if how.created:
        keys = ", ".join([*(theirs[key] for key in how.keys.values()), at])
        order = f"row_number() OVER (PARTITION BY {keys} ORDER BY {theirs[how.created]} DESC NULLS LAST)"
        read = f"{read} QUALIFY {order} = 1"
    same = [f"r.{own[one]} = {side}.{theirs[other]}" for one, other in how.keys.items()]
    match = " AND ".join([*same, f"r.{own[how.time]} >= {side}.{at}"])
    return f"ASOF LEFT JOIN ({read}) {side} ON {match}"


def _value(how: Asof, own: Mapping[str, str], theirs: Mapping[str, str], side: str, column: str) -> str:
    # DuckDB 1.5 gives a row without a time the last feature of its key.
    now = f"r.{own[how.time]}"
    fits = f"{now} IS NOT NULL"
    if how.lookback is not None:
        age = f"epoch_us({now}) - epoch_us({side}.{theirs[how.feature_time]})"
        fits = f"{fits} AND {age} <= {how.lookback // timedelta(microseconds=1)}"
    return f"CASE WHEN {fits} THEN {side}.{theirs[column]} END"


def _read(scan: Scan, names: Mapping[str, str]) -> str:
    files = ", ".join("'" + file.replace("'", "''") + "'" for file in scan.files)
    columns = ", ".join(
        f'"{scan.columns[name].replace(chr(34), chr(34) * 2)}" AS {ours}' for name, ours in names.items()
    )
    return f"SELECT {columns} FROM read_parquet([{files}], hive_partitioning = false)"  # noqa: S608 - quoted
