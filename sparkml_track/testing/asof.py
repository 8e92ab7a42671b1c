"""What every way of the point-in-time join must do. Subclass ``PointInTimeCase`` and give ``joined``."""

# ruff: noqa: D102 - the name of a test says what it asks

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from sparkml_track.features.asof import Asof

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["PointInTimeCase"]

_START = datetime(2013, 1, 1, tzinfo=UTC)
_AT = pa.timestamp("us", "UTC")
_LOCAL = pa.timestamp("us")
_ZONE = ZoneInfo("Europe/Berlin")
_HOUR = timedelta(hours=1)
_Row = Mapping[str, Any]
_HOW = Asof({"k": "key"}, {"x": "x"}, "t", "at")


def _by_hand(row: _Row, known: Sequence[_Row], how: Asof, age: Callable[[Any, Any], timedelta]) -> _Row:
    """The definition: among features of the keys at or before the time, the latest, then the latest created."""
    nothing = dict.fromkeys(how.outputs)
    if row[how.time] is None:
        return nothing
    mine = [
        one
        for one in known
        if one[how.feature_time] is not None
        and one[how.feature_time] <= row[how.time]
        and all(_same(row[left], one[right]) for left, right in how.keys.items())
    ]
    if not mine:
        return nothing
    last = max(mine, key=lambda one: (one[how.feature_time], one[how.created] if how.created else 0))
    if how.lookback is not None and age(row[how.time], last[how.feature_time]) > how.lookback:
        return nothing
    return {name: last[column] for name, column in how.outputs.items()}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return one is not None and bool(one == other)


def _plain(value: Any) -> Any:
    """A value that equals itself."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


class PointInTimeCase:
    """The conformance case: the rows of a result are those of the definition, value by value."""

    @pytest.fixture
    def session(self) -> SparkSession:
        """Give the session."""
        raise NotImplementedError("a subclass gives the session")

    def joined(self, session: SparkSession, rows: pa.Table, sides: Sequence[tuple[pa.Table, Asof]]) -> DataFrame:
        """Join with the way under test."""
        raise NotImplementedError("a subclass joins")

    def check(
        self,
        session: SparkSession,
        rows: pa.Table,
        *sides: tuple[pa.Table, Asof],
        age: Callable[[Any, Any], timedelta] = lambda now, then: now - then,
    ) -> None:
        """Compare a join with the definition."""
        result = self.joined(session, rows, sides)
        outputs = [name for _, how in sides for name in how.outputs]
        assert result.columns == [*rows.column_names, *outputs]
        want = rows.to_pylist()
        for features, how in sides:
            known = features.to_pylist()
            want = [{**row, **_by_hand(row, known, how, age)} for row in want]
        got = result.toArrow().sort_by("id")
        assert got.num_rows == rows.num_rows
        for one, other in zip(got.to_pylist(), want, strict=True):
            assert {name: _plain(value) for name, value in one.items()} == {
                name: _plain(value) for name, value in other.items()
            }

    @pytest.mark.parametrize("lookback", [None, 3 * _HOUR])
    def test_it_finds_what_the_definition_finds(self, session: SparkSession, lookback: timedelta | None) -> None:
        # Few hours, so that instants tie; keys whose parts could be mistaken for others'; nulls everywhere.
        chance = random.Random(7)
        keys = [(k, n) for k in ("", "a", "a1", "A", *(f"k{i}" for i in range(30))) for n in (1, 11)]
        known: list[tuple[Any, ...]] = [
            (k, n, _START + at * _HOUR, _START + made * _HOUR, chance.choice([None, 1, 2]), f"{at}.{made}")
            for k, n in keys
            for at, made in chance.sample([(a, m) for a in range(8) for m in range(3)], chance.randrange(9))
        ]
        known += [("a", 1, None, _START, 7, "never"), (None, 1, _START, _START, 8, "nobody's")]
        asked: list[tuple[Any, ...]] = [
            (chance.choice([k, k, k, None]), n, _START + chance.randrange(-1, 12) * _HOUR) for k, n in [*keys, *keys]
        ]
        asked = [*asked, *asked, ("a", 1, None), ("nobody", 1, _START)]
        kinds = [pa.string(), pa.int32(), _AT]
        rows = pa.table({"id": range(len(asked))} | _columns(asked, ["k", "n", "t"], kinds))
        names = ["key", "number", "at", "made", "x", "y"]
        features = pa.table(_columns(known, names, [*kinds, _AT, pa.int64(), pa.string()]))
        how = Asof({"k": "key", "n": "number"}, {"x": "x", "why": "y"}, "t", "at", "made", lookback)
        self.check(session, rows, (features, how))

    def test_keys_of_several_types_are_compared_as_they_are(self, session: SparkSession) -> None:
        base: dict[str, tuple[pa.DataType, list[Any]]] = {
            "b": (pa.bool_(), [True, False]),
            "y": (pa.binary(), [b"", b"\x00\xff"]),
            "d": (pa.date32(), [date(1899, 12, 31), date(2013, 3, 31)]),
            "m": (pa.decimal128(38, 2), [Decimal("1.10"), Decimal("-123456789012345678901234567890123456.78")]),
            "w": (pa.timestamp("us", "UTC"), [_START, _START + timedelta(microseconds=1)]),
            "l": (pa.int64(), [2**62, -(2**63)]),
            "s": (pa.int8(), [-128, 127]),
        }
        each = [
            {name: values[(n >> place) & 1] for place, (name, (_, values)) in enumerate(base.items())}
            for n in range(128)
        ]
        columns = {name: pa.array([row[name] for row in each], kind) for name, (kind, _) in base.items()}
        features = pa.table({**columns, "at": pa.array([_START] * 128, _AT), "x": range(128)})
        rows = pa.table({"id": range(128), **columns, "t": pa.array([_START + _HOUR] * 128, _AT)})
        how = Asof({name: name for name in base}, {"x": "x"}, "t", "at")
        self.check(session, rows, (features, how))

    def test_zeros_are_one_key_and_nans_are_one_key(self, session: SparkSession) -> None:
        keys = [0.0, -0.0, math.nan, math.inf, None]
        rows = pa.table({"id": range(5), "k": pa.array(keys, pa.float64()), "t": pa.array([_START] * 5, _AT)})
        known = {"key": pa.array([-0.0, math.nan, -math.inf]), "at": pa.array([_START] * 3, _AT), "x": [1, 2, 3]}
        self.check(session, rows, (pa.table(known), _HOW))

    @pytest.mark.parametrize("kind", [_AT, _LOCAL])
    def test_an_age_is_elapsed_time_when_clocks_change(self, session: SparkSession, kind: pa.DataType) -> None:
        session.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
        try:
            # Clocks went from two to three on the last of March: five hours by the clock are four.
            noon = datetime(2013, 3, 31, 0, 0)  # noqa: DTZ001
            hours = [noon + each * _HOUR for each in (1, 4, 5, 6)]
            times = hours if kind == _LOCAL else [each.replace(tzinfo=_ZONE) for each in hours]
            at = noon if kind == _LOCAL else noon.replace(tzinfo=_ZONE)
            rows = pa.table({"id": range(4), "k": [1] * 4, "t": pa.array(times, kind)})
            features = pa.table({"key": [1], "at": pa.array([at], kind), "x": [7]})
            how = Asof({"k": "key"}, {"x": "x"}, "t", "at", lookback=4 * _HOUR)
            self.check(session, rows, (features, how), age=_elapsed)
        finally:
            session.conf.set("spark.sql.session.timeZone", "UTC")

    def test_days_and_whole_numbers_are_times_too(self, session: SparkSession) -> None:
        days = [date(2013, 3, 30), date(2013, 3, 31), date(2013, 4, 1)]
        rows = pa.table({"id": range(3), "k": ["a"] * 3, "t": days, "n": pa.array([1, 5, None], pa.int64())})
        by_day = pa.table({"key": ["a"], "at": [date(2013, 3, 30)], "x": [1]})
        how = Asof({"k": "key"}, {"x": "x"}, "t", "at", lookback=timedelta(days=1))
        self.check(session, rows, (by_day, how))
        by_number = pa.table({"key": ["a", "a"], "at": pa.array([2, 5], pa.int64()), "x": [1, 2]})
        self.check(session, rows, (by_number, Asof({"k": "key"}, {"x": "x"}, "n", "at")))

    def test_lookback_counts_its_end_and_not_a_microsecond_more(self, session: SparkSession) -> None:
        rows = pa.table({"id": [0], "k": ["a"], "t": pa.array([_START + 3 * _HOUR], _AT)})
        features = pa.table({"key": ["a"], "at": pa.array([_START], _AT), "x": [1], "y": [2]})
        short = Asof(_HOW.keys, {"y": "y"}, "t", "at", lookback=3 * _HOUR - timedelta(microseconds=1))
        end = Asof(_HOW.keys, {"x": "x"}, "t", "at", lookback=3 * _HOUR)
        self.check(session, rows, (features, end), (features, short))

    def test_values_come_as_they_are(self, session: SparkSession) -> None:
        values = {
            "money": pa.array([Decimal("1.25"), None], pa.decimal128(20, 2)),
            "half": pa.array([0.1, math.nan], pa.float32()),
            "real": [-0.0, math.inf],
            "bytes": [b"\x00\xff", b""],
            "day": [date(1, 1, 1), date(9999, 12, 31)],
            "then": pa.array([datetime(1582, 10, 4, tzinfo=UTC), _START], _AT),
            "local": pa.array([datetime(1883, 11, 18, 12, 3, 57, 999999), None], _LOCAL),  # noqa: DTZ001
            "text": ["ü\x00", ""],
        }
        nested = {
            "pair": [{"a": 1, "b": None}, None],
            "many": [[1, None], []],
            "named": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
        }
        rows = pa.table({"id": [0, 1, 2], "k": ["a", "b", "c"], "t": pa.array([_START] * 3, _AT)})
        for held in (values, values | nested):
            features = pa.table({"key": ["a", "b"], "at": pa.array([_START] * 2, _AT), **held})
            self.check(session, rows, (features, Asof({"k": "key"}, {name: name for name in held}, "t", "at")))

    @pytest.mark.parametrize("empty", ["rows", "features"])
    def test_a_side_may_be_empty(self, session: SparkSession, empty: str) -> None:
        rows = pa.table({"id": [0, 1], "k": ["a", None], "t": pa.array([_START, None], _AT)})
        features = pa.table({"key": ["a"], "at": pa.array([_START], _AT), "x": [1]})
        given = (rows.slice(0, 0), features) if empty == "rows" else (rows, features.slice(0, 0))
        self.check(session, given[0], (given[1], _HOW))

    def test_names_are_any(self, session: SparkSession) -> None:
        rows = pa.table({"id": [0], 'The "k"': ["a"], "t t": pa.array([_START], _AT), "c1": [5]})
        features = pa.table({"Key": ["a"], "At": pa.array([_START], _AT), "f0": [1], "an'X": [2]})
        how = Asof({'The "k"': "Key"}, {"Ünder": "f0", "x-1": "an'X"}, "t t", "At")
        self.check(session, rows, (features, how))

    def test_several_sides_are_each_looked_up(self, session: SparkSession) -> None:
        times = [_START + hour * _HOUR for hour in range(6)]
        rows = pa.table({"id": range(6), "k": ["a", "b"] * 3, "t": pa.array(times, _AT)})
        one = pa.table({"key": ["a", "b"], "at": pa.array(times[1:3], _AT), "x": [1, None]})
        two = pa.table({"name": ["a", "a"], "when": pa.array([times[0]] * 2, _AT), "v": [3, 4], "n": [1, 2]})
        made = Asof({"k": "name"}, {"z": "v", "x2": "n"}, "t", "when", created="n")
        recent = Asof({"k": "key"}, {"r": "x"}, "t", "at", lookback=2 * _HOUR)
        self.check(session, rows, (one, _HOW), (two, made), (one, recent))


def _columns(rows: Sequence[Sequence[Any]], names: Sequence[str], kinds: Sequence[pa.DataType]) -> dict[str, Any]:
    return {name: pa.array([row[place] for row in rows], kinds[place]) for place, name in enumerate(names)}


def _elapsed(now: datetime, then: datetime) -> timedelta:
    """Between local times in Berlin or instants."""
    instants = [each if each.tzinfo else each.replace(tzinfo=_ZONE) for each in (now, then)]
    return instants[0].astimezone(UTC) - instants[1].astimezone(UTC)
