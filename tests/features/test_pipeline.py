from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from py4j.protocol import Py4JNetworkError

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError
from sparkml_track.features import FeatureLookup, FeatureStore, RawTable, TrainingSet, build, prepare
from sparkml_track.tables import DeltaTables, MemoryTables, TableExpectations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

SALES = pa.table({"id": [1, 2, 3], "shop": ["a", "b", "a"], "sold": [0, 1, 1]})
SHOPS = pa.table({"shop": ["a", "b"], "size": [10, 20]})


def source(_: object) -> Mapping[str, RawTable]:
    return {
        "sales": RawTable(SALES, TableExpectations(keys=("id",), rows=3), "what was sold"),
        "shops": RawTable(SHOPS, TableExpectations(keys=("shop",))),
    }


def builder(store: FeatureStore) -> TrainingSet:
    store.create_table("shop_facts", ["shop"], store.read("shops"), replace=True)
    rows = store.read("sales")
    made = store.create_training_set(
        rows, [FeatureLookup("shop_facts", "shop")], "sold", keys=["id"], exclude_columns=["shop"]
    )
    return replace(made, dropped={"returned": 4})


def test_prepare_writes_each_table_as_a_new_version() -> None:
    tables = MemoryTables()
    first = prepare(None, tables, source)  # type: ignore[arg-type]
    second = prepare(None, tables, source)  # type: ignore[arg-type]
    assert [(ref.name, ref.version) for ref in (*first.values(), *second.values())] == [
        ("sales", 0),
        ("shops", 0),
        ("sales", 1),
        ("shops", 1),
    ]
    assert tables.describe("sales").description == "what was sold"


def test_a_table_that_is_not_as_it_says_is_not_written() -> None:
    tables = MemoryTables()
    with pytest.raises(DataError, match="sales: 3 rows, expected exactly 4"):
        prepare(None, tables, lambda _: {"sales": RawTable(SALES, TableExpectations(rows=4))})  # type: ignore[arg-type]
    assert tables.names() == ()


def test_a_source_without_tables_is_refused() -> None:
    with pytest.raises(DataError, match="the source gave no table"):
        prepare(None, MemoryTables(), lambda _: {})  # type: ignore[arg-type]


@pytest.mark.spark
def test_build_writes_the_training_set_and_tells_what_it_came_from(
    tmp_path: Path, spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    tables = DeltaTables(tmp_path, spark)
    raw = prepare(spark, tables, source)
    with caplog.at_level(logging.INFO):
        made = build(tables, builder, "training")
    assert made.tables == {**raw, "shop_facts": tables.latest("shop_facts")}
    assert (made.ref.name, made.label, made.features, made.keys) == ("training", "sold", ("size",), ("id",))
    rows = tables.to_arrow(made.ref).sort_by("id").to_pydict()
    assert rows == {"id": [1, 2, 3], "sold": [0, 1, 1], "size": [10, 20, 10]}
    assert "training@v0: left out 4 rows: returned" in caplog.text
    assert tables.describe(made.ref).keys == ("id",)


@pytest.mark.spark
def test_what_spark_raises_in_a_projects_function_is_one_error(spark: SparkSession) -> None:
    tables = MemoryTables(spark)
    prepare(spark, tables, source)

    def wrong(store: FeatureStore) -> TrainingSet:
        return replace(builder(store), df=store.read("sales").select("salary"))

    with pytest.raises(DataError, match=r"building features with .*:.*wrong failed in Spark: .*salary") as raised:
        build(tables, wrong, "training")
    assert "\n" not in str(raised.value)
    with pytest.raises(DataError, match=r"reading the data with .* failed in Spark"):
        prepare(spark, tables, lambda spark: {"x": RawTable(spark.table("nothing"), TableExpectations())})


def test_errors_of_py4j_are_translated() -> None:
    with pytest.raises(DataError, match="it failed in Spark: no JVM"), translated("it", DataError):
        raise Py4JNetworkError("no JVM")


@pytest.mark.spark
def test_an_empty_training_set_is_refused(spark: SparkSession) -> None:
    tables = MemoryTables(spark)
    prepare(spark, tables, source)
    with pytest.raises(DataError, match="training: 0 rows, expected at least 1"):
        build(tables, lambda store: replace(builder(store), df=builder(store).df.where("false")), "training")
