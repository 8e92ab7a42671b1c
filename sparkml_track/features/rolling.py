"""Rolling windows over events, as a feature table: one row for each moment at which a value changes.

An event enters a window when it becomes known and leaves it when it is older than the window. Both moments are known in
advance, so counts and sums are running totals over entries (+) and exits (-): one shuffle and one sort for each table,
linear in the events however long the windows are, where a sliding frame adds up every window anew. A point-in-time
lookup in the result gives the value of the window that ends at any instant, exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkml_track.errors import DataError

__all__ = ["Rolling", "parse_window", "rolling"]

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_NUMERIC = ("boolean", "tinyint", "smallint", "int", "bigint", "float", "double")


@dataclass(frozen=True, slots=True)
class Rolling:
    """What to aggregate over which windows.

    Attributes:
        keys: columns of the events that the windows are kept apart by.
        known_time: timestamp column: when an event, and all values read here, became known. Null means never.
        windows: lengths like "7d", "12h", "30m". A window of length w that ends at t holds what became known in
            (t - w, t]; t itself counts.
        count: name of the number of events; None leaves it out. Outputs are named "<name>_<window>".
        means: name to boolean or numeric column; the mean leaves nulls out and is null where nothing remains.
        timestamp: name of the result's timestamp column.
    """

    keys: tuple[str, ...]
    known_time: str
    windows: tuple[str, ...]
    count: str | None = None
    means: Mapping[str, str] = field(default_factory=dict)
    timestamp: str = "known_at"


def parse_window(text: str) -> timedelta:
    """Read a length like "7d", "12h", "30m" or "45s".

    Raises:
        DataError: it is not one.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([dhms])", text)
    if found is None:
        raise DataError(f"{text!r} is no window: give a whole number and d, h, m or s, like 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def rolling(events: DataFrame, spec: Rolling) -> DataFrame:
    """Aggregate events over windows.

    Args:
        events: one row for each. Those with a null key or a null ``known_time`` are left out.
        spec: see ``Rolling``.

    Returns:
        Columns: the keys, the timestamp, and for each window the count (long) and the means (double). One row for each
        moment at which a window of these keys changes, unique by keys and timestamp. The last row of each key is the
        exit of its last event. Sums of float columns carry rounding from row to row; whole numbers and booleans do not.

    Raises:
        DataError: columns that are missing or no numbers, a window that is none.
    """
    _check(events, spec)
    return _outputs(_running(_changes(events, spec), spec), spec)


def _check(events: DataFrame, spec: Rolling) -> None:
    types = dict(events.dtypes)
    asked = [*spec.keys, spec.known_time, *spec.means.values()]
    problems = [f"the events have no column {column!r}" for column in dict.fromkeys(asked) if column not in types]
    if types.get(spec.known_time, "timestamp") != "timestamp":
        problems.append(f"{spec.known_time!r} is {types[spec.known_time]}, not a timestamp")
    for column in spec.means.values():
        if column in types and types[column] not in _NUMERIC:
            problems.append(f"{column!r} is {types[column]}: only booleans and numbers have a mean")
    if not spec.keys or not spec.windows or not (spec.count or spec.means):
        problems.append("at least one key, one window and one count or mean are needed")
    if problems:
        raise DataError("; ".join(problems) + f". The events have {', '.join(types)}")


def _measures(spec: Rolling) -> dict[str, Column]:
    """What is added up: one, and for each mean the value and whether there is one."""
    measures = {"_n": F.lit(1)}
    for column in dict.fromkeys(spec.means.values()):
        value = F.col(f"`{column}`")
        measures[f"_sum_{column}"] = value
        measures[f"_n_{column}"] = value.isNotNull()
    return measures


def _changes(events: DataFrame, spec: Rolling) -> DataFrame:
    """One entry and an exit for each window, still unordered; where an event changes nothing there is a zero."""
    types, known = dict(events.dtypes), F.col(f"`{spec.known_time}`")
    present = reduce(Column.__and__, [F.col(f"`{key}`").isNotNull() for key in spec.keys], known.isNotNull())
    keys = [F.col(f"`{key}`").alias(f"_key{index}") for index, key in enumerate(spec.keys)]
    values = []
    for name, value in _measures(spec).items():
        real = types.get(name.removeprefix("_sum_")) in ("float", "double") and name.startswith("_sum_")
        values.append(F.coalesce(value.cast("double" if real else "long"), F.lit(0)).alias(name))
    # Shuffled while still narrow; all that follows happens inside a key.
    narrow = events.where(present).select(*keys, known.alias("_known"), *values).repartition(*_key_names(spec))
    names = list(_measures(spec))
    entry = _change(F.col("_known"), dict.fromkeys(spec.windows, 1), spec, names)
    exits = [
        _change(
            F.col("_known") + F.expr(f"interval {int(parse_window(w).total_seconds())} seconds"), {w: -1}, spec, names
        )
        for w in spec.windows
    ]
    return narrow.select(*_key_names(spec), F.inline(F.array(entry, *exits)))


def _change(at: Column, signs: Mapping[str, int], spec: Rolling, names: list[str]) -> Column:
    parts = [(F.col(n) * signs.get(w, 0)).alias(f"{n}_{w}") for w in spec.windows for n in names]
    return F.struct(at.alias("_at"), *parts)


def _running(changes: DataFrame, spec: Rolling) -> DataFrame:
    keys = _key_names(spec)
    totals = [f"{n}_{w}" for w in spec.windows for n in _measures(spec)]
    summed = changes.groupBy(*keys, "_at").agg(*[F.sum(f"`{total}`").alias(total) for total in totals])
    so_far = Window.partitionBy(*keys).orderBy("_at").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return summed.select(*keys, "_at", *[F.sum(f"`{total}`").over(so_far).alias(total) for total in totals])


def _outputs(running: DataFrame, spec: Rolling) -> DataFrame:
    columns = [F.col(f"_key{index}").alias(key) for index, key in enumerate(spec.keys)]
    columns.append(F.col("_at").alias(spec.timestamp))
    for w in spec.windows:
        if spec.count:
            columns.append(F.col(f"_n_{w}").alias(f"{spec.count}_{w}"))
        for name, column in spec.means.items():
            total, number = F.col(f"`_sum_{column}_{w}`"), F.col(f"`_n_{column}_{w}`")
            columns.append(F.when(number > 0, total / number).alias(f"{name}_{w}"))
    return running.select(*columns)


def _key_names(spec: Rolling) -> list[str]:
    return [f"_key{index}" for index in range(len(spec.keys))]
