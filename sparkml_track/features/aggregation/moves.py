"""When events enter and leave windows: one row for each move, all of a key together and in the order of time.

Whatever the window, an event is in it from one moment to another, and both are known with the event:

    window             enters                                   leaves
    rolling            when it is known                         its time + length + delay
    sliding, tumbling  at the end after its time + delay,       at the end after (its time + length) + delay
                       or when it is known, if that is later
    expanding          when it is known                         never

``known`` is its time + delay, or ``known_time`` where that is later. An event that would leave before it is known never
enters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import Window as Frame
from pyspark.sql import functions as F

from sparkml_track.features.aggregation.spec import FeatureAggregation
from sparkml_track.features.aggregation.windows import ExpandingWindow, RollingWindow, SlidingWindow, TumblingWindow
from sparkml_track.features.aggregation.windows import Window as Span

__all__ = ["ordered_moves"]


def ordered_moves(events: DataFrame, spec: FeatureAggregation, columns: list[str], *, latest: bool) -> DataFrame:
    """All moves, after one shuffle and one sort.

    Args:
        events: as given.
        spec: has been checked.
        columns: of the events, whose values go along.
        latest: whether the order of events is needed.

    Returns:
        Columns ``_key0`` ... and ``_at``, and those that ``worker.Moved`` takes.
    """
    keys = [f"_key{index}" for index in range(len(spec.key_columns))]
    narrow = _narrow(events, spec, columns).repartition(*keys)
    times = ["_happened", "_known"] if latest else []
    along = [*times, *(f"_v{place}" for place in range(len(columns)))]
    moves = F.inline(F.array(*[_struct(move, along) for move in _moves(spec)]))
    # An event that enters no window has an empty set of them.
    moved = narrow.select(*keys, moves).where("_windows != 0")
    in_order = Frame.partitionBy(*keys).orderBy("_micros")
    later = F.lead("_micros").over(in_order)
    return moved.select(
        *keys,
        F.timestamp_micros("_micros").alias("_at"),
        (F.row_number().over(in_order) == 1).alias("_first"),
        (later.isNull() | (later != F.col("_micros"))).alias("_ends"),
        *["_windows", "_enters", *along],
    )


def _narrow(events: DataFrame, spec: FeatureAggregation, columns: list[str]) -> DataFrame:
    types = dict(events.dtypes)
    happened = F.unix_micros(F.col(f"`{spec.time}`"))
    early = happened + _micros(spec.delay)
    needed = [*spec.key_columns, spec.time]
    known = early
    if spec.known_time is not None:
        known = F.greatest(early, F.unix_micros(F.col(f"`{spec.known_time}`")))
        needed.append(spec.known_time)
    present = reduce(Column.__and__, [F.col(f"`{column}`").isNotNull() for column in needed])
    return events.where(present).select(
        *[F.col(f"`{key}`").alias(f"_key{index}") for index, key in enumerate(spec.key_columns)],
        happened.alias("_happened"),
        known.alias("_known"),
        *[_value(column, types[column]).alias(f"_v{place}") for place, column in enumerate(columns)],
    )


def _value(column: str, kind: str) -> Column:
    value = F.col(f"`{column}`")
    if kind == "timestamp":
        # As whole numbers: Python compares times of one zone by the clock, which an hour shows twice.
        return F.unix_micros(value)
    # Adding nothing makes the two zeros one.
    return value + F.lit(0.0).cast(kind) if kind in ("float", "double") else value


@dataclass(frozen=True, slots=True)
class _Move:
    """Moves of an event at one moment.

    Attributes:
        at: the moment, microseconds.
        windows: bits of the windows.
        enters: or leaves.
    """

    at: Column
    windows: Column
    enters: bool


def _moves(spec: FeatureAggregation) -> Iterator[_Move]:
    entries: dict[tuple[int, int] | None, list[tuple[int, Column | None]]] = {}
    for number, window in enumerate(spec.spans):
        entries.setdefault(_ends_of(window), []).append((number, _leaves(window, spec.delay)))
    for ends, windows in entries.items():
        enters = F.col("_known")
        if ends is not None:
            enters = F.greatest(_next(F.col("_happened"), *ends) + _micros(spec.delay), enters)
        bits = [_bit(number, leaves, enters) for number, leaves in windows]
        yield _Move(enters, reduce(Column.bitwiseOR, bits), True)
        for number, leaves in windows:
            if leaves is not None:
                yield _Move(leaves, _bit(number, leaves, enters), False)


def _bit(number: int, leaves: Column | None, enters: Column) -> Column:
    bit = F.lit(1 << number).cast("long")
    return bit if leaves is None else F.when(leaves > enters, bit).otherwise(F.lit(0).cast("long"))


def _struct(move: _Move, along: list[str]) -> Column:
    return F.struct(
        move.at.alias("_micros"),
        move.windows.alias("_windows"),
        F.lit(move.enters).alias("_enters"),
        *[F.col(name) for name in along],
    )


def _ends_of(window: Span) -> tuple[int, int] | None:
    """How far apart the ends of windows are, and the first: microseconds; None where each instant is an end."""
    if isinstance(window, SlidingWindow | TumblingWindow):
        return _whole(window.step), _whole(window.offset)
    return None


def _leaves(window: Span, delay: timedelta) -> Column | None:
    """When an event leaves, None for never."""
    if isinstance(window, ExpandingWindow):
        return None
    past = F.col("_happened") + _micros(window.long)
    if isinstance(window, RollingWindow):
        return past + _micros(delay)
    return _next(past, _whole(window.step), _whole(window.offset)) + _micros(delay)


def _next(moment: Column, step: int, offset: int) -> Column:
    """The first end after a moment."""
    return moment - F.pmod(moment - F.lit(offset), F.lit(step)) + F.lit(step)


def _whole(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _micros(length: timedelta) -> Column:
    return F.lit(_whole(length)).cast("long")
