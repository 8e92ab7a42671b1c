"""Streams into feature tables: each row once, also where a batch is committed and its driver dies before it says so."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.errors import DataError, NotBuilt, TableError
from sparkml_track.features import FeatureStore
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark


def planes(*rows: tuple[str, int]) -> pa.Table:
    return pa.table({"tailnum": [row[0] for row in rows], "seats": [row[1] for row in rows]})


@pytest.fixture
def store(tmp_path: Path, spark: SparkSession) -> FeatureStore:
    store = FeatureStore(DeltaTables(tmp_path / "tables", spark))
    store.create_table("planes", "tailnum", spark.createDataFrame(planes(("N1", 1))))
    (tmp_path / "in").mkdir()
    return store


def come(folder: Path, number: int, *rows: tuple[str, int]) -> None:
    pq.write_table(planes(*rows), folder / "in" / f"{number}.parquet")


def stream(folder: Path, spark: SparkSession) -> DataFrame:
    reader = spark.readStream.schema("tailnum string, seats long").option("maxFilesPerTrigger", 1)
    return reader.parquet(str(folder / "in"))


def seats(store: FeatureStore) -> dict[str, int]:
    return {row["tailnum"]: row["seats"] for row in store.tables.to_arrow("planes").to_pylist()}


def test_batches_are_merged_by_key_and_go_on_where_they_were(
    store: FeatureStore, tmp_path: Path, spark: SparkSession
) -> None:
    come(tmp_path, 1, ("N1", 10), ("N2", 20))
    come(tmp_path, 2, ("N2", 21))
    made = store.write_table("planes", stream(tmp_path, spark), checkpoint_location=tmp_path / "seen")
    assert made.wait(60) == store.pinned["planes"]
    assert (seats(store), store.pinned["planes"].version, made.active) == ({"N1": 10, "N2": 21}, 2, False)
    come(tmp_path, 3, ("N3", 30))
    again = store.write_table("planes", stream(tmp_path, spark), "append", checkpoint_location=str(tmp_path / "seen"))
    again.wait()
    assert (seats(store), store.pinned["planes"].version) == ({"N1": 10, "N2": 21, "N3": 30}, 3)


def test_batches_without_rows_are_no_reason_to_stop(store: FeatureStore, tmp_path: Path, spark: SparkSession) -> None:
    for number, mode in enumerate(("merge", "append")):
        for again in range(2):
            come(tmp_path, 10 * number + again, ("N2", 20))
            rows = stream(tmp_path, spark).where("seats < 0")
            how: Any = {"mode": mode, "checkpoint_location": tmp_path / mode}
            store.write_table("planes", rows, **how).wait()
    assert seats(store) == {"N1": 1}


def test_a_batch_that_was_committed_and_not_noted_is_passed_over(
    store: FeatureStore, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    come(tmp_path, 1, ("N2", 20))
    come(tmp_path, 2, ("N3", 30))
    write = store.tables.write

    def dying(name: str, data: Any, **how: Any) -> Any:
        write(name, data, **how)
        raise TableError("the driver died here")

    how: Any = {"mode": "append", "checkpoint_location": tmp_path / "seen"}
    with monkeypatch.context() as patch:
        patch.setattr(store.tables, "write", dying)
        with pytest.raises(TableError, match="the driver died here"):
            store.write_table("planes", stream(tmp_path, spark), **how).wait()
    assert seats(store) == {"N1": 1, "N2": 20}
    store.write_table("planes", stream(tmp_path, spark), **how).wait()
    assert (seats(store), store.tables.latest("planes").version) == ({"N1": 1, "N2": 20, "N3": 30}, 2)


def test_a_batch_that_does_not_fit_says_why_and_stays_to_be_written(
    store: FeatureStore, tmp_path: Path, spark: SparkSession
) -> None:
    come(tmp_path, 1, ("N2", 20))
    come(tmp_path, 2, ("N3", 30), ("N3", 31))
    with pytest.raises((DataError, TableError), match="tailnum") as raised:
        store.write_table("planes", stream(tmp_path, spark), checkpoint_location=tmp_path / "seen").wait()
    assert "\n" not in str(raised.value)
    assert seats(store) == {"N1": 1, "N2": 20}
    come(tmp_path, 2, ("N3", 30))
    store.write_table("planes", stream(tmp_path, spark), checkpoint_location=tmp_path / "seen").wait()
    assert seats(store) == {"N1": 1, "N2": 20, "N3": 30}


def test_a_stream_that_goes_on_is_stopped(store: FeatureStore, tmp_path: Path, spark: SparkSession) -> None:
    how: Any = {"checkpoint_location": tmp_path / "seen", "trigger": {"processingTime": "100 milliseconds"}}
    going = store.write_table("planes", stream(tmp_path, spark), **how)
    assert (going.wait(1), going.active) == (None, True)
    going.stop()
    assert not going.active


def test_what_cannot_be_streamed_is_refused(store: FeatureStore, tmp_path: Path, spark: SparkSession) -> None:
    come(tmp_path, 1, ("N2", 20))
    rows, plain = stream(tmp_path, spark), spark.createDataFrame(planes(("N2", 2)))
    seen = tmp_path / "seen"
    store.write_table("planes", rows, checkpoint_location=seen).wait()
    store.create_table("others", "tailnum", plain)
    (tmp_path / "foreign" / "offsets").mkdir(parents=True)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "feature_table.json").write_text("{")
    for name, given, how, message in (
        ("planes", rows, {}, "are a stream: give checkpoint_location="),
        ("planes", rows, {"checkpoint_location": "s3://bucket/x"}, "checkpoint at s3://bucket/x is not supported"),
        ("planes", rows, {"checkpoint_location": seen, "mode": "overwrite"}, 'give mode="merge" or "append"'),
        ("planes", rows, {"checkpoint_location": seen, "trigger": {"daily": True}}, "trigger=.* is not one"),
        ("planes", plain, {"checkpoint_location": seen}, "are no stream: leave out checkpoint_location"),
        ("others", rows, {"checkpoint_location": seen}, "the checkpoint of a stream into planes"),
        ("planes", rows, {"checkpoint_location": tmp_path / "foreign"}, "the checkpoint of another stream"),
        ("planes", rows, {"checkpoint_location": tmp_path / "broken"}, "cannot be read"),
        ("nosuch", rows, {"checkpoint_location": seen}, "there is no table nosuch"),
    ):
        with pytest.raises((DataError, TableError, NotBuilt), match=message):
            store.write_table(name, given, **how)  # type: ignore[call-overload]
    store.drop_table("planes")
    store.create_table("planes", "tailnum", plain)
    with pytest.raises(TableError, match="has none of them: it was made anew"):
        store.write_table("planes", rows, checkpoint_location=seen)


DRIVER = """
import os, signal, sys
from sparkml_track.api.session import local_or_active
from sparkml_track.config.settings import SparkSettings
from sparkml_track.features import FeatureStore
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables
folder, moment = sys.argv[1], sys.argv[2]
spark = local_or_active(SparkSettings(master="local[1]"), Home.find(folder + "/home").make())
tables = DeltaTables(folder + "/tables", spark)
merge = tables.merge

def dying(name, data, **how):
    if how["transaction"][1] == 1:
        if moment == "after":
            merge(name, data, **how)
        os.kill(os.getpid(), signal.SIGKILL)
    return merge(name, data, **how)

tables.merge = dying
rows = spark.readStream.schema("tailnum string, seats long").option("maxFilesPerTrigger", 1).parquet(folder + "/in")
FeatureStore(tables).write_table("planes", rows, checkpoint_location=folder + "/seen").wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_driver_that_is_killed_around_a_commit_leaves_each_batch_once(
    store: FeatureStore, tmp_path: Path, spark: SparkSession, moment: str
) -> None:
    for number in range(3):
        come(tmp_path, number, (f"N{number}", 10 * number))
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path), moment], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert store.tables.latest("planes").version == (1 if moment == "before" else 2)
    store.write_table("planes", stream(tmp_path, spark), checkpoint_location=tmp_path / "seen").wait()
    assert (seats(store), store.tables.latest("planes").version) == ({"N0": 0, "N1": 10, "N2": 20}, 3)
    assert json.loads((tmp_path / "seen" / "feature_table.json").read_text())["table"] == "planes"
