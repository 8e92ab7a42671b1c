"""Views that all sessions of an application see, while what they mean changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkml_track.sql import serve_views
from sparkml_track.sql._base import View

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_a_name_is_always_there_while_its_rows_change(spark: SparkSession, tmp_path: Path) -> None:
    views, done = serve_views(spark, tmp_path / "served"), threading.Event()
    versions = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    for number, file in enumerate(versions):
        pq.write_table(pa.table({"v": [number] * 3}), file)

    def put(number: int) -> None:
        views.put(View("main.here.t", {"v": "long"}, (str(versions[number % 2]),)), f"it's {number}")

    def read() -> int:
        count = 0
        while not done.is_set():
            assert spark.sql("SELECT v FROM here.t").schema.names == ["v"]
            count += 1
        return count

    put(0)
    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read) for _ in range(3)]
        try:
            for number in range(1, 42):
                put(number)
        finally:
            done.set()
        assert all(each.result() > 10 for each in reading)
    assert {row[0] for row in spark.sql("SELECT v FROM here.t").collect()} == {1}
    said = {row[0]: row[1] for row in spark.sql("DESCRIBE EXTENDED here.t").collect()}
    assert said["Comment"] == "it's 41"
    spark.sql("DROP VIEW here.t")  # any client can
    put(42)
    assert {row[0] for row in spark.sql("SELECT v FROM here.t").collect()} == {0}
    views.drop("main.here.t")
    assert not spark.catalog.tableExists("here.t")
