"""What Spark's plans say of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkml_track.governance.sources.hidden_reads import reading
from sparkml_track.governance.sources.made import Source
from sparkml_track.governance.sources.plan import columns_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

pytestmark = pytest.mark.spark


def count(column: str) -> Column:
    from pyspark.sql import functions

    return functions.count(column)


def same(batches: Iterator[Any]) -> Iterator[Any]:
    yield from batches


@pytest.fixture(scope="module")
def files(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of files, a (id, b, g) and c (id, c, d), as views too."""
    root = tmp_path_factory.mktemp("files")
    spark.range(9).selectExpr("id", "id * 2 AS b", "id % 3 AS g").write.parquet(str(root / "a"))
    spark.range(9).selectExpr("id", "id * 3 AS c", "array(id, 1) AS d").write.parquet(str(root / "c"))
    for name in "ac":
        spark.read.parquet(str(root / name)).createOrReplaceTempView(f"{name}_rows")
    return root


def said(frame: DataFrame, root: Path) -> dict[str, str] | None:
    """Of each column what it is made of, as "a.b c.id"."""
    found = columns_of(frame)
    if found is None:
        return None
    short = {str(root / name): name for name in "ac"}
    return {name: " ".join(sorted(f"{short[one.path]}.{one.column}" for one in each)) for name, each in found.items()}


QUERIES = {
    "SELECT b + g AS x, 1 AS y, id FROM a_rows": {"x": "a.b a.g", "y": "a.y", "id": "a.id"},
    "SELECT b FROM a_rows WHERE g > 1": {"b": "a.b a.g"},
    "SELECT g, sum(b) AS s FROM a_rows GROUP BY g": {"g": "a.g", "s": "a.b a.g"},
    "SELECT a.b, c.c FROM a_rows a JOIN c_rows c ON a.id = c.id": {
        "b": "a.b a.id c.id",
        "c": "a.id c.c c.id",
    },
    "SELECT b FROM a_rows a LEFT SEMI JOIN c_rows c ON a.id = c.id": {"b": "a.b a.id c.id"},
    "SELECT b FROM a_rows WHERE id IN (SELECT id FROM c_rows WHERE c > 3)": {"b": "a.b a.id c.c c.id"},
    "SELECT b, (SELECT max(c) FROM c_rows c WHERE c.id = a.id) AS m FROM a_rows a": {
        "b": "a.b",
        "m": "a.id c.c c.id",
    },
    "SELECT id, row_number() OVER (PARTITION BY g ORDER BY b) AS n FROM a_rows": {"id": "a.id", "n": "a.b a.g"},
    "SELECT id, each FROM c_rows LATERAL VIEW explode(d) AS each": {"id": "c.d c.id", "each": "c.d"},
    "SELECT id, b FROM a_rows UNION ALL SELECT c, id FROM c_rows": {"id": "a.id c.c", "b": "a.b c.id"},
    "SELECT DISTINCT g FROM a_rows": {"g": "a.g"},
    "SELECT id FROM a_rows EXCEPT SELECT c FROM c_rows": {"id": "a.id c.c"},
    "SELECT b FROM a_rows ORDER BY g LIMIT 3": {"b": "a.b a.g"},
    "SELECT g, id, sum(b) AS s FROM a_rows GROUP BY GROUPING SETS ((g), (id))": {
        "g": "a.g a.id",
        "id": "a.g a.id",
        "s": "a.b a.g a.id",
    },
    "WITH x AS (SELECT id, b FROM a_rows WHERE g = 1), y AS (SELECT b AS z FROM x) SELECT z FROM y": {"z": "a.b a.g"},
    "SELECT id FROM range(3)": {"id": ""},
    # Of a struct each field is of its own.
    "SELECT s.x, s.y.z FROM (SELECT struct(b AS x, struct(id AS z) AS y) AS s FROM a_rows)": {"x": "a.b", "z": "a.id"},
    "SELECT s.x FROM (SELECT last(struct(b AS x, id AS z)) OVER (PARTITION BY g ORDER BY id) AS s FROM a_rows)": {
        "x": "a.b a.g a.id"
    },
    "SELECT s.y FROM (SELECT struct(b AS x, id AS y) AS s FROM a_rows UNION ALL SELECT NULL FROM c_rows)": {
        "y": "a.id c.NULL"
    },
    "SELECT s FROM (SELECT struct(b AS x, id AS y) AS s FROM a_rows)": {"s": "a.b a.id"},
}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:60])
def test_a_column_is_made_of_what_its_values_and_its_rows_are(spark: SparkSession, files: Path, query: str) -> None:
    assert said(spark.sql(query), files) == QUERIES[query]


FRAMES: dict[str, tuple[Callable[[DataFrame], DataFrame], dict[str, str] | None]] = {
    "a function in Python takes all": (
        lambda a: a.select("id", "b").mapInArrow(same, "id long, b long"),
        {"id": "a.b a.id", "b": "a.b a.id"},
    ),
    "so it does for groups": (
        lambda a: a.select("b", "g").groupBy("g").applyInPandas(lambda one: one, "b long, g long"),
        {"b": "a.b a.g", "g": "a.b a.g"},
    ),
    "what is observed changes nothing": (
        lambda a: a.select("b").observe("seen", count("*")).repartition(2, "b"),
        {"b": "a.b"},
    ),
    "a cache hides nothing": (lambda a: a.select("b").cache(), {"b": "a.b"}),
    "rows that were given have no files": (
        lambda a: a.sparkSession.createDataFrame([(1,)], "x long").unionAll(a.select("id")),
        None,
    ),
    "a checkpoint says nothing": (lambda a: a.select("b").localCheckpoint(), None),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_say_it_or_say_nothing(spark: SparkSession, files: Path, name: str) -> None:
    made, expected = FRAMES[name]
    assert said(made(spark.read.parquet(str(files / "a"))), files) == expected
    spark.catalog.clearCache()


def test_a_function_that_reads_a_table_has_its_columns_or_those_that_it_names(spark: SparkSession) -> None:
    paths, other = ["/t/write-1/x.parquet", "/t/write-2/x.parquet"], ["/a, b/[u]/x.parquet"]
    read = spark.range(2).mapInArrow(reading(same, paths), "id long")
    assert columns_of(read.selectExpr("id + 1 AS next")) == {
        "next": {Source("/t/write-1/_", "id"), Source("/t/write-2/_", "id")}
    }
    made = [[(-1, "0")], [(0, "k"), (1, "a.b+c,d]")]]
    joined = read.mapInArrow(reading(same, paths, other, made=made), "x long, y long")
    assert columns_of(joined) == {
        "x": {Source("/t/write-1/_", "id"), Source("/t/write-2/_", "id")},
        "y": {Source("/t/write-1/_", "k"), Source("/a, b/[u]/_", "a.b+c,d]")},
    }


def test_a_plan_of_many_steps_is_read(spark: SparkSession, files: Path) -> None:
    frame = spark.read.parquet(str(files / "a"))
    for step in range(60):
        frame = frame.withColumn(f"x{step}", frame["b"] + step)
    assert said(frame.select("x59"), files) == {"x59": "a.b"}


def test_a_plan_whose_json_would_take_the_memory_is_not_read(spark: SparkSession, files: Path) -> None:
    cases, replaced = "b", "b"
    for number in range(40):
        cases = f"CASE WHEN g = {number} THEN {number} ELSE {cases} END"
        replaced = f"nvl({replaced}, id)"
    frame = spark.read.parquet(str(files / "a"))
    assert said(frame.selectExpr(f"{cases} AS x"), files) is None
    assert said(frame.selectExpr(f"{replaced} AS x"), files) == {"x": "a.b a.id"}
    few = "CASE WHEN g = 1 THEN CASE WHEN b = 2 THEN 1 END ELSE id END AS x"
    assert said(frame.selectExpr(few), files) == {"x": "a.b a.g a.id"}
