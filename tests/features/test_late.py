"""Rows that come late, against a slow twin: a row counts from when it came."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError
from sparkml_track.features import FeatureLookup, FeatureStore
from sparkml_track.tables import MemoryTables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

NOON = datetime(2013, 11, 3, 3, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")
SCHEMA = pa.schema([("k", pa.string()), ("at", INSTANT), ("came", INSTANT), ("x", pa.int64())])


def hour(number: int) -> datetime:
    return NOON + timedelta(hours=number)


def latest(rows: list[dict[str, Any]], key: str, t: datetime, lookback: timedelta | None) -> Any:
    there = [row for row in rows if row["k"] == key and row["came"] is not None and max(row["came"], row["at"]) <= t]
    found = max(there, key=lambda row: row["at"], default=None)
    old = found is not None and lookback is not None and t - found["at"] > lookback
    return None if found is None or old else found["x"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_row_counts_from_when_it_came(spark: SparkSession, zone: str) -> None:
    chance = random.Random(11)
    places = [(key, at) for key in "ab" for at in chance.sample(range(20), 12)]
    rows = [
        {"k": k, "at": hour(at), "came": chance.choice([None, *[hour(at + late) for late in (-1, 0, 0, 1, 3, 3, 9)]]),
         "x": chance.choice([None, number])}
        for number, (k, at) in enumerate(places)
    ]  # fmt: skip
    store = FeatureStore(MemoryTables(spark))
    store.create_table("seen", "k", spark.createDataFrame(pa.Table.from_pylist(rows, SCHEMA)), timestamp_key="at")
    asked = pa.table(
        {"_row": [k for k in "abc" for _ in range(34)], "t": pa.array([hour(n) for n in range(-2, 32)] * 3, INSTANT)}
    )
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        for lookback in (None, timedelta(hours=4)):
            lookup = FeatureLookup("seen", "_row", ("x",), {}, "t", lookback, known_key="came")
            found = store.look_up(spark.createDataFrame(asked), lookup).toArrow().to_pylist()
            assert len(found) == 3 * 34
            for row in found:
                assert row["x"] == latest(rows, row["_row"], row["t"], lookback), row
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_dates_come_late_too(spark: SparkSession) -> None:
    days = [date(2013, 11, day) for day in range(1, 8)]
    table = pa.table({"k": ["a", "a"], "on": [days[0], days[1]], "came": [days[3], days[1]], "x": [1, 2]})
    store = FeatureStore(MemoryTables(spark))
    store.create_table("seen", "k", spark.createDataFrame(table), timestamp_key="on")
    rows = spark.createDataFrame(pa.table({"k": ["a"] * 7, "day": days}))
    lookup = FeatureLookup("seen", "k", ("x",), {}, "day", timedelta(days=3), known_key="came")
    found = store.look_up(rows, lookup).orderBy("day").collect()
    assert [row["x"] for row in found] == [None, 2, 2, 2, 2, None, None]


def test_a_known_key_that_does_not_fit_is_refused(spark: SparkSession) -> None:
    store = FeatureStore(MemoryTables(spark))
    rows = spark.createDataFrame(pa.Table.from_pylist([{"k": "a", "at": NOON, "came": NOON, "x": 1}], SCHEMA))
    store.create_table("seen", "k", rows, timestamp_key="at")
    store.create_table("plain", "k", rows)
    for table, column, message in (
        ("seen", "x", "known_key 'x' must be a timestamp as 'at' is.*it is bigint"),
        ("seen", "when", "there is no such column; there are k, at, came, x"),
        ("plain", "came", "has no timestamp, so no row of it comes late"),
    ):
        time = "at" if table == "seen" else None
        with pytest.raises(DataError, match=message):
            store.look_up(rows.select("k", "at"), FeatureLookup(table, "k", ("x",), {}, time, known_key=column))
