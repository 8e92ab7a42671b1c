"""Planted leaks are found, and features that know nothing of the future are not accused."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from sparkml_track.errors import DataError, TableError
from sparkml_track.features import FeatureLookup, FeatureStore, Rolling, TrainingSet, rolling
from sparkml_track.features.leaks import AuditReport, Known, audit
from sparkml_track.tables import DeltaTables, MemoryTables, TableExpectations, Tables

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

START = datetime(2013, 1, 1, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")
KNOWN = {"trips": Known("arrived", ("delay", "late")), "wind": "known_at"}


def fill(tables: Tables) -> Tables:
    """Trips of two carriers, the wind of each hour, and a fact that holds for all time."""
    chance, number = random.Random(4), 600
    asked = [START + timedelta(minutes=30 * place) for place in range(number)]
    delay = [chance.randrange(-20, 60) for _ in range(number)]
    trips = {
        "id": range(number), "carrier": [chance.choice("AB") for _ in range(number)], "asked": pa.array(asked, INSTANT),
        "arrived": pa.array([at + timedelta(hours=3) for at in asked], INSTANT), "delay": delay,
        "late": [one > 15 for one in delay], "miles": [chance.randrange(100, 900) for _ in range(number)],
    }  # fmt: skip
    hours = [START + timedelta(hours=place) for place in range(400)]
    wind = {"known_at": pa.array(hours, INSTANT), "place": ["X"] * 400, "speed": [chance.random() for _ in hours]}
    tables.write("trips", pa.table(trips), expect=TableExpectations(keys=("id",)))
    tables.write("wind", pa.table(wind), expect=TableExpectations(keys=("place",), timestamp="known_at"))
    tables.write(
        "fleet", pa.table({"carrier": ["A", "B"], "planes": [30, 50]}), expect=TableExpectations(keys=("carrier",))
    )
    return tables


def build(
    store: FeatureStore, plant: Callable[[FeatureStore, DataFrame], DataFrame] = lambda _, rows: rows
) -> TrainingSet:
    """Honest features, and what is planted beside them."""
    trips = store.read("trips")
    past = rolling(trips, Rolling(("carrier",), "arrived", ("1d",), count="trips", means={"share": "late"}))
    store.create_table("past", "carrier", past, timestamp_key="known_at", replace=True)
    rows = trips.select("id", "carrier", "asked", "miles", F.lit("X").alias("place"), F.col("late").cast("int"))
    lookups = [
        FeatureLookup("past", "carrier", timestamp_lookup_key="asked"),
        FeatureLookup("wind", "place", timestamp_lookup_key="asked"),
        FeatureLookup("fleet", "carrier"),
    ]
    rows = plant(store, rows)
    return store.create_training_set(
        rows, lookups, "late", keys="id", carry=("asked", "carrier"), exclude_columns="place"
    )


def average(store: FeatureStore, rows: DataFrame) -> DataFrame:
    """A mean over all time."""
    return rows.join(store.read("trips").groupBy("carrier").agg(F.avg("delay").alias("usual")), "carrier")


def copied(store: FeatureStore, rows: DataFrame) -> DataFrame:
    """The label under another name."""
    return rows.withColumn("was_late", F.col("late") * 3.5)


def own_delay(store: FeatureStore, rows: DataFrame) -> DataFrame:
    """What is known only after landing."""
    return rows.join(store.read("trips").selectExpr("id", "delay div 10 as tens"), "id")


def timeless(store: FeatureStore, rows: DataFrame) -> DataFrame:
    """A join without time: the wind of the hour that begins after the question."""
    wind = store.read("wind").selectExpr("known_at", "speed as next_speed")
    return rows.join(
        wind, F.col("known_at") == F.date_trunc("hour", F.col("asked")) + F.expr("interval '1' hour"), "left"
    ).drop("known_at")


def found(report: AuditReport) -> tuple[set[str], set[str]]:
    return {leak.feature for leak in report.leaks}, {hint.feature for hint in report.hints}


@pytest.fixture(scope="module")
def tables(spark: SparkSession) -> Tables:
    return fill(MemoryTables(spark))


def test_features_that_know_only_the_past_are_not_accused(tables: Tables) -> None:
    before = {name: tables.latest(name) for name in tables.names()}
    # Nobody says what of a trip was known all along, so trips under way are not compared, and the copy is only a hint.
    report = audit(tables, lambda store: build(store, copied), time="asked", known={"trips": "arrived"}, cuts=1)
    assert (report.ok, found(report)) == (True, (set(), {"was_late"}))
    assert report.features == ("miles", "was_late", "trips_1d", "share_1d", "speed", "planes")
    assert report.timeless == ("fleet",)
    assert report.moved == {
        "trips": "rows whose arrived is later taken out",
        "wind": "rows whose known_at is later taken out",
    }
    assert [(cut.rows, cut.gone) for cut in report.cuts] == [(300, 6)]
    assert {name: tables.latest(name) for name in tables.names()} == before
    assert "no feature changes with what became known later" in str(report)
    assert "was_late alone predicts the label with AUC 1.000: does it know the label? A hint, no proof" in str(report)


def test_planted_leaks_are_found(tmp_path: Path, spark: SparkSession) -> None:
    def plant(store: FeatureStore, rows: DataFrame) -> DataFrame:
        for one in (average, timeless, own_delay, copied):
            rows = one(store, rows)
        return rows

    def adding(store: FeatureStore) -> TrainingSet:
        assert store.read_table("trips", version=0).count() == 600
        more = store.tables.read("fleet").withColumn("carrier", F.lit("C"))
        store.write_table("fleet", more.limit(1), "append")
        assert store.tables.to_arrow("fleet", ["planes"]).num_rows == 3
        return build(store, plant)

    tables = fill(DeltaTables(tmp_path / "tables", spark))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    # What a killed audit left; that of a living process, or of another host, stays.
    left = [f".audit-{socket.gethostname()}-{pid}-0a" for pid in (gone.pid, os.getpid())] + [".audit-elsewhere-1-0a"]
    for name in left:
        (tmp_path / "tables" / name).mkdir()
    moment = START + timedelta(days=5)
    report = audit(tables, adding, time="asked", known=KNOWN, cuts=[moment])
    assert found(report) == ({"usual", "next_speed", "tens", "was_late"}, {"tens", "was_late"}), str(report)
    rows = {leak.feature: leak.rows for leak in report.leaks}
    assert (rows["usual"], rows["next_speed"]) == (241, 1)
    # Only trips that are under way at the cut can differ, and not all of them need to.
    assert 0 < rows["was_late"] <= 6 and 0 < rows["tens"] <= 6
    assert report.moved["trips"] == "arrived, delay, late changed in rows whose arrived is later"
    assert tables.latest("fleet").version == 0
    leak = report.leaks[-1]
    assert leak.example.startswith("id=") and " became " in leak.example
    assert f"leak: {leak}" in str(report)
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"fleet", "trips", "wind", *left[1:]}
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="is there already; an audit deletes its folder"):
        audit(tables, build, time="asked", folder=tmp_path / "there")


def test_what_cannot_be_audited_is_refused(tables: Tables) -> None:
    def by_files(store: FeatureStore) -> TrainingSet:
        store.tables.files("trips")
        return build(store)

    def bare(store: FeatureStore) -> TrainingSet:
        return store.create_training_set(
            store.read("trips").select("id", "late", "asked"), [], "late", keys="id", carry="asked"
        )

    for builder, how, message in (
        (build, {"time": "then"}, "no column 'then' with the prediction time; it has id"),
        (build, {"known": {"trip": "arrived"}}, "known names trip; there is no such table, there are fleet"),
        (build, {"known": {"trips": "landed"}}, "trips@v0 has no column landed; it has id"),
        (build, {"cuts": [START - timedelta(days=9)]}, "no row of the training set has its asked at 2012-12-23"),
        (build, {"cuts": 0}, "0 cuts say nothing"),
        (by_files, {}, "tables.files is not possible under an audit"),
        (bare, {}, "has no features, so there is nothing to audit"),
        (
            lambda store: build(store, lambda _, rows: rows.withColumn("x", F.col("nosuch"))),
            {},
            "building features for the audit failed in Spark",
        ),
    ):
        with pytest.raises((DataError, TableError), match=message):
            audit(tables, builder, **{"time": "asked", **how})  # type: ignore[arg-type]
