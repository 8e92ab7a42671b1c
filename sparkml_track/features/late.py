"""Look-ups in tables whose rows may come late: a row counts from when it came, not from the time it is about.

Of the rows of a key that had come, the one with the latest timestamp holds, of two with one timestamp the one that came
later. So a row that came after a row with a later timestamp never holds, and each other row holds from when it came
until the next of them comes. What is left is the history of what was known, in which an ordinary look-up by the time of
coming finds the same row.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkml_track.errors import DataError
from sparkml_track.features.asof import Asof, check_join, point_in_time

__all__ = ["point_in_time_known"]


def point_in_time_known(rows: DataFrame, features: DataFrame, how: Asof, came: str) -> DataFrame:
    """Add the feature values that had come by each row's time.

    Args:
        rows: any; a null key or time finds nothing.
        features: unique by keys, timestamp and ``created``.
        how: as for ``point_in_time``; ``lookback`` is counted from the feature's timestamp.
        came: timestamp column of the features: when a row came. Null means never. A row that came before the time it is
            about counts from that time.

    Returns:
        As ``point_in_time``.

    Raises:
        DataError: columns that are missing, clash or differ in type; ``came`` is not of the timestamp's type.
    """
    types = dict(features.dtypes)
    if came not in types or types[came] != types.get(how.feature_time):
        has = f"it is {types[came]}" if came in types else f"there is no such column; there are {', '.join(types)}"
        raise DataError(
            f"known_key {came!r} must be a {types.get(how.feature_time)} as {how.feature_time!r} is, which says when a "
            f"row came: {has}"
        )
    check_join(rows, features, how.keys, how.outputs, {how.time: how.feature_time})
    values = {f"_value{place}": column for place, column in enumerate(how.outputs.values())}
    history = _history(features, how, came, values)
    names = {f"_out{place}": name for place, name in enumerate(how.outputs)}
    # Columns of the user stand in a struct, so that no name of theirs can be one of ours.
    packed = rows.select(
        F.struct("*").alias("_row"),
        F.col(f"`{how.time}`").alias("_asked"),
        *[F.col(f"`{key}`").alias(f"_by{place}") for place, key in enumerate(how.keys)],
    )
    joined = point_in_time(
        packed,
        history,
        replace(
            how,
            keys={f"_by{place}": f"_key{place}" for place in range(len(how.keys))},
            outputs={**dict(zip(names, values, strict=True)), "_about": "_about"},
            time="_asked",
            feature_time="_came",
            created=None,
            lookback=None,
        ),
    )
    # Instants differ in elapsed time, dates in days, whatever the session's zone.
    age = F.unix_micros("_asked") - F.unix_micros("_about") if types[came] == "timestamp" else _days()
    return joined.select("_row.*", *[_young(how.lookback, age, out).alias(name) for out, name in names.items()])


def _history(features: DataFrame, how: Asof, came: str, values: dict[str, str]) -> DataFrame:
    """Rows that were the latest when they came; unique by keys and time of coming."""
    keys = [f"_key{place}" for place in range(len(how.keys))]
    about = F.col(f"`{how.feature_time}`")
    created = F.col(f"`{how.created}`") if how.created else F.lit(0)
    narrow = features.where(F.col(f"`{came}`").isNotNull()).select(
        *[F.col(f"`{column}`").alias(key) for column, key in zip(how.keys.values(), keys, strict=True)],
        about.alias("_about"),
        F.greatest(about, F.col(f"`{came}`")).alias("_came"),
        F.struct(about.alias("a"), F.greatest(about, F.col(f"`{came}`")).alias("b"), created.alias("c")).alias("_rank"),
        *[F.col(f"`{column}`").alias(name) for name, column in values.items()],
    )
    in_order = Window.partitionBy(*keys).orderBy("_came", "_rank")
    before = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    ranked = narrow.withColumn("_best", F.max("_rank").over(before)).withColumn("_next", F.lead("_came").over(in_order))
    # Of several that came at once only the last one tells: it is the best of them, or none of them is.
    last = F.col("_next").isNull() | (F.col("_next") != F.col("_came"))
    return ranked.where(last & (F.col("_best") == F.col("_rank"))).select(*keys, "_came", "_about", *values)


def _young(lookback: timedelta | None, age: Column, out: str) -> Column:
    if lookback is None:
        return F.col(out)
    return F.when(age <= lookback // timedelta(microseconds=1), F.col(out))


def _days() -> Column:
    return F.datediff("_asked", "_about").cast("long") * F.lit(timedelta(days=1) // timedelta(microseconds=1))
