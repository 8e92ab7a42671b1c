"""Delta tables in an object store, written and read by Spark's tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.governance.sources.watch import Watch
from sparkml_track.tables import DeltaTables, TableExpectations
from sparkml_track.testing.objects import KEY, SECRET, ObjectServer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(s3: str, spark: SparkSession) -> DeltaTables:
    return DeltaTables(s3, spark)


def test_a_frame_is_written_and_read_by_tasks(tables: DeltaTables, s3: str, spark: SparkSession) -> None:
    frame = spark.range(1000).selectExpr(
        "id", "cast(id % 7 as int) as day", "timestamp_seconds(id) as at", "array(named_struct('x', id)) as deep",
        "map('a', id) as named", "cast(id as decimal(10,2)) as `price.net`", "if(id = 3, null, 'ü') as word",
    )  # fmt: skip
    expect = TableExpectations(keys=("id",), timestamp="at", rows=1000)
    ref = tables.write("t", frame.repartition(3), expect=expect)
    plain = DeltaTables(s3).to_arrow(ref)
    assert plain.num_rows == 1000
    assert plain.schema.field("at").type == pa.timestamp("us", "UTC")
    assert tables.describe(ref).columns["price.net"] == "decimal(10,2)"
    found = tables.read(ref)
    assert found.schema.simpleString() == frame.schema.simpleString()
    assert found.drop("named").exceptAll(frame.drop("named")).count() == 0
    assert found.selectExpr("sum(named['a']) as s", "count(word) as w").collect()[0].asDict() == {
        "s": 499_500,
        "w": 999,
    }
    with pytest.raises(DataError, match="are in the table already"):
        tables.write("t", frame.limit(1), mode="append")
    assert len(DeltaTables(s3).vacuum("t", timedelta(0))) == 0


def test_a_frame_says_which_of_the_tables_it_is_computed_from(tables: DeltaTables, spark: SparkSession) -> None:
    refs = [tables.write(name, spark.range(3)) for name in ("a", "b")]
    watch = Watch(dict.fromkeys(refs))
    frame = tables.read("a").where("id > 1")
    assert watch.sources(frame) == watch.sources(frame.cache()) == (refs[0],)
    frame.unpersist()


def test_rows_change_by_spark_jobs(tables: DeltaTables, s3: str, spark: SparkSession) -> None:
    tables.write("t", spark.range(10).selectExpr("id", "'old' as v").coalesce(1))
    tables.write("t", spark.range(10, 20).selectExpr("id", "'old' as v").coalesce(1), mode="append")
    before = set(tables.files("t"))
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    tables.merge("t", spark.range(8, 10).union(spark.range(30, 31)).selectExpr("id", "'new' as v"), keys=["id"])
    assert len(before & set(tables.files("t"))) == 1
    tables.update("t", "id = 12", {"v": "'changed'"})
    tables.delete("t", "id < 5")
    rows = {row["id"]: row["v"] for row in DeltaTables(s3).to_arrow("t").to_pylist()}
    assert sorted(rows) == [*range(5, 20), 30]
    assert (rows[8], rows[12], rows[30], rows[7]) == ("new", "changed", "new", "old")
    changes = [(row["id"], row["v"], row["_change_type"]) for row in tables.changes("t", 3).to_pylist()]
    assert sorted(changes) == sorted(
        [(n, "old", "update_preimage") for n in (8, 9, 12)]
        + [(8, "new", "update_postimage"), (9, "new", "update_postimage"), (12, "changed", "update_postimage")]
        + [(30, "new", "insert"), *((n, "old", "delete") for n in range(5))]
    )
    assert len(tables.files(tables.optimize("t"))) == 1
    assert tables.read("t").count() == 16


def test_partitions_and_columns_that_came_later(tables: DeltaTables, s3: str, spark: SparkSession) -> None:
    frame = spark.createDataFrame([("a", 1, True), (None, 2, False), ("a", 3, True)], "k string, v int, yes boolean")
    tables.write("t", frame, partition_by=["k", "yes"])
    more = spark.createDataFrame([("b", 4, True, 0.5)], "k string, v int, yes boolean, w double")
    ref = tables.write("t", more, mode="append", evolve=True)
    rows = sorted(map(tuple, tables.read(ref).collect()), key=lambda row: row[1])
    assert rows == [("a", 1, True, None), (None, 2, False, None), ("a", 3, True, None), ("b", 4, True, 0.5)]
    assert sorted(row["v"] for row in DeltaTables(s3).to_arrow(ref).to_pylist() if row["k"] == "a") == [1, 3]
    with pytest.raises(TableError, match="empty text in the partition column k"):
        tables.write("t", spark.createDataFrame([("", 4, True, 0.5)], more.schema), mode="append")


def test_instants_are_the_same_in_any_zone(tables: DeltaTables, s3: str, spark: SparkSession) -> None:
    zone = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        tables.write("t", spark.sql("select timestamp'2013-07-04 08:00:00.123456' as at"))
        assert (
            str(tables.read("t").selectExpr("cast(at as string) as s").collect()[0]["s"])
            == "2013-07-04 08:00:00.123456"
        )
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)
    assert DeltaTables(s3).to_arrow("t")["at"].to_pylist() == [datetime(2013, 7, 4, 12, 0, 0, 123456, UTC)]


def test_a_store_that_refuses_tasks_is_one_sentence_without_credentials(
    tables: DeltaTables, spark: SparkSession, object_server: ObjectServer
) -> None:
    tables.write("t", spark.range(3))
    plan = tables.read("t")._jdf.queryExecution().toString()  # type: ignore[operator]
    object_server.fail("403 -1 .parquet")
    with pytest.raises(TableError, match="the credentials do not allow this") as raised:
        tables.write("t", spark.range(3), mode="append")
    object_server.fail()
    for text in (str(raised.value), plan, str(spark.sparkContext.getConf().getAll())):
        assert KEY not in text
        assert SECRET not in text
    assert tables.read("t").count() == 3
