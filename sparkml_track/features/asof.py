"""The point-in-time join: for each row, the feature values as they were known at its time.

Union and window, not a join: both sides become one stream per key in the order of time, and each row looks back at the
last feature row before it. One shuffle and one sort, linear in the rows of both sides, where an as-of join by condition
is quadratic inside a key. The feature row travels as one struct, so that a null in it stays the last known value and is
not filled from an older row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkml_track.errors import DataError

__all__ = ["Asof", "latest_join", "point_in_time"]

_DAY = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Asof:
    """How rows find their feature row.

    Attributes:
        keys: column of the rows to key column of the features, same types.
        outputs: name in the result to column of the features.
        time: column of the rows: only what was known then counts. Exactly then counts as known.
        feature_time: timestamp column of the features.
        created: column of the features that orders rows of the same key and timestamp; the later one holds.
        lookback: features older than this are as if they were not there; None for any age.
    """

    keys: Mapping[str, str]
    outputs: Mapping[str, str]
    time: str
    feature_time: str
    created: str | None = None
    lookback: timedelta | None = None


def point_in_time(rows: DataFrame, features: DataFrame, how: Asof) -> DataFrame:
    """Add the feature values known at each row's time.

    Args:
        rows: any; a null key or time finds nothing.
        features: unique by keys, timestamp and ``created``; none of them null.
        how: see ``Asof``.

    Returns:
        Every row once, with its columns and the outputs; null where nothing was known.

    Raises:
        DataError: columns that are missing, clash or differ in type.
    """
    check_join(rows, features, how.keys, how.outputs, {how.time: how.feature_time})
    keys = [f"_key{index}" for index in range(len(how.keys))]
    # At the same instant features come first (0), in the order they were created, then the rows (1).
    order = [F.col("_time"), F.col("_side"), F.col("_created")]
    window = Window.partitionBy(*keys).orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    joined = _stream(rows, features, how, keys).withColumn("_known", F.last("_feature", ignorenulls=True).over(window))
    known = joined.where("_side = 1")
    return known.select("_row.*", *[_output(how, name) for name in how.outputs])


def latest_join(rows: DataFrame, features: DataFrame, keys: Mapping[str, str], outputs: Mapping[str, str]) -> DataFrame:
    """Add the values of features that have no timestamp.

    Args:
        rows: any; a null key finds nothing.
        features: unique by keys.
        keys: column of the rows to key column of the features.
        outputs: name in the result to column of the features.

    Returns:
        Every row once, with its columns and the outputs.

    Raises:
        DataError: columns that are missing, clash or differ in type.
    """
    check_join(rows, features, keys, outputs, {})
    # Columns of the user stand in structs, so that no name of theirs can be one of ours.
    values = F.struct(*[F.col(f"`{column}`").alias(name) for name, column in outputs.items()])
    names = [f"_key{index}" for index in range(len(keys))]
    right = features.select(*_keys(keys.values(), names), values.alias("_feature")).alias("right")
    left = rows.select(*_keys(keys, names), F.struct("*").alias("_row")).alias("left")
    match = [F.col(f"left.{name}") == F.col(f"right.{name}") for name in names]
    return left.join(right, match, "left").select("_row.*", *[F.col(f"_feature.`{name}`") for name in outputs])


def check_join(
    rows: DataFrame, features: DataFrame, keys: Mapping[str, str], outputs: Mapping[str, str], times: Mapping[str, str]
) -> None:
    """Refuse a join whose columns do not fit.

    Raises:
        DataError: all problems at once.
    """
    left, right = dict(rows.dtypes), dict(features.dtypes)
    pairs = {**keys, **times}
    problems = [f"the rows have no column {column!r}" for column in pairs if column not in left]
    asked = dict.fromkeys([*pairs.values(), *outputs.values()])
    problems += [f"the features have no column {column!r}" for column in asked if column not in right]
    problems += [
        f"{one!r} is {left[one]} and {other!r} is {right[other]}: make them the same"
        for one, other in pairs.items()
        if one in left and other in right and left[one] != right[other]
    ]
    problems += _clashes(left, outputs)
    if problems:
        raise DataError("; ".join(problems) + f". The rows have {', '.join(left)}; the features {', '.join(right)}")


def _clashes(left: Iterable[str], outputs: Iterable[str]) -> Iterator[str]:
    """Names that a result would have twice; case does not count, for Spark as for tables."""
    taken = {name.lower(): name for name in left}
    for name in outputs:
        if name.lower() in taken:
            yield f"the rows have a column {taken[name.lower()]!r} already: rename the output {name!r}"
        taken[name.lower()] = name


def _stream(rows: DataFrame, features: DataFrame, how: Asof, keys: list[str]) -> DataFrame:
    values = F.struct(*[F.col(f"`{column}`").alias(name) for name, column in how.outputs.items()])
    feature = F.struct(F.col(f"`{how.feature_time}`").alias("_at"), values.alias("_values"))
    created = F.col(f"`{how.created}`") if how.created else F.lit(0)
    right = features.select(
        *_keys(how.keys.values(), keys),
        F.col(f"`{how.feature_time}`").alias("_time"),
        F.lit(0).alias("_side"),
        created.alias("_created"),
        feature.alias("_feature"),
    )
    left = rows.select(
        *_keys(how.keys, keys),
        F.col(f"`{how.time}`").alias("_time"),
        F.lit(1).alias("_side"),
        F.struct("*").alias("_row"),
    )
    return left.unionByName(right, allowMissingColumns=True)


def _keys(columns: Iterable[str], names: list[str]) -> list[Column]:
    return [F.col(f"`{column}`").alias(name) for column, name in zip(columns, names, strict=True)]


def _output(how: Asof, name: str) -> Column:
    value = F.col(f"_known._values.`{name}`")
    if how.lookback is not None:
        age = _micros("_time") - _micros("_known._at")
        value = F.when(age <= how.lookback // timedelta(microseconds=1), value)
    return value.alias(name)


def _micros(column: str) -> Column:
    """An instant as microseconds; a date as those of its days, which have 24 hours in no zone."""
    days = F.datediff(F.col(column), F.lit(date(1970, 1, 1))).cast("long") * _DAY
    return F.when(F.typeof(column) == "date", days).otherwise(F.unix_micros(F.col(column).cast("timestamp")))
