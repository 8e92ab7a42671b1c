from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkml_track.governance.sources.hidden_reads import hidden_reads, reading

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def same(batches: Iterator[Any]) -> Iterator[Any]:
    yield from batches


def test_what_a_function_reads_is_known_of_all_that_is_computed_from_it(spark: SparkSession) -> None:
    folders = ["/a, b/[c]", "s3://bucket/100%/ü"]
    frame = spark.range(3).mapInArrow(reading(same, *([f"{folder}/x.parquet"] for folder in folders)), "id long")
    frame.createOrReplaceTempView("read_by_function")
    inside = spark.range(9).where("id in (select id from read_by_function)")
    assert hidden_reads(frame.join(spark.range(2), "id")) == hidden_reads(inside) == set(folders)
    assert frame.count() == 3
    assert hidden_reads(spark.range(3)) == set()


@pytest.mark.parametrize("root", ["/lake/t", "s3://bucket/lake/t"])
def test_a_table_of_many_folders_is_named_once(root: str) -> None:
    found = reading(same, [f"{root}/write-{number}/x.parquet" for number in range(2_000)], ["/a/x.parquet"])
    assert found.__name__ == f"reads[/a,{os.path.normpath(root)}]"
    assert Path(root) in Path(os.path.normpath(root), "_").parents


def test_a_cache_hides_no_file(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a 1", "b"):
        spark.range(3).write.parquet(str(tmp_path / name))
    cached = spark.read.parquet(str(tmp_path / "a 1")).groupBy("id").count().cache()
    cached.createOrReplaceTempView("behind_a_cache")
    b = spark.read.parquet(str(tmp_path / "b"))
    both, inside = cached.join(b, "id"), b.where("id in (select id from behind_a_cache)")
    assert len(both.inputFiles()) < 4, "Spark names the files behind a cache itself by now"
    assert hidden_reads(both) == hidden_reads(inside) == {str(tmp_path / "a 1"), str(tmp_path / "b")}
    cached.unpersist()
    assert hidden_reads(both.groupBy("id").count()) == set()


def test_what_is_no_file_hides_none_behind_a_cache(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).write.parquet(str(tmp_path / "a"))
    cached = spark.read.parquet(str(tmp_path / "a")).cache()
    table = '(select 1 as "id" from sysibm.sysdummy1) t'
    other = spark.read.jdbc("jdbc:derby:memory:sources;create=true", table)
    assert hidden_reads(cached.join(other, "id")) == {str(tmp_path / "a")}
    cached.unpersist()
