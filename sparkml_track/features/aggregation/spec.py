"""What is aggregated over which windows, and whether the events have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias, get_args

from sparkml_track.errors import DataError
from sparkml_track.features.aggregation.windows import Window, read_window

__all__ = ["Aggregate", "FeatureAggregation", "Kind", "check", "result_type"]

Kind: TypeAlias = Literal["count", "sum", "mean", "std", "min", "max", "last", "distinct", "quantile"]

_WHOLE = ("boolean", "tinyint", "smallint", "int", "bigint")
_FLOATING = ("float", "double")
_ORDERED = ("string", "date", "timestamp", "timestamp_ntz", "binary")
_OF_NUMBERS = ("sum", "mean", "std", "quantile")
#: Windows are the bits of a long.
_MOST_WINDOWS = 60


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is made of the values in a window. Nulls are left out, as everywhere in SQL.

    ========  =================================  ====================================================
    kind      of columns                         gives
    ========  =================================  ====================================================
    count     any, or none for events            long; 0 where there is nothing
    sum       numbers and booleans               long, double, or a decimal of ten digits more; exact
    mean      numbers and booleans               double; exact but for one rounding
    std       numbers and booleans               double, of a sample: null for less than two values
    quantile  numbers and booleans               double, between the two nearest values as numpy does
    min, max  numbers, text, bytes, times        the column's type; nan is above all numbers
    last      numbers, text, bytes, times        the column's type: the value of the latest event, of
                                                 two at one time the one known later, then the greater
    distinct  numbers, text, bytes, times        long: how many different values
    ========  =================================  ====================================================

    All but counts are null where a window has no value.

    Attributes:
        kind: see above.
        column: of the events; None to count events.
        quantile: from 0 to 1, for the kind "quantile".
    """

    kind: Kind
    column: str | None = None
    quantile: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureAggregation:
    """What to aggregate of events, over which windows, and when an event is known.

    An event counts from the moment it is known: ``delay`` after it happened, or at ``known_time`` where that is later.
    A delay moves all windows back, so that they stay as long as they are: with a delay of an hour a rolling window of a
    day holds what happened from 25 hours to one hour ago. An event that is known later than that leaves when it would
    have left.

    Attributes:
        keys: columns of the events that the windows are kept apart by; a text is one column.
        time: timestamp column: when an event happened.
        features: name to what is made; a column of the result is called "<name>_<window>".
        windows: see ``windows``; a text like "7d" is the length of a rolling one.
        delay: how long after it happened an event is known at the earliest.
        known_time: timestamp column: when a row came; null means never. None where ``delay`` says it all.
        timestamp: name of the result's timestamp column.
    """

    keys: str | tuple[str, ...]
    time: str
    features: Mapping[str, Aggregate]
    windows: tuple[Window | str, ...]
    delay: timedelta = timedelta()
    known_time: str | None = None
    timestamp: str = "known_at"

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The keys as a tuple."""
        return (self.keys,) if isinstance(self.keys, str) else tuple(self.keys)

    @property
    def spans(self) -> tuple[Window, ...]:
        """The windows, read.

        Raises:
            DataError: a text that is not a length.
        """
        return tuple(read_window(window) for window in self.windows)

    @property
    def outputs(self) -> dict[str, tuple[int, Aggregate]]:
        """Column of the result to the number of its window and what it is."""
        return {
            f"{name}_{window.label}": (number, aggregate)
            for number, window in enumerate(self.spans)
            for name, aggregate in self.features.items()
        }


def result_type(aggregate: Aggregate, kind: str) -> str:
    """The type that an aggregate gives, as Spark names it.

    Args:
        aggregate: see ``Aggregate``.
        kind: type of its column.
    """
    if aggregate.kind in ("count", "distinct"):
        return "bigint"
    if aggregate.kind in ("min", "max", "last"):
        return kind
    if aggregate.kind == "sum" and kind.startswith("decimal("):
        digits, _, scale = kind[len("decimal(") : -1].partition(",")
        return f"decimal({min(38, int(digits) + 10)},{scale})"
    return "bigint" if aggregate.kind == "sum" and kind in _WHOLE else "double"


def check(types: Mapping[str, str], spec: FeatureAggregation) -> None:
    """Refuse what cannot be aggregated.

    Args:
        types: of the events: column to type.
        spec: see ``FeatureAggregation``.

    Raises:
        DataError: all problems at once.
    """
    problems = [*_times(types, spec), *_shape(spec)]
    for name, aggregate in spec.features.items():
        problems += _aggregate(types, name, aggregate)
    if not problems:
        names = [name.lower() for name in (*spec.key_columns, spec.timestamp, *_columns(spec))]
        problems += [f"the result has two columns {name!r}" for name, times in Counter(names).items() if times > 1]
    if problems:
        raise DataError("; ".join(problems) + f". The events have {', '.join(types)}")


def _columns(spec: FeatureAggregation) -> Iterator[str]:
    return (f"{name}_{window.label}" for window in spec.spans for name in spec.features)


def _times(types: Mapping[str, str], spec: FeatureAggregation) -> Iterator[str]:
    times = [spec.time, *([spec.known_time] if spec.known_time else [])]
    for column in dict.fromkeys([*spec.key_columns, *times]):
        if column not in types:
            yield f"the events have no column {column!r}"
        elif column in times and types[column] != "timestamp":
            yield f"{column!r} is {types[column]}, not a timestamp"


def _shape(spec: FeatureAggregation) -> Iterator[str]:
    if not spec.key_columns or not spec.windows or not spec.features:
        yield "at least one key, one window and one feature are needed"
    if len(spec.spans) > _MOST_WINDOWS:
        yield f"there are {len(spec.windows)} windows; allowed are {_MOST_WINDOWS}"
    if spec.delay < timedelta():
        yield f"the delay {spec.delay} is negative: nothing is known before it happens"


def _aggregate(types: Mapping[str, str], name: str, aggregate: Aggregate) -> Iterator[str]:
    kind, column = aggregate.kind, aggregate.column
    if kind not in get_args(Kind):
        yield f"{name!r} is a {kind}: allowed are {', '.join(get_args(Kind))}"
    elif column is None and kind != "count":
        yield f"{name!r} is a {kind} of no column: give column="
    elif column is not None and column not in types:
        yield f"the events have no column {column!r}, which {name!r} is of"
    elif column is not None and not _fits(kind, types[column]):
        allowed = "numbers and booleans" if kind in _OF_NUMBERS else "numbers, text, bytes and times"
        yield f"{column!r} is {types[column]}: only {allowed} have a {kind}"
    if (kind == "quantile") != (aggregate.quantile is not None) or not 0 <= (aggregate.quantile or 0) <= 1:
        yield f"{name!r} has quantile={aggregate.quantile}: give a number from 0 to 1 for a quantile, else nothing"


def _fits(kind: Kind, column: str) -> bool:
    number = column in (*_WHOLE, *_FLOATING) or column.startswith("decimal(")
    return kind == "count" or number or (kind not in _OF_NUMBERS and column in _ORDERED)
