from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError, TableError
from sparkml_track.tables import DeltaTables, MemoryTables, TableExpectations, Tables
from sparkml_track.tables._delta import staging
from sparkml_track.testing.tables import TablesCase

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

KEYED = TableExpectations(keys=("k",))


class TestDeltaOnSpark(TablesCase):
    @pytest.fixture
    def tables(self, tmp_path: Path, spark: SparkSession) -> Tables:
        self.root = tmp_path / "tables"
        return DeltaTables(self.root, spark)

    def reopened(self, tables: Tables) -> Tables:
        return DeltaTables(self.root)


class TestMemoryOnSpark(TablesCase):
    @pytest.fixture
    def tables(self, spark: SparkSession) -> Tables:
        return MemoryTables(spark)


@pytest.fixture
def tables(tmp_path: Path, spark: SparkSession) -> DeltaTables:
    return DeltaTables(tmp_path, spark)


def test_a_frame_is_written_by_spark_and_read_by_all(tables: DeltaTables, tmp_path: Path, spark: SparkSession) -> None:
    frame = spark.range(1000).selectExpr("id", "cast(id % 7 as int) as day", "timestamp_seconds(id) as at")
    ref = tables.write("t", frame.repartition(3), expect=TableExpectations(keys=("id",), timestamp="at", rows=1000))
    assert tables.describe(ref).columns == {"id": "long", "day": "integer", "at": "timestamp"}
    assert deltalake.DeltaTable(tmp_path / "t").to_pyarrow_table().num_rows == 1000
    assert tables.read(ref).selectExpr("sum(id) as s").collect()[0]["s"] == 499_500
    left = [path.name for path in (tmp_path / "t").rglob("*") if path.is_file() and path.suffix != ".json"]
    assert left
    assert all(name.startswith("part-") for name in left)


def test_instants_are_stored_as_delta_wants_them(tables: DeltaTables, tmp_path: Path, spark: SparkSession) -> None:
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    tables.write("t", spark.sql("select timestamp'2013-07-04 12:00:00.123456' as at"))
    file = next((tmp_path / "t").glob("write-*/*.parquet"))
    assert str(pq.read_schema(file).field("at").type) == "timestamp[us, tz=UTC]"
    assert pq.read_metadata(file).row_group(0).column(0).physical_type == "INT64"


def test_columns_are_checked_before_anything_is_computed(tables: DeltaTables, spark: SparkSession) -> None:
    poison = spark.range(3).selectExpr("raise_error('computed') as k")
    with pytest.raises(DataError, match="key column 'x' is missing"):
        tables.write("t", poison.selectExpr("cast(k as string) as k"), expect=TableExpectations(keys=("x",)))
    with pytest.raises(DataError, match="'k' has the type void"):
        tables.write("t", poison)


def test_a_job_that_fails_is_one_error_and_leaves_no_table(
    tables: DeltaTables, tmp_path: Path, spark: SparkSession
) -> None:
    frame = spark.range(3).selectExpr("if(id = 2, raise_error('row 2 is bad'), id) as k")
    with pytest.raises(TableError, match="writing table t failed in Spark") as raised:
        tables.write("t", frame)
    assert "\n" not in str(raised.value)
    assert not tables.exists("t")


def test_errors_of_py4j_are_translated() -> None:
    from py4j.protocol import Py4JNetworkError

    with pytest.raises(TableError, match="it failed in Spark: no JVM"), translated("it", TableError):
        raise Py4JNetworkError("no JVM")


def test_a_frame_without_rows_makes_an_empty_version(tables: DeltaTables, spark: SparkSession) -> None:
    ref = tables.write("t", spark.range(3).where("id > 5"), expect=TableExpectations(keys=("id",)))
    assert tables.read(ref).count() == 0
    assert tables.read(ref).columns == ["id"]
    with pytest.raises(DataError, match="0 rows, expected at least 1"):
        tables.write("u", spark.range(3).where("id > 5"), expect=TableExpectations(min_rows=1))


def test_null_and_repeated_keys_of_a_frame_are_refused(
    tables: DeltaTables, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="1 nulls in 'k'"):
        tables.write("t", spark.sql("select * from values ('a', 1), (null, 2) as t(k, v)"), expect=KEYED)
    twice = spark.sql("select * from values ('a', 1), ('b', 2), ('b', 3) as t(k, v)")
    with pytest.raises(DataError, match=r"for example {'k': 'b'}"):
        tables.write("t", twice, expect=KEYED)
    monkeypatch.setattr(staging, "_ROWS_IN_MEMORY", 2)  # more are compared by Spark
    with pytest.raises(DataError, match=r"for example {'k': 'b'}"):
        tables.write("t", twice, expect=KEYED)
    assert list((tmp_path / "t").glob("write-*")) == []


def test_the_roles_of_a_table_do_not_travel_with_its_frames(tables: DeltaTables, spark: SparkSession) -> None:
    tables.write("t", spark.range(3), expect=TableExpectations(keys=("id",)))
    ref = tables.write("u", tables.read("t").selectExpr("id", "id % 2 as v"))
    assert tables.describe(ref).keys == ()


def test_a_frame_merges(tables: DeltaTables, spark: SparkSession) -> None:
    tables.write("t", spark.range(3).selectExpr("id", "0 as v"))
    tables.merge("t", spark.range(2, 4).selectExpr("id", "1 as v"), keys=["id"])
    assert sorted(map(tuple, tables.read("t").collect())) == [(0, 0), (1, 0), (2, 1), (3, 1)]


def test_a_partitioned_table_of_others_is_read_with_its_values(tables: DeltaTables, tmp_path: Path) -> None:
    rows = pa.table({"k": ["a b", None, "c"], "n": pa.array([1, 2, 2], pa.int32()), "v": [1, 2, 3]})
    deltalake.write_deltalake(tmp_path / "t", rows, partition_by=["k", "n"])
    found = {tuple(row) for row in tables.read("t").select("k", "n", "v").collect()}
    assert found == {("a b", 1, 1), (None, 2, 2), ("c", 2, 3)}


@pytest.mark.parametrize("folder", ["a b", "[x]{y}*"])
def test_any_folder_can_be_read_by_spark(tmp_path: Path, spark: SparkSession, folder: str) -> None:
    tables = DeltaTables(tmp_path / folder, spark)
    tables.write("t", spark.range(3))
    tables.write("t", pa.table({"id": [7]}), mode="append")
    assert tables.read("t").count() == 4


def test_a_frame_without_a_session_is_refused(tmp_path: Path, spark: SparkSession) -> None:
    with pytest.raises(TableError, match="opened without one"):
        DeltaTables(tmp_path).write("t", spark.range(1))


def test_partition_values_come_from_the_log_whatever_folders_are_called(
    tables: DeltaTables, tmp_path: Path, spark: SparkSession
) -> None:
    values = ["\u00fcml\u00e4ut", "a b/c=d", "100%", None]
    rows = pa.table({"x%20x": values, "n": [1, 2, 3, 4], "day": [date(2013, 1, number) for number in (1, 2, 3, 4)]})
    deltalake.write_deltalake(tmp_path / "p", rows, partition_by=["x%20x", "day"])
    found = sorted((row["n"], row["x%20x"], row["day"]) for row in tables.read("p").collect())
    assert found == list(zip([1, 2, 3, 4], values, rows["day"].to_pylist(), strict=True))
    assert tables.read("p").columns == list(tables.describe("p").columns)


def test_a_frame_with_nested_columns_is_appended(tables: DeltaTables, spark: SparkSession) -> None:
    rows = pa.table(
        {
            "many": [[1, 2]],
            "pair": [{"x": 1, "y": [2]}],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    for name, later in (("t", spark.createDataFrame(rows)), ("u", rows)):
        tables.write(name, rows)
        tables.write(name, later, mode="append")
        assert tables.to_arrow(name).num_rows == 2
