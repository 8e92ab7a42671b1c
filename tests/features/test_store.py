from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.features import FeatureLookup, FeatureStore
from sparkml_track.refs import TableRef
from sparkml_track.tables import MemoryTables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(spark: SparkSession) -> FeatureStore:
    return FeatureStore(MemoryTables(spark))


def weather(spark: SparkSession, *rows: tuple[str | None, int, float | None]) -> DataFrame:
    made = {
        "origin": pa.array([row[0] for row in rows], pa.string()),
        "known_at": [NOON + timedelta(hours=row[1]) for row in rows],
        "wind": pa.array([row[2] for row in rows], pa.float64()),
        "rain": [0.5] * len(rows),
    }
    return spark.createDataFrame(pa.table(made))


def planes(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(pa.table({"tailnum": ["N1", "N2"], "seats": [100, 200]}))


def flights(spark: SparkSession) -> DataFrame:
    made = {
        "flight": [1, 2, 3],
        "origin": ["JFK", "JFK", "EWR"],
        "plane": ["N1", None, "N2"],
        "asked": [NOON, NOON + timedelta(hours=5), NOON],
        "late": [0, 1, 0],
        "miles": [10, 20, 30],
    }
    return spark.createDataFrame(pa.table(made))


@pytest.fixture
def filled(store: FeatureStore, spark: SparkSession) -> FeatureStore:
    store.create_table(
        "weather", ["origin"], weather(spark, ("JFK", 0, 5.0), ("JFK", 1, 7.0)), timestamp_key="known_at"
    )
    store.create_table("planes", ["tailnum"], planes(spark))
    return store


WIND = FeatureLookup("weather", "origin", ("wind",), timestamp_lookup_key="asked")
SEATS = FeatureLookup("planes", "plane")


def test_a_store_needs_a_session() -> None:
    with pytest.raises(TableError, match="Spark session"):
        FeatureStore(MemoryTables())


def test_a_feature_table_remembers_its_keys(filled: FeatureStore) -> None:
    info = filled.get_table("weather")
    assert (info.keys, info.timestamp, list(info.columns)) == (
        ("origin",),
        "known_at",
        ["origin", "known_at", "wind", "rain"],
    )


def test_null_and_repeated_keys_are_refused(store: FeatureStore, spark: SparkSession) -> None:
    with pytest.raises(DataError, match="1 nulls in 'origin'"):
        store.create_table("w", ["origin"], weather(spark, (None, 0, 1.0)), timestamp_key="known_at")
    twice = weather(spark, ("JFK", 0, 1.0), ("JFK", 0, 2.0))
    with pytest.raises(DataError, match=r"rows repeat in \(origin, known_at\)"):
        store.create_table("w", ["origin"], twice, timestamp_key="known_at")
    assert not store.tables.exists("w")


def test_a_table_that_is_there_is_replaced_only_on_request(filled: FeatureStore, spark: SparkSession) -> None:
    with pytest.raises(TableError, match="there already"):
        filled.create_table("planes", ["tailnum"], planes(spark))
    assert filled.create_table("planes", ["tailnum"], planes(spark), replace=True).version == 1


def test_written_rows_replace_those_of_the_same_key_and_time(filled: FeatureStore, spark: SparkSession) -> None:
    ref = filled.write_table("weather", weather(spark, ("JFK", 1, 9.0), ("EWR", 1, 1.0)))
    assert ref.version == 1
    rows = {(row["origin"], row["wind"]) for row in filled.read("weather").collect()}
    assert rows == {("JFK", 5.0), ("JFK", 9.0), ("EWR", 1.0)}


def test_what_is_no_feature_table_is_not_looked_up(store: FeatureStore, spark: SparkSession) -> None:
    store.tables.write("raw", planes(spark))
    with pytest.raises(TableError, match="raw is not a feature table"):
        store.look_up(flights(spark), FeatureLookup("raw", "plane"))


def test_a_training_set_has_each_row_once_with_its_features(filled: FeatureStore, spark: SparkSession) -> None:
    made = filled.create_training_set(
        flights(spark), [WIND, SEATS], "late", keys=["flight"], carry=["asked"], exclude_columns=["plane", "origin"]
    )
    assert made.features == ("miles", "wind", "seats")
    rows = sorted(tuple(row) for row in made.load_df().select("flight", "late", *made.features).collect())
    assert rows == [(1, 0, 10, 5.0, 100), (2, 1, 20, 7.0, None), (3, 0, 30, None, 200)]
    assert made.load_df().columns == ["flight", "asked", "late", "miles", "wind", "seats"]


def test_a_training_set_names_the_versions_it_was_made_from(filled: FeatureStore, spark: SparkSession) -> None:
    made = filled.create_training_set(flights(spark), [WIND, SEATS], "late", keys=["flight"])
    assert made.tables == {
        "weather": TableRef("weather", "memory:weather", 0),
        "planes": TableRef("planes", "memory:planes", 0),
    }


def test_a_store_stays_at_the_versions_it_first_saw(filled: FeatureStore, spark: SparkSession) -> None:
    later = FeatureStore(filled.tables)
    assert later.read("planes").count() == 2
    filled.tables.write("planes", planes(spark).limit(1), mode="overwrite")
    assert later.read("planes").count() == 2
    assert later.pinned["planes"].version == 0
    assert FeatureStore(filled.tables).read("planes").count() == 1


def test_outputs_are_renamed_and_defaults_stand_for_what_is_missing(filled: FeatureStore, spark: SparkSession) -> None:
    lookup = FeatureLookup(
        "weather",
        ("origin",),
        ("wind",),
        {"wind": "wind_speed"},
        timestamp_lookup_key="asked",
        lookback_window=timedelta(hours=3),
        default_values={"wind_speed": -1.0},
    )
    rows = sorted(filled.look_up(flights(spark), lookup).collect(), key=lambda row: row["flight"])
    assert [row["wind_speed"] for row in rows] == [5.0, -1.0, -1.0]


@pytest.mark.parametrize(
    ("lookup", "message"),
    [
        (FeatureLookup("weather", "origin"), "has the timestamp known_at: give timestamp_lookup_key"),
        (FeatureLookup("planes", "plane", timestamp_lookup_key="asked"), "has no timestamp: leave out"),
        (
            FeatureLookup("planes", ("plane", "origin")),
            r"lookup_key is \(plane, origin\).*primary keys are \(tailnum\)",
        ),
        (FeatureLookup("planes", "plane", ("wings",)), "no feature wings; it has seats"),
        (FeatureLookup("planes", "plane", rename_outputs={"wings": "w"}), "no feature wings"),
        (FeatureLookup("planes", "plane", default_values={"wings": 2}), "no feature wings"),
        (FeatureLookup("planes", "tail"), "planes@v0: the rows have no column 'tail'"),
        (FeatureLookup("planes", "plane", rename_outputs={"seats": "miles"}), "column 'miles' already"),
        (FeatureLookup("plane", "plane"), r"Did you mean planes\?"),
    ],
)
def test_a_lookup_that_does_not_fit_says_why(
    filled: FeatureStore, spark: SparkSession, lookup: FeatureLookup, message: str
) -> None:
    with pytest.raises((DataError, TableError), match=message):
        filled.look_up(flights(spark), lookup)


def test_columns_a_training_set_lacks_are_named(filled: FeatureStore, spark: SparkSession) -> None:
    with pytest.raises(DataError, match="no column delayed, day; they have flight"):
        filled.create_training_set(flights(spark), [], "delayed", keys=["flight"], carry=["day"])


def test_a_key_given_as_text_is_one_column(store: FeatureStore, spark: SparkSession) -> None:
    store.create_table("planes", "tailnum", planes(spark))
    assert store.get_table("planes").keys == ("tailnum",)
    made = store.create_training_set(flights(spark), [SEATS], "late", keys="flight", exclude_columns="plane")
    assert made.keys == ("flight",)
    assert "seats" in made.features


def test_keys_stay_unique_when_rows_are_appended(filled: FeatureStore, spark: SparkSession) -> None:
    with pytest.raises(DataError, match=r"keys \(tailnum\) of the new rows are in the table already"):
        filled.write_table("planes", planes(spark), mode="append")
    assert filled.look_up(flights(spark), SEATS).count() == 3


@pytest.mark.parametrize(("value", "kind"), [(0.5, "bigint"), ("many", "bigint"), (True, "bigint")])
def test_a_default_that_is_no_value_of_the_feature_is_refused(
    filled: FeatureStore, spark: SparkSession, value: object, kind: str
) -> None:
    with pytest.raises(DataError, match=rf"the default {value!r} of 'seats' is not a {kind}"):
        filled.look_up(flights(spark), replace(SEATS, default_values={"seats": value}))


def test_a_default_takes_the_type_of_its_feature(filled: FeatureStore, spark: SparkSession) -> None:
    made = filled.look_up(flights(spark), replace(SEATS, default_values={"seats": 7.0}))
    assert dict(made.dtypes)["seats"] == "bigint"
    assert sorted(row["seats"] for row in made.collect()) == [7, 100, 200]


def test_any_column_name_goes_through_a_look_up(store: FeatureStore, spark: SparkSession) -> None:
    odd = {"_key0": ["a"], "_row": [1], "_at": [2], "Sepal.Length": [3.0]}
    store.create_table("odd", "_key0", spark.createDataFrame(pa.table(odd)))
    rows = spark.createDataFrame(pa.table({"_key0": ["a"], "_feature": [9], "x.y": [1]}))
    made = store.look_up(rows, FeatureLookup("odd", "_key0"))
    assert made.columns == ["_key0", "_feature", "x.y", "_row", "_at", "Sepal.Length"]
    assert [tuple(row) for row in made.collect()] == [("a", 9, 1, 1, 2, 3.0)]
    timed = {"k.1": ["a"], "t": [NOON], "_at": [2], "_time": [3]}
    store.create_table("timed", "k.1", spark.createDataFrame(pa.table(timed)), timestamp_key="t")
    lookup = FeatureLookup("timed", "_key0", timestamp_lookup_key="_known")
    made = store.look_up(spark.createDataFrame(pa.table({"_key0": ["a"], "_known": [NOON]})), lookup)
    assert [tuple(row)[2:] for row in made.collect()] == [(2, 3)]


def test_names_that_differ_by_case_clash_before_anything_is_computed(filled: FeatureStore, spark: SparkSession) -> None:
    rows = flights(spark).withColumnRenamed("miles", "SEATS")
    with pytest.raises(DataError, match="the rows have a column 'SEATS' already: rename the output 'seats'"):
        filled.look_up(rows, SEATS)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_dates_look_back_by_days(store: FeatureStore, spark: SparkSession, zone: str) -> None:
    # In New York the third of November has 25 hours.
    table = pa.table({"k": ["a"], "day": [date(2013, 11, 2)], "x": [1]})
    store.create_table("days", "k", spark.createDataFrame(table), timestamp_key="day")
    rows = spark.createDataFrame(pa.table({"k": ["a", "a"], "on": [date(2013, 11, 4), date(2013, 11, 5)]}))
    lookup = FeatureLookup("days", "k", timestamp_lookup_key="on", lookback_window=timedelta(days=2))
    before = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        found = [row["x"] for row in store.look_up(rows, lookup).orderBy("on").collect()]
    finally:
        spark.conf.set("spark.sql.session.timeZone", str(before))
    assert found == [1, None]


def test_look_ups_by_the_same_keys_and_time_are_one_pass(filled: FeatureStore, spark: SparkSession) -> None:
    sun = {"origin": ["JFK"], "known_at": [NOON], "sun": [0.1], "rain": [0.7]}
    filled.create_table("sky", ["origin"], spark.createDataFrame(pa.table(sun)), timestamp_key="known_at")
    weather_then = FeatureLookup("weather", "origin", timestamp_lookup_key="asked", lookback_window=timedelta(hours=1))
    sky = FeatureLookup("sky", "origin", ("sun",), timestamp_lookup_key="asked", default_values={"sun": 9.0})
    both, rows = [weather_then, SEATS, weather_then_renamed(), sky], flights(spark)
    together = filled.create_training_set(rows, both, "late", keys="flight").load_df()
    for lookup in both:
        rows = filled.look_up(rows, lookup)
    assert together.columns == rows.columns
    assert sorted(map(str, together.collect())) == sorted(map(str, rows.collect()))
    alone = filled.create_training_set(flights(spark), both[2:], "late", keys="flight").load_df()
    assert str(alone._jdf.queryExecution().executedPlan()).count("Exchange hashpartitioning") == 1  # type: ignore[operator]


def test_a_look_up_of_a_pass_that_does_not_fit_is_named(filled: FeatureStore, spark: SparkSession) -> None:
    once = FeatureLookup("weather", "origin", ("wind",), timestamp_lookup_key="asked")
    with pytest.raises(DataError, match=r"lookup in weather@v0: the rows have a column 'wind' already"):
        filled.create_training_set(flights(spark), [once, once], "late", keys="flight")


def weather_then_renamed() -> FeatureLookup:
    names = {"wind": "gust", "rain": "drops"}
    return FeatureLookup("weather", "origin", timestamp_lookup_key="asked", rename_outputs=names)
