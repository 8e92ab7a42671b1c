"""Union and window: the way that any cluster can go, with all types.

Rows and features become one stream per key in the order of time, and each row looks back at the last feature row
before it. One shuffle and one sort, however many sides are looked up, linear in the rows of all, where an as-of join by
condition is quadratic inside a key. A feature row travels as one struct, so that a null in it stays the last known
value and is not filled from an older row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkml_track.features.asof.contract import Asof, Side

__all__ = ["by_window", "key_columns"]

_DAY = timedelta(days=1) // timedelta(microseconds=1)


def by_window(rows: DataFrame, sides: Sequence[Side]) -> DataFrame:
    """Add what was known of each side; keys and time of the rows are those of the first."""
    how = sides[0].how
    keys = [f"_key{index}" for index in range(len(how.keys))]
    left = rows.select(
        *key_columns(how.keys, keys),
        F.col(f"`{how.time}`").alias("_time"),
        F.lit(1).alias("_side"),
        F.struct("*").alias("_row"),
    )
    parts = [left, *(_stream(side, number, keys) for number, side in enumerate(sides))]
    joined = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)
    # At the same instant features come first (0), in the order they were created, then the rows (1).
    order = ["_time", "_side", *(f"_created{number}" for number in range(len(sides)))]
    window = Window.partitionBy(*keys).orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    last = [
        F.last(f"_feature{number}", ignorenulls=True).over(window).alias(f"_known{number}")
        for number in range(len(sides))
    ]
    known = joined.select("_time", "_side", "_row", *last).where("_side = 1")
    outputs = [_output(side.how, number, name) for number, side in enumerate(sides) for name in side.how.outputs]
    return known.select("_row.*", *outputs)


def key_columns(columns: Iterable[str], names: Iterable[str]) -> list[Column]:
    """Columns under names of ours: those of a user may be any."""
    return [F.col(f"`{column}`").alias(name) for column, name in zip(columns, names, strict=True)]


def _stream(side: Side, number: int, keys: list[str]) -> DataFrame:
    how = side.how
    values = F.struct(*[F.col(f"`{column}`").alias(name) for name, column in how.outputs.items()])
    feature = F.struct(F.col(f"`{how.feature_time}`").alias("_at"), values.alias("_values"))
    created = F.col(f"`{how.created}`") if how.created else F.lit(0)
    narrow = side.features.select(
        *key_columns(how.keys.values(), keys),
        F.col(f"`{how.feature_time}`").alias("_time"),
        F.lit(0).alias("_side"),
        created.alias(f"_created{number}"),
        feature.alias(f"_feature{number}"),
    )
    # A null equals nothing, though a window would put nulls together.
    return narrow.where(reduce(Column.__and__, [F.col(name).isNotNull() for name in [*keys, "_time"]]))


def _output(how: Asof, number: int, name: str) -> Column:
    value = F.col(f"_known{number}._values.`{name}`")
    if how.lookback is not None:
        age = _micros("_time") - _micros(f"_known{number}._at")
        value = F.when(age <= how.lookback // timedelta(microseconds=1), value)
    return value.alias(name)


def _micros(column: str) -> Column:
    """An instant as microseconds; a date as those of its days, which have 24 hours in no zone."""
    days = F.datediff(F.col(column), F.lit(date(1970, 1, 1))).cast("long") * _DAY
    return F.when(F.typeof(column) == "date", days).otherwise(F.unix_micros(F.col(column).cast("timestamp")))
