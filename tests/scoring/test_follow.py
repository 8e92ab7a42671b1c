"""Rows are scored as they come, each once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkml_track.errors import DataError, RegistryError, TableError
from sparkml_track.registries import MemoryRegistry, Run
from sparkml_track.scoring import Follow, Followed, score_new, score_stream
from sparkml_track.tables import DeltaTables
from tests.scoring.test_flow import fitted, rows

pytestmark = pytest.mark.spark
SCHEMA = "flight bigint, month bigint, wind double, late bigint, carrier string"


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    for sign in (1.0, -1.0):
        registry.register("delay", fitted(sign), Run("model", "m", "tests"))
    registry.set_alias("delay", "champion", 1)
    return registry


@pytest.fixture
def tables(spark: SparkSession, tmp_path: Path) -> DeltaTables:
    return DeltaTables(tmp_path / "tables", spark)


FOLLOW = Follow("delay", "scores", "tests")


def flights(tables: DeltaTables, name: str = "scores") -> list[int]:
    return sorted(tables.to_arrow(name)["flight"].to_pylist())


def test_each_call_scores_what_came_since(tables: DeltaTables, registry: MemoryRegistry) -> None:
    all_rows = rows(30)
    tables.write("arrivals", all_rows.slice(0, 10))
    first = score_new("arrivals", FOLLOW, tables, registry)
    assert (first.rows, first.bad, first.batches) == (10, 0, 1)
    tables.write("arrivals", all_rows.slice(10, 5), mode="append")
    tables.write("arrivals", all_rows.slice(15, 15), mode="append")
    registry.set_alias("delay", "champion", 2)
    second = score_new("arrivals", FOLLOW, tables, registry)
    assert (second.rows, [each.version for each in second.models]) == (20, [2])
    third = score_new("arrivals", FOLLOW, tables, registry)
    assert (third.rows, third.batches, third.run_id, third.table) == (0, 0, "", second.table)
    assert flights(tables) == list(range(30))
    versions = tables.to_arrow("scores").to_pandas().groupby("model_version").size().to_dict()
    assert versions == {1: 10, 2: 20}
    assert registry.runs[second.run_id].metrics["rows"] == 20


def test_bad_rows_are_kept_with_their_reason(tables: DeltaTables, registry: MemoryRegistry) -> None:
    wind = pa.array([None if place % 2 else 1.0 for place in range(8)], pa.float64())
    tables.write("arrivals", rows(8).set_column(2, "wind", wind))
    found = score_new("arrivals", FOLLOW, tables, registry)
    assert (found.rows, found.bad) == (8, 4)


def test_a_source_that_was_made_anew_is_refused(tables: DeltaTables, registry: MemoryRegistry, tmp_path: Path) -> None:
    for _ in range(2):
        tables.write("arrivals", rows(2), mode="append")
    score_new("arrivals", FOLLOW, tables, registry)
    (tmp_path / "tables" / "arrivals").rename(tmp_path / "old")
    tables.write("arrivals", rows(2))
    with pytest.raises(TableError, match=r"it was made anew\. Score it into another table"):
        score_new("arrivals", FOLLOW, tables, registry)


def test_what_cannot_be_scored_is_named_before_anything_is_written(
    tables: DeltaTables, registry: MemoryRegistry
) -> None:
    tables.write("arrivals", rows(3).drop_columns(["wind"]))
    with pytest.raises(DataError, match="column 'wind' \\(double\\) is missing"):
        score_new("arrivals", FOLLOW, tables, registry)
    with pytest.raises(RegistryError, match="has the alias 'best'"):
        score_new("arrivals", replace(FOLLOW, alias="best"), tables, registry)
    assert not tables.exists("scores")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


def put(folder: Path, data: pa.Table, files: int) -> None:
    size = data.num_rows // files
    for number in range(files):
        part = data.slice(number * size, size)
        pq.write_table(part, folder / f"{part['flight'][0]}.parquet")


def stream(spark: SparkSession, folder: Path, per_batch: int = 1000) -> DataFrame:
    return spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", per_batch).parquet(str(folder))


def test_files_are_scored_as_they_arrive(
    spark: SparkSession, tables: DeltaTables, registry: MemoryRegistry, folder: Path, tmp_path: Path
) -> None:
    def call() -> Followed:
        rows_ = stream(spark, folder, 40)
        return score_stream(rows_, FOLLOW, tables, registry, tmp_path / "checkpoint")

    put(folder, rows(1200).slice(0, 1000), 100)
    assert (call().rows, flights(tables)) == (1000, list(range(1000)))
    put(folder, rows(1200).slice(1000), 2)
    found = call()
    assert (found.rows, found.batches, flights(tables)) == (200, 1, list(range(1200)))


def test_a_batch_that_was_written_and_not_noted_is_not_written_again(
    spark: SparkSession,
    tables: DeltaTables,
    registry: MemoryRegistry,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(folder, rows(20), 2)
    write = DeltaTables.write

    def killed(self: DeltaTables, *args: Any, **kwargs: Any) -> None:
        write(self, *args, **kwargs)
        raise TableError("killed")

    monkeypatch.setattr(DeltaTables, "write", killed)
    with pytest.raises(TableError, match=r"^killed$"):
        score_stream(stream(spark, folder), FOLLOW, tables, registry, tmp_path / "checkpoint")
    monkeypatch.setattr(DeltaTables, "write", write)
    found = score_stream(stream(spark, folder), FOLLOW, tables, registry, tmp_path / "checkpoint")
    assert (found.batches, flights(tables)) == (0, list(range(20)))


def test_rows_that_are_no_stream_are_refused(
    spark: SparkSession, tables: DeltaTables, registry: MemoryRegistry, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="are not a stream"):
        score_stream(spark.range(3), FOLLOW, tables, registry, tmp_path)
