from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.features.asof import Asof, point_in_time
from sparkml_track.features.asof.contract import Side
from sparkml_track.features.asof.local import LEAST, by_duckdb
from sparkml_track.features.asof.window import by_window
from sparkml_track.governance.sources.columns import columns_written
from sparkml_track.governance.sources.watch import Watch
from sparkml_track.tables import DeltaTables
from sparkml_track.testing.asof import PointInTimeCase

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
ROWS = pa.table({"id": [1, 2], "k": ["a", "b"], "t": [NOON, NOON]})
FEATURES = pa.table({"key": ["a", "b"], "at": [NOON, NOON], "x": [1, 2]})
HOW = Asof({"k": "key"}, {"x": "x"}, "t", "at")


def on_disk(session: SparkSession, table: pa.Table, folder: Path) -> DataFrame:
    path = folder / f"it's {uuid.uuid4().hex}.parquet"
    pq.write_table(table, path)
    return session.read.parquet(str(path))


class Ways(PointInTimeCase):
    @pytest.fixture
    def session(self, spark: SparkSession, tmp_path: Path) -> SparkSession:
        self.folder = tmp_path
        return spark

    def read(
        self, session: SparkSession, rows: pa.Table, sides: Sequence[tuple[pa.Table, Asof]]
    ) -> tuple[DataFrame, list[Side]]:
        given = [Side(on_disk(session, features, self.folder), how) for features, how in sides]
        return on_disk(session, rows, self.folder), given


class TestWindow(Ways):
    def joined(self, session: SparkSession, rows: pa.Table, sides: Sequence[tuple[pa.Table, Asof]]) -> DataFrame:
        return by_window(*self.read(session, rows, sides))


class TestDuckDB(Ways):
    """Types that DuckDB does not carry go by the window."""

    def joined(self, session: SparkSession, rows: pa.Table, sides: Sequence[tuple[pa.Table, Asof]]) -> DataFrame:
        left, given = self.read(session, rows, sides)
        window = by_window(left, given)
        found = by_duckdb(left, given, least=0)
        if found is not None:
            assert found.schema == window.schema
        return found or window


def test_rows_of_any_data_frame_are_fed_to_duckdb(spark: SparkSession, tmp_path: Path) -> None:
    rows = on_disk(spark, ROWS, tmp_path).where("id > 1").unionAll(spark.createDataFrame(ROWS))
    sides = [Side(on_disk(spark, FEATURES, tmp_path), HOW)]
    joined = by_duckdb(rows, sides, least=0)
    assert joined is not None
    assert sorted(map(tuple, joined.select("id", "x").collect())) == [(1, 1), (2, 2), (2, 2)]
    none = by_duckdb(rows.where("id > 9"), sides, least=0)
    assert none is not None
    assert none.collect() == []


def test_the_worker_that_ran_the_join_is_used_again(spark: SparkSession, tmp_path: Path) -> None:
    sides = [Side(on_disk(spark, FEATURES, tmp_path), HOW)]

    def worker(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            yield pa.RecordBatch.from_arrays([pa.array([os.getpid()])], ["pid"])

    def pids() -> set[int]:
        return {row["pid"] for row in spark.range(0, 1, 1, 1).mapInArrow(worker, "pid long").collect()}

    for rows in (on_disk(spark, ROWS, tmp_path), spark.createDataFrame(ROWS)):
        before = pids()
        joined = by_duckdb(rows, sides, least=0)
        assert joined is not None
        assert len(joined.collect()) == 2
        assert pids() == before


def test_what_is_computed_from_the_join_says_what_duckdb_read(spark: SparkSession, tmp_path: Path) -> None:
    tables = DeltaTables(tmp_path / "it's 100%, a, b", spark)
    refs = [tables.write(name, given) for name, given in (("rows", ROWS), ("known", FEATURES), ("other", FEATURES))]
    rows, known = tables.read("rows"), tables.read("known")
    watch = Watch(dict.fromkeys(refs))
    sides = [Side(known, HOW)]
    for given in (rows, rows.where("id > 0")):
        joined = by_duckdb(given, sides, least=0)
        assert joined is not None
        assert set(watch.sources(joined.where("x > 0").groupBy("k").count())) == {refs[0], refs[1]}
        ways = [joined, point_in_time(given, known, HOW)]
        for columns in (columns_written(refs[2], way.where("id > 1"), "overwrite", watch, tables) for way in ways):
            assert columns is not None
            said = {name: {f"{ref.name}.{one}" for ref, one in each} for name, each in columns.items()}
            assert said["t"] - {"known.at", "known.key", "rows.k"} == {"rows.id", "rows.t"}
            assert said["x"] == {"known.at", "known.key", "known.x", "rows.id", "rows.k", "rows.t"}


def test_small_features_and_those_that_are_computed_go_by_the_window(spark: SparkSession, tmp_path: Path) -> None:
    rows, known = on_disk(spark, ROWS, tmp_path), on_disk(spark, FEATURES, tmp_path)
    assert "MapInArrow" not in plan(point_in_time(rows, known, HOW))
    for features, taken in (
        (known, True),
        (known.selectExpr("x", "key", "at"), True),
        (table_of(spark, tmp_path), True),
        (known.where("x > 1"), False),
        (known.selectExpr("key", "at", "x + 1L as x"), False),
        (spark.createDataFrame(FEATURES), False),
    ):
        assert (by_duckdb(rows, [Side(features, HOW)], least=0) is not None) == taken
    assert LEAST > 0


def test_files_that_another_reader_would_read_otherwise_go_by_the_window(spark: SparkSession, tmp_path: Path) -> None:
    rows = on_disk(spark, ROWS, tmp_path)
    old = FEATURES.replace_schema_metadata({"org.apache.spark.legacyDateTime": ""})
    wide = FEATURES.set_column(2, "x", pa.array([1, 2], pa.int32()))
    cases = [
        spark.read.schema("key string, at timestamp, x bigint").parquet(path(tmp_path, each)) for each in (old, wide)
    ]
    pq.write_to_dataset(FEATURES, tmp_path / "parted", partition_cols=["x"])
    cases.append(spark.read.parquet(str(tmp_path / "parted")).selectExpr("key", "at", "cast(x as bigint) as x"))
    for features in cases:
        sides = [Side(features, HOW)]
        assert by_duckdb(rows, sides, least=0) is None


def table_of(spark: SparkSession, folder: Path) -> DataFrame:
    tables = DeltaTables(folder / "tables", spark)
    large = FEATURES.cast(pa.schema([("key", pa.large_string()), *list(FEATURES.schema)[1:]]))
    tables.write("known", large)
    return tables.read("known")


def path(folder: Path, table: pa.Table) -> str:
    file = folder / f"{uuid.uuid4().hex}.parquet"
    pq.write_table(table, file)
    return str(file)


def plan(frame: DataFrame) -> str:
    return str(frame._jdf.queryExecution().executedPlan())  # type: ignore[operator]
