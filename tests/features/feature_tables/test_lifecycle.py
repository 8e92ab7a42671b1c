from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.features import FeatureLookup, FeatureStore
from sparkml_track.tables import DeltaTables, MemoryTables

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark


def seats(spark: SparkSession, number: int) -> DataFrame:
    return spark.createDataFrame(pa.table({"tailnum": ["N1"], "seats": [number]}))


@pytest.fixture
def store(spark: SparkSession) -> FeatureStore:
    return FeatureStore(MemoryTables(spark))


def test_a_table_is_read_at_a_version_or_as_it_was_at_a_time(store: FeatureStore, spark: SparkSession) -> None:
    store.create_table("planes", "tailnum", seats(spark, 1))
    between = datetime.now(UTC)
    while datetime.now(UTC) <= between:
        time.sleep(0.001)
    store.write_table("planes", seats(spark, 2))
    read = [
        store.read_table("planes"),
        store.read_table("planes", version=0),
        store.read_table("planes", timestamp=between),
        FeatureStore(store.tables).read_table("planes", timestamp=datetime.now(UTC) + timedelta(days=1)),
    ]
    assert [[row["seats"] for row in frame.collect()] for frame in read] == [[2], [1], [1], [2]]


def test_what_cannot_be_read_is_refused(store: FeatureStore, spark: SparkSession) -> None:
    store.create_table("planes", "tailnum", seats(spark, 1))
    store.tables.write("raw", seats(spark, 1))
    moment = datetime.now(UTC)
    for name, how, message in (
        ("planes", {"version": 0, "timestamp": moment}, "not at both: leave one of them out"),
        ("planes", {"version": 7}, "no version 7"),
        ("planes", {"timestamp": moment - timedelta(days=1)}, "planes"),
        ("planes", {"timestamp": moment.replace(tzinfo=None)}, "zone"),
        ("plane", {}, r"Did you mean planes\?"),
        ("raw", {"version": 0}, "raw is not a feature table"),
    ):
        with pytest.raises((DataError, TableError), match=message):
            store.read_table(name, **how)  # type: ignore[arg-type]


def test_a_dropped_table_says_what_is_kept(tmp_path: Path, spark: SparkSession) -> None:
    store = FeatureStore(DeltaTables(tmp_path, spark))
    store.create_table("planes", "tailnum", seats(spark, 1))
    store.tables.write("raw", seats(spark, 1))
    with pytest.raises(TableError, match="raw is not a feature table"):
        store.drop_table("raw")
    with pytest.raises(TableError, match="there is no table plane"):
        store.drop_table("plane")
    dropped = store.drop_table("planes")
    assert (dropped.ref.version, store.tables.names(), store.pinned) == (0, ("raw",), {})
    assert f"its versions lie in {dropped.kept}: move that folder back" in str(dropped)
    with pytest.raises(TableError, match="there is no table planes"):
        store.look_up(seats(spark, 1), FeatureLookup("planes", "tailnum"))
    store.create_table("planes", "tailnum", seats(spark, 3))
    assert [row["seats"] for row in store.read_table("planes").collect()] == [3]


def test_a_dropped_table_of_the_twin_is_gone(store: FeatureStore, spark: SparkSession) -> None:
    store.create_table("planes", "tailnum", seats(spark, 1))
    assert "its versions were in memory and are gone" in str(store.drop_table("planes"))


def test_what_lacks_its_key_or_its_timestamp_is_no_feature_table(store: FeatureStore, spark: SparkSession) -> None:
    moment = pa.array([datetime(2013, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC"))
    rows = spark.createDataFrame(pa.table({"k": ["a", "b"], "at": moment, "x": [1, 2]}))
    for keys, timestamp, message in (
        ("q", "at", "table w have no column 'q', its primary key; they have k, at, x"),
        ("k", "when", "table w have no column 'when', its timestamp"),
        ((), "at", "table w needs primary keys, by which its rows are looked up"),
        (("k", "k"), None, "has 'k' twice among its primary keys and its timestamp"),
        ("k", "k", "has 'k' twice"),
        ("k", "at", "1 nulls in 'at'"),
    ):
        with pytest.raises((DataError, TableError), match=message) as raised:
            store.create_table("w", keys, rows, timestamp_key=timestamp)
        assert "\n" not in str(raised.value)
    assert store.tables.names() == ()
    store.create_table("w", "k", rows.where("x = 1"), timestamp_key="at")
    with pytest.raises((DataError, TableError), match="at"):
        store.write_table("w", rows.drop("at"))
    with pytest.raises(DataError, match="'at'"):
        store.write_table("w", rows)
