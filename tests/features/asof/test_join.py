from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError
from sparkml_track.features import Asof, latest_join, point_in_time

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

START = datetime(2013, 1, 1, tzinfo=UTC)
ROWS = pa.schema([("id", pa.int64()), ("k", pa.string()), ("n", pa.int32()), ("t", pa.timestamp("us", "UTC"))])
FEATURES = pa.schema(
    [
        ("key", pa.string()),
        ("number", pa.int32()),
        ("at", pa.timestamp("us", "UTC")),
        ("made", pa.timestamp("us", "UTC")),
        ("x", pa.int64()),
        ("y", pa.string()),
    ]
)
HOW = Asof({"k": "key", "n": "number"}, {"x": "x", "why": "y"}, "t", "at", created="made")

Row = dict[str, object]


def hour(number: int | None) -> datetime | None:
    return None if number is None else START + timedelta(hours=number)


def frame(spark: SparkSession, rows: list[Row], schema: pa.Schema) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema))


def features(spark: SparkSession, *rows: tuple[str, int, int, int | None]) -> DataFrame:
    """Rows of key, hour, hour made and x; the number is 1 and y repeats x."""
    made = [
        {"key": k, "number": 1, "at": hour(at), "made": hour(made), "x": x, "y": None if x is None else f"y{x}"}
        for k, at, made, x in rows
    ]
    return frame(spark, made, FEATURES)


def rows(spark: SparkSession, *pairs: tuple[str | None, int | None]) -> DataFrame:
    made = [{"id": index, "k": k, "n": 1, "t": hour(t)} for index, (k, t) in enumerate(pairs)]
    return frame(spark, made, ROWS)


def found(result: DataFrame) -> list[object]:
    return [row["x"] for row in sorted(result.collect(), key=lambda row: row["id"])]


def by_hand(row: Row, known: list[Row], lookback: timedelta | None) -> tuple[object, object]:
    """The definition: among features of the key at or before the time, the latest, then the latest made."""
    if row["k"] is None or row["t"] is None:
        return (None, None)
    mine = [f for f in known if (f["key"], f["number"]) == (row["k"], row["n"]) and f["at"] <= row["t"]]  # type: ignore[operator]
    if not mine:
        return (None, None)
    last = max(mine, key=lambda f: (f["at"], f["made"]))  # type: ignore[arg-type, return-value]
    if lookback is not None and row["t"] - last["at"] > lookback:  # type: ignore[operator]
        return (None, None)
    return (last["x"], last["y"])


@pytest.mark.parametrize("lookback", [None, timedelta(hours=3)])
def test_it_finds_what_the_definition_finds(spark: SparkSession, lookback: timedelta | None) -> None:
    # Each key is a case of its own: few hours, so that instants tie; keys whose parts could be mistaken for others'.
    chance = random.Random(7)
    keys = [(k, n) for k in ("", "a", "a1", "b", *(f"k{i}" for i in range(60))) for n in (1, 11)]
    known = [
        {
            "key": k,
            "number": n,
            "at": hour(at),
            "made": hour(made),
            "x": chance.choice([None, 1, 2]),
            "y": f"{at}.{made}",
        }
        for k, n in keys
        for at, made in chance.sample([(a, m) for a in range(8) for m in range(3)], chance.randrange(9))
    ]
    asked = [
        {
            "id": index,
            "k": chance.choice([k, None] if index % 50 == 0 else [k]),
            "n": n,
            "t": hour(chance.randrange(-1, 12)),
        }
        for index, (k, n) in enumerate(keys * 6)
    ]
    asked[5]["t"] = None
    how = Asof(HOW.keys, HOW.outputs, "t", "at", "made", lookback)
    result = point_in_time(frame(spark, asked, ROWS), frame(spark, known, FEATURES), how)
    assert result.columns == ["id", "k", "n", "t", "x", "why"]
    got = {row["id"]: (row["x"], row["why"]) for row in result.collect()}
    assert got == {row["id"]: by_hand(row, known, lookback) for row in asked}


def test_a_value_of_exactly_the_time_is_known_and_one_a_microsecond_later_is_not(spark: SparkSession) -> None:
    known = features(spark, ("a", 1, 0, 10))
    asked = (
        rows(spark, ("a", 1))
        .selectExpr("id", "k", "n", "t")
        .unionAll(rows(spark, ("a", 1)).selectExpr("id + 1", "k", "n", "t - interval 1 microsecond"))
    )
    assert found(point_in_time(asked, known, HOW)) == [10, None]


def test_of_one_instant_the_last_made_holds(spark: SparkSession) -> None:
    known = features(spark, ("a", 1, 5, 50), ("a", 1, 9, 90), ("a", 1, 7, 70))
    assert found(point_in_time(rows(spark, ("a", 2)), known, HOW)) == [90]


def test_a_null_that_is_known_last_is_not_filled_from_before(spark: SparkSession) -> None:
    known = features(spark, ("a", 1, 0, 10), ("a", 2, 0, None))
    assert found(point_in_time(rows(spark, ("a", 3)), known, HOW)) == [None]


def test_lookback_counts_its_end_and_not_a_microsecond_more(spark: SparkSession) -> None:
    known = features(spark, ("a", 0, 0, 10))
    for micros, value in ((0, 10), (1, None)):
        how = Asof(HOW.keys, HOW.outputs, "t", "at", "made", timedelta(hours=3) - timedelta(microseconds=micros))
        assert found(point_in_time(rows(spark, ("a", 3)), known, how)) == [value]


def test_rows_that_are_equal_stay_as_many_as_they_are(spark: SparkSession) -> None:
    same = rows(spark, ("a", 3)).unionAll(rows(spark, ("a", 3)))
    assert found(point_in_time(same, features(spark, ("a", 1, 0, 10)), HOW)) == [10, 10]


def test_rows_without_any_feature_stay(spark: SparkSession) -> None:
    none = features(spark).where("false")
    assert found(point_in_time(rows(spark, ("a", 3), (None, 3), ("a", None)), none, HOW)) == [None, None, None]


def test_one_shuffle_is_enough(spark: SparkSession) -> None:
    result = point_in_time(rows(spark, ("a", 3)), features(spark, ("a", 1, 0, 10)), HOW)
    plan = result._jdf.queryExecution().executedPlan().toString()  # type: ignore[operator]
    assert plan.count("Exchange hashpartitioning") == 1
    assert "Join" not in plan


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Asof({"q": "key"}, {"x": "x"}, "t", "at"), "the rows have no column 'q'"),
        (Asof({"k": "q"}, {"x": "x"}, "t", "at"), "the features have no column 'q'"),
        (Asof({"k": "key"}, {"x": "q"}, "t", "at"), "the features have no column 'q'"),
        (Asof({"k": "number"}, {"x": "x"}, "t", "at"), "'k' is string and 'number' is int: make them the same"),
        (Asof({"k": "key"}, {"x": "x"}, "n", "at"), "'n' is int and 'at' is timestamp"),
        (Asof({"k": "key"}, {"n": "x"}, "t", "at"), "column 'n' already: rename the output"),
    ],
)
def test_columns_that_do_not_fit_are_refused(spark: SparkSession, how: Asof, message: str) -> None:
    with pytest.raises(DataError, match=message):
        point_in_time(rows(spark, ("a", 3)), features(spark, ("a", 1, 0, 10)), how)


def test_features_without_time_are_joined_by_key_and_rows_without_match_stay(spark: SparkSession) -> None:
    known = features(spark, ("a", 1, 0, 10), ("b", 1, 0, 20)).drop("at", "made")
    asked = rows(spark, ("a", 1), ("c", 1), (None, 1), ("b", 1))
    result = latest_join(asked, known, HOW.keys, {"x": "x", "number": "number"})
    assert result.columns == ["id", "k", "n", "t", "x", "number"]
    assert found(result) == [10, None, None, 20]


def test_columns_with_odd_names_can_be_joined(spark: SparkSession) -> None:
    known = features(spark, ("a", 1, 0, 10)).withColumnsRenamed({"key": "a.key", "x": "an.x", "at": "a-t"})
    asked = rows(spark, ("a", 3)).withColumnsRenamed({"k": "the.k", "t": "t t"})
    how = Asof({"the.k": "a.key"}, {"x.1": "an.x"}, "t t", "a-t")
    result = point_in_time(asked, known, how)
    assert result.columns == ["id", "the.k", "n", "t t", "x.1"]
    assert result.collect()[0]["x.1"] == 10
