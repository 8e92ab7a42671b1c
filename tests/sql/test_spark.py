from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.catalog import Catalog
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.sql import Engine, Mention, open_engine
from sparkml_track.testing.sql import EnginesCase

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_the_catalog_is_asked_by_spark_too(spark: SparkSession, tmp_path: Path) -> None:
    catalog = Catalog(Home(tmp_path), open_engine("spark", spark))
    catalog.tables.write("air.flights", pa.table({"v": [1, 2], "l": [[1], [2, 3]]}))
    catalog.tables.write("air.flights", pa.table({"v": [3], "l": [[4]]}), mode="append")
    text = "WITH flights AS (SELECT v, size(l) AS n FROM main.air.flights) SELECT sum(v) AS v, sum(n) AS n FROM flights"
    assert catalog.sql(text).rows.to_pylist() == [{"v": 6, "n": 4}]
    assert catalog.sql(text).cached
    saved = catalog.sql(text, at={"air.flights": 0}, save="air.sums").saved
    assert catalog.tables.to_arrow(saved or "").to_pylist() == [{"v": 3, "n": 3}]
    assert catalog.sql("SELECT count(*) AS n FROM system.query_history").rows.to_pylist() == [{"n": 3}]
    assert catalog.sql("SELECT table_name FROM information_schema.tables WHERE version = 1").rows.num_rows == 1
    assert spark.catalog.listTables() == []


def test_a_partitioned_table_is_asked_by_spark_too(spark: SparkSession, tmp_path: Path) -> None:
    catalog = Catalog(Home(tmp_path), open_engine("spark", spark))
    catalog.tables.write("t", pa.table({"k": ["ü/=", None, "b"], "v": [1, 2, 3]}), partition_by=["k"])
    assert catalog.sql("SELECT k, v FROM t WHERE k IS NULL OR k = 'ü/=' ORDER BY v").rows.to_pylist() == [
        {"k": "ü/=", "v": 1},
        {"k": None, "v": 2},
    ]


def test_other_readers_of_files_and_shells_are_refused(spark: SparkSession) -> None:
    engine = open_engine("spark", spark)
    for text in ("SELECT TRANSFORM(v) USING 'cat' FROM t", "FROM t INSERT INTO a SELECT 1 INSERT INTO b SELECT 2",
                 "SELECT * FROM t VERSION AS OF 3"):  # fmt: skip
        with pytest.raises(InvalidInput, match="allowed is one SELECT"):
            engine.parse(text)
    assert engine.parse("SELECT * FROM parquet.`/etc/x`").mentions == (Mention(("parquet", "/etc/x")),)


class TestSpark(EnginesCase):
    @pytest.fixture
    def engine(self, spark: SparkSession) -> Engine:
        return open_engine("spark", spark)
