"""Rolling windows over events, as a feature table: one row for each moment at which a value changes.

An event enters a window when it becomes known and leaves it when it is older than the window. Both moments are known in
advance, so counts and sums are running totals over entries (+) and exits (-): one shuffle and one sort for each table,
linear in the events however long the windows are, where a sliding frame adds up every window anew. A point-in-time
lookup in the result gives the value of the window that ends at any instant, exactly: running totals of floats are kept
as whole numbers (``exact``), so nothing is left of a value that has gone. Lengths are elapsed time, whatever the
session's time zone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.errors import DataError
from sparkml_track.features import exact

__all__ = ["Rolling", "parse_window", "rolling"]

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
# Running totals of these fit a long however many events there are; others are added up by ``exact``.
_SMALL = ("boolean", "tinyint", "smallint", "int")
_EXACT = ("bigint", "float", "double")


@dataclass(frozen=True, slots=True)
class Rolling:
    """What to aggregate over which windows.

    Attributes:
        keys: columns of the events that the windows are kept apart by.
        known_time: timestamp column: when an event, and all values read here, became known. Null means never.
        windows: lengths like "7d", "12h", "30m". A window of length w that ends at t holds what became known in
            (t - w, t]; t itself counts.
        count: name of the number of events; None leaves it out. Outputs are named "<name>_<window>".
        means: name to boolean or numeric column; the mean leaves nulls out and is null where nothing remains. It is
            exact but for one rounding; nan and infinities count only while they are in the window. A decimal is taken
            as the nearest double.
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
        raise DataError(f"{text!r} is not a window: give a whole number and d, h, m or s, like 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def rolling(events: DataFrame, spec: Rolling) -> DataFrame:
    """Aggregate events over windows.

    Args:
        events: one row for each. Those with a null key or a null ``known_time`` are left out.
        spec: see ``Rolling``.

    Returns:
        Columns: the keys, the timestamp, and for each window the count (long) and the means (double). One row for each
        moment at which a window of these keys changes, unique by keys and timestamp. The last row of each key is the
        exit of its last event.

    Raises:
        DataError: columns that are missing, clash or are not numeric, text that is not a window.
    """
    _check(events, spec)
    plan = _plan(events, spec)
    return _outputs(_running(_changes(events, plan), plan), plan)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A spec with the columns that are added up, which have names of their own here: a user's may be any.

    Attributes:
        spec: as given.
        small: columns whose totals are longs.
        exact: the others.
    """

    spec: Rolling
    small: tuple[str, ...]
    exact: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        return [f"_key{index}" for index in range(len(self.spec.keys))]

    @property
    def counters(self) -> list[str]:
        """What is counted and summed for each window, in longs: events, and values and their sum."""
        return ["n", *(f"{kind}{index}" for index in range(len(self.small)) for kind in ("n", "s"))]

    @property
    def totals(self) -> list[str]:
        return [f"_{name}_{w}" for w in range(len(self.spec.windows)) for name in self.counters]


def _plan(events: DataFrame, spec: Rolling) -> _Plan:
    types, columns = dict(events.dtypes), tuple(dict.fromkeys(spec.means.values()))
    small = tuple(column for column in columns if types[column] in _SMALL)
    return _Plan(spec, small, tuple(column for column in columns if column not in small))


def _check(events: DataFrame, spec: Rolling) -> None:
    types = dict(events.dtypes)
    asked = [*spec.keys, spec.known_time, *spec.means.values()]
    problems = [f"the events have no column {column!r}" for column in dict.fromkeys(asked) if column not in types]
    if types.get(spec.known_time, "timestamp") != "timestamp":
        problems.append(f"{spec.known_time!r} is {types[spec.known_time]}, not a timestamp")
    for column in spec.means.values():
        kind = types.get(column, "int")
        if kind not in (*_SMALL, *_EXACT) and not kind.startswith("decimal("):
            problems.append(f"{column!r} is {kind}: only booleans and numbers have a mean")
    if not spec.keys or not spec.windows or not (spec.count or spec.means):
        problems.append("at least one key, one window and one count or mean are needed")
    names = [name.lower() for name in (*spec.keys, spec.timestamp, *_names(spec))]
    problems += [f"the result has two columns {name!r}" for name, times in Counter(names).items() if times > 1]
    if problems:
        raise DataError("; ".join(problems) + f". The events have {', '.join(types)}")
    for window in spec.windows:
        parse_window(window)


def _names(spec: Rolling) -> list[str]:
    """The names of the counts and means."""
    measures = [*([spec.count] if spec.count else []), *spec.means]
    return [f"{name}_{window}" for window in spec.windows for name in measures]


def _changes(events: DataFrame, plan: _Plan) -> DataFrame:
    """One entry and an exit for each window, still unordered; where an event changes nothing there is a zero."""
    spec, types = plan.spec, dict(events.dtypes)
    known = F.col(f"`{spec.known_time}`")
    present = reduce(Column.__and__, [F.col(f"`{key}`").isNotNull() for key in spec.keys], known.isNotNull())
    columns = [F.col(f"`{key}`").alias(name) for key, name in zip(spec.keys, plan.keys, strict=True)]
    for index, column in enumerate(plan.small):
        value = F.col(f"`{column}`")
        columns.append(value.isNotNull().cast("long").alias(f"_n{index}"))
        columns.append(F.coalesce(value.cast("long"), F.lit(0)).alias(f"_s{index}"))
    for index, column in enumerate(plan.exact):
        kind = "long" if types[column] == "bigint" else "double"
        columns.append(F.col(f"`{column}`").cast(kind).alias(f"_v{index}"))
    # Shuffled while still narrow; all that follows happens inside a key.
    narrow = events.where(present).select(*columns, known.alias("_known"), F.lit(1).alias("_n"))
    return narrow.repartition(*plan.keys).select(*plan.keys, F.inline(F.array(*_moves(plan))))


def _moves(plan: _Plan) -> list[Column]:
    """An entry into all windows, and an exit from each."""
    windows = range(len(plan.spec.windows))
    moves = [_move(plan, F.col("_known"), dict.fromkeys(windows, 1), -1)]
    for w, text in enumerate(plan.spec.windows):
        # Not an interval: Spark adds its days by the calendar of the session's zone.
        micros = parse_window(text) // timedelta(microseconds=1)
        moves.append(_move(plan, F.timestamp_micros(F.unix_micros("_known") + F.lit(micros)), {w: -1}, w))
    return moves


def _move(plan: _Plan, at: Column, signs: Mapping[int, int], window: int) -> Column:
    parts = [
        (F.col(f"_{name}") * signs.get(w, 0)).cast("long").alias(f"_{name}_{w}")
        for w in range(len(plan.spec.windows))
        for name in plan.counters
    ]
    values = [F.col(f"_v{index}") for index in range(len(plan.exact))]
    move = [F.struct(F.lit(window).alias("_w"), *values).alias("_move")] if values else []
    return F.struct(at.alias("_at"), *parts, *move)


def _running(changes: DataFrame, plan: _Plan) -> DataFrame:
    moves = [F.collect_list("_move").alias("_moves")] if plan.exact else []
    summed = changes.groupBy(*plan.keys, "_at").agg(*[F.sum(total).alias(total) for total in plan.totals], *moves)
    in_order = Window.partitionBy(*plan.keys).orderBy("_at")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    totals = [F.sum(total).over(so_far).alias(total) for total in plan.totals]
    if not plan.exact:
        return summed.select(*plan.keys, "_at", *totals)
    first = (F.row_number().over(in_order) == 1).alias("_first")
    ordered = summed.select(*plan.keys, "_at", *totals, first, "_moves").sortWithinPartitions(*plan.keys, "_at")
    kept = ordered.drop("_first", "_moves").schema
    means = exact.ExactMeans(len(plan.exact), len(plan.spec.windows))
    for name in means.names:
        kept = kept.add(name, "double")
    with sent_by_value(exact):
        return ordered.mapInArrow(means.__call__, kept)


def _outputs(running: DataFrame, plan: _Plan) -> DataFrame:
    spec = plan.spec
    columns = [F.col(name).alias(key) for key, name in zip(spec.keys, plan.keys, strict=True)]
    columns.append(F.col("_at").alias(spec.timestamp))
    for w, window in enumerate(spec.windows):
        if spec.count:
            columns.append(F.col(f"_n_{w}").alias(f"{spec.count}_{window}"))
        columns += [_mean(plan, column, w).alias(f"{name}_{window}") for name, column in spec.means.items()]
    return running.select(*columns)


def _mean(plan: _Plan, column: str, window: int) -> Column:
    if column in plan.exact:
        return F.col(f"_x{plan.exact.index(column)}_{window}")
    index = plan.small.index(column)
    number = F.col(f"_n{index}_{window}")
    return F.when(number > 0, F.col(f"_s{index}_{window}") / number)
