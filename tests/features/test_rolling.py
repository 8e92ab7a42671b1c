from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError
from sparkml_track.features import Asof, Rolling, point_in_time, rolling
from sparkml_track.features.rolling import parse_window

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

START = datetime(2013, 1, 1, tzinfo=UTC)
EVENTS = pa.schema([("k", pa.string()), ("at", pa.timestamp("us", "UTC")), ("late", pa.bool_()), ("v", pa.int32())])
SPEC = Rolling(("k",), "at", ("2h", "5h"), count="n", means={"late": "late", "mean": "v"})


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def events(spark: SparkSession, rows: list[tuple[str | None, int | None, bool | None, int | None]]) -> DataFrame:
    made = [{"k": k, "at": None if at is None else hour(at), "late": late, "v": v} for k, at, late, v in rows]
    return spark.createDataFrame(pa.Table.from_pylist(made, EVENTS))


def by_hand(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


@pytest.mark.spark
def test_a_lookup_in_the_result_gives_the_window_that_ends_then(spark: SparkSession) -> None:
    chance = random.Random(3)
    rows = [
        (f"k{key}", chance.randrange(20), chance.choice([True, False, None]), chance.choice([None, 1, -4, 7]))
        for key in range(30)
        for _ in range(chance.randrange(12))
    ]
    table = rolling(events(spark, rows), SPEC)
    asked = [{"k": f"k{key}", "t": hour(t)} for key in range(31) for t in range(-1, 27)]
    outputs = [column for column in table.columns if column not in ("k", "known_at")]
    assert outputs == ["n_2h", "late_2h", "mean_2h", "n_5h", "late_5h", "mean_5h"]
    how = Asof({"k": "k"}, {name: name for name in outputs}, "t", "known_at")
    schema = pa.schema([("k", pa.string()), ("t", pa.timestamp("us", "UTC"))])
    result = point_in_time(spark.createDataFrame(pa.Table.from_pylist(asked, schema)), table, how).toArrow()
    assert result.num_rows == len(asked)
    for row in result.to_pylist():
        for width in (2, 5):
            inside = [
                e for e in rows if e[0] == row["k"] and row["t"] - timedelta(hours=width) < hour(e[1]) <= row["t"]
            ]
            assert (row[f"n_{width}h"] or 0) == len(inside)
            assert row[f"late_{width}h"] == by_hand([float(e[2]) for e in inside if e[2] is not None])
            assert row[f"mean_{width}h"] == by_hand([float(e[3]) for e in inside if e[3] is not None])


def frame(spark: SparkSession, rows: list[dict[str, object]], kind: pa.DataType) -> DataFrame:
    schema = pa.schema([("a.key", pa.string()), ("_at", pa.timestamp("us", "UTC")), ("Sepal.Length", kind)])
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema))


ODD = Rolling(("a.key",), "_at", ("2h",), count="n", means={"mean of it": "Sepal.Length"}, timestamp="_first")


@pytest.mark.spark
@pytest.mark.parametrize("passing", [math.nan, math.inf, 1e17, 1e300])
def test_a_value_that_has_left_the_window_leaves_nothing(spark: SparkSession, passing: float) -> None:
    values = [passing, 4.0, 6.0, 5.0]
    rows = [{"a.key": "x", "_at": hour(2 * number), "Sepal.Length": value} for number, value in enumerate(values)]
    made = {
        row["_first"].astimezone(UTC): row["mean of it_2h"]
        for row in rolling(frame(spark, rows, pa.float64()), ODD).collect()
    }
    assert [made[hour(number)] for number in (2, 4, 6, 8)] == [4.0, 6.0, 5.0, None]
    assert made[hour(0)] == passing or math.isnan(passing)


@pytest.mark.spark
@pytest.mark.parametrize("kind", [pa.float32(), pa.int64(), pa.decimal128(12, 2)])
def test_every_kind_of_number_has_a_mean(spark: SparkSession, kind: pa.DataType) -> None:
    values: list[object] = [Decimal("2.00"), Decimal("4.00")] if pa.types.is_decimal(kind) else [2, 4]
    rows = [{"a.key": "x", "_at": hour(0), "Sepal.Length": value} for value in values]
    made = rolling(frame(spark, rows, kind), ODD).orderBy("_first").collect()
    assert [row["mean of it_2h"] for row in made] == [3.0, None]


@pytest.mark.spark
def test_a_window_lasts_as_long_in_every_zone(spark: SparkSession) -> None:
    before_clocks_change = datetime(2013, 3, 9, 20, tzinfo=UTC)
    rows = [{"a.key": "x", "_at": before_clocks_change, "Sepal.Length": 1.0}]
    spec = replace(ODD, windows=("24h", "1d", "7d"))
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        made = [row["_first"].astimezone(UTC) for row in rolling(frame(spark, rows, pa.float64()), spec).collect()]
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
    lengths = {moment - before_clocks_change for moment in made}
    assert lengths == {timedelta(0), timedelta(hours=24), timedelta(days=7)}


@pytest.mark.spark
def test_the_result_is_unique_by_key_and_time_and_ends_empty(spark: SparkSession) -> None:
    table = rolling(events(spark, [("a", 1, True, 1), ("a", 1, False, 1), ("a", 3, True, 1), ("b", 1, True, 1)]), SPEC)
    rows = sorted((row["k"], row["known_at"], row["n_2h"], row["n_5h"]) for row in table.collect())
    naive = [(k, at.astimezone(UTC), two, five) for k, at, two, five in rows]
    assert naive == [
        ("a", hour(1), 2, 2),
        ("a", hour(3), 1, 3),
        ("a", hour(5), 0, 3),
        ("a", hour(6), 0, 1),
        ("a", hour(8), 0, 0),
        ("b", hour(1), 1, 1),
        ("b", hour(3), 0, 1),
        ("b", hour(6), 0, 0),
    ]


@pytest.mark.spark
def test_events_without_key_or_time_are_left_out(spark: SparkSession) -> None:
    table = rolling(events(spark, [(None, 1, True, 1), ("a", None, True, 1)]), SPEC)
    assert table.count() == 0


@pytest.mark.spark
def test_one_shuffle_is_enough_for_all_windows(spark: SparkSession) -> None:
    plan = rolling(events(spark, [("a", 1, True, 1)]), SPEC)._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
    assert plan.count("Exchange hashpartitioning") == 1


@pytest.mark.spark
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Rolling(("q",), "at", ("1d",), count="n"), "no column 'q'"),
        (Rolling(("k",), "v", ("1d",), count="n"), "'v' is int, not a timestamp"),
        (Rolling(("k",), "at", ("1d",), means={"m": "k"}), "'k' is string: only booleans and numbers"),
        (Rolling(("k",), "at", ("1d",)), "at least one key, one window and one count or mean"),
        (Rolling((), "at", ("1d",), count="n"), "at least one key"),
        (Rolling(("k",), "at", ("1 day",), count="n"), "'1 day' is not a window"),
        (Rolling(("k",), "at", ("1d",), count="n", timestamp="K"), "two columns 'k'"),
        (Rolling(("k",), "at", ("1d",), count="V", means={"v": "v"}), "two columns 'v_1d'"),
    ],
)
def test_what_cannot_be_rolled_is_refused(spark: SparkSession, spec: Rolling, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rolling(events(spark, [("a", 1, True, 1)]), spec)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_windows_are_read(text: str, length: timedelta) -> None:
    assert parse_window(text) == length


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5h", "7 d", "7w"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is not a window"):
        parse_window(text)
