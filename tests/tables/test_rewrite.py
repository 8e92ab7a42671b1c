from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables import DeltaTables, MergeRule, TableExpectations
from sparkml_track.tables._delta.rewrite import landing

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(tmp_path: Path, spark: SparkSession) -> DeltaTables:
    """One table of four files: 0-9, 10-19, 20-29, 30-39."""
    tables = DeltaTables(tmp_path, spark)
    for low in range(0, 40, 10):
        numbers = list(range(low, low + 10))
        tables.write("t", pa.table({"n": numbers, "v": [0] * 10}), mode="append", expect=TableExpectations(keys=("n",)))
    return tables


def changed(tables: DeltaTables, tmp_path: Path) -> tuple[list[int], int]:
    """The first numbers of the files that the last commit removed, and how many files it added."""
    log = tmp_path / "t" / "_delta_log"
    lines = [json.loads(line) for line in (log / f"{tables.latest('t').version:020d}.json").read_text().splitlines()]
    first = {}
    for commit in log.glob("*.json"):
        for line in map(json.loads, commit.read_text().splitlines()):
            if "add" in line:
                first[line["add"]["path"]] = json.loads(line["add"]["stats"])["minValues"]["n"]
    return sorted(first[line["remove"]["path"]] for line in lines if "remove" in line), sum("add" in x for x in lines)


def test_a_delete_rewrites_what_it_touches_and_takes_whole_files_as_they_are(
    tables: DeltaTables, tmp_path: Path
) -> None:
    tables.delete("t", "n >= 18 AND n < 30")
    assert changed(tables, tmp_path) == ([10, 20], 1)
    assert sorted(tables.to_arrow("t")["n"].to_pylist()) == [*range(18), *range(30, 40)]


def test_an_update_rewrites_what_it_touches(tables: DeltaTables, tmp_path: Path) -> None:
    tables.update("t", "n in (3, 33)", {"v": "n * 2"})
    assert changed(tables, tmp_path)[0] == [0, 30]
    assert {row["n"]: row["v"] for row in tables.to_arrow("t").to_pylist() if row["v"]} == {3: 6, 33: 66}
    assert tables.to_arrow("t").num_rows == 40


def test_a_merge_rewrites_what_it_touches(tables: DeltaTables, tmp_path: Path, spark: SparkSession) -> None:
    come = spark.createDataFrame([(5, 1), (25, 2), (100, 3)], "n long, v int")  # narrower than the table
    with pytest.raises(TableError, match="'v' is integer, expected long"):
        tables.merge("t", come, keys=["n"])
    tables.merge("t", come.selectExpr("v + 0L as v", "n"), keys=["n"])
    assert changed(tables, tmp_path)[0] == [0, 20]
    assert {row["n"]: row["v"] for row in tables.to_arrow("t").to_pylist() if row["v"]} == {5: 1, 25: 2, 100: 3}
    assert tables.to_arrow("t").num_rows == 41


def test_a_merge_that_inserts_alone_removes_no_file(tables: DeltaTables, tmp_path: Path, spark: SparkSession) -> None:
    come = spark.range(38, 43).selectExpr("id as n", "7L as v")
    tables.merge("t", come, keys=["n"], rules=[MergeRule("not_matched", "insert")])
    assert changed(tables, tmp_path)[0] == []
    assert sorted(row["n"] for row in tables.to_arrow("t").to_pylist() if row["v"]) == [40, 41, 42]


def test_a_key_that_is_there_twice_hides_no_new_row(tables: DeltaTables, spark: SparkSession) -> None:
    tables.write("twice", pa.table({"n": [1, 1], "v": [0, 0]}))
    come = spark.createDataFrame([(1, 5), (2, 6)], "n long, v long")  # two rows come, two rows match
    tables.merge("twice", come, keys=["n"])
    assert sorted((row["n"], row["v"]) for row in tables.to_arrow("twice").to_pylist()) == [(1, 5), (1, 5), (2, 6)]


def test_rows_that_come_are_computed_once(tables: DeltaTables, spark: SparkSession) -> None:
    come = spark.range(0, 40).selectExpr("id as n", "cast(rand() * 1e9 as long) + 1 as v").where("rand() < 0.5")
    before = tables.to_arrow("t").num_rows
    tables.merge("t", come, keys=["n"])
    history = tables.to_arrow("t")
    assert history.num_rows == before


def test_a_condition_that_changes_its_mind_is_refused(tables: DeltaTables, tmp_path: Path) -> None:
    def often() -> None:
        for _ in range(20):  # two answers may be the same by chance
            tables.delete("t", "rand() < 0.5 and n >= 0")

    with pytest.raises(TableError, match=r"was true for other rows when it was asked again"):
        often()
    named = {str(path) for path in (tmp_path / "t").rglob("*.parquet")}
    assert set(tables.files("t")) <= named


def test_a_change_that_leaves_a_key_null_is_refused_and_leaves_no_files(
    tables: DeltaTables, tmp_path: Path, spark: SparkSession
) -> None:
    before = sorted((tmp_path / "t").rglob("*"))
    come = spark.createDataFrame([(77, None)], "n long, other long")
    rule = MergeRule("not_matched", "insert", changes={"n": "source.other", "v": "1"})
    with pytest.raises(DataError, match="1 nulls in 'n'"):
        tables.merge("t", come, keys=["n"], rules=[rule])
    assert sorted((tmp_path / "t").rglob("*")) == before


def test_a_delete_that_others_overtake_lands_behind_them(
    tables: DeltaTables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, waiting = landing.publish, ["n = 12", "n = 33"]

    def late(*args: object) -> int:
        if waiting:
            DeltaTables(tmp_path).delete("t", waiting.pop(0))
        return publish(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(landing, "publish", late)
    tables.delete("t", "n = 15")
    assert sorted(tables.to_arrow("t")["n"].to_pylist()) == sorted({*range(40)} - {12, 15, 33})
    assert [one.operation for one in tables.history("t")][:3] == ["DELETE"] * 3


def test_names_with_dots_blanks_in_folders_and_nested_values_are_changed(tmp_path: Path, spark: SparkSession) -> None:
    tables = DeltaTables(tmp_path / "a b%", spark)
    given = pa.table({"a.b": [1, 2], "many": [[1, 2], [3]], "pair": [{"x": 1}, {"x": 2}], "m": [{"k": 1}, {"k": 2}]})
    tables.write("t", given)
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    tables.update("t", "`a.b` = 2", {"many": "array(9L)"})
    tables.merge(
        "t",
        spark.createDataFrame(given.slice(0, 1)).selectExpr("`a.b` + 5 as `a.b`", "many", "pair", "m"),
        keys=["a.b"],
    )
    tables.delete("t", "`a.b` = 1")
    found = sorted(tables.to_arrow("t").to_pylist(), key=lambda row: row["a.b"])
    assert [(row["a.b"], row["many"]) for row in found] == [(2, [9]), (6, [1, 2])]
    changes = sorted(tables.changes("t", 2).to_pylist(), key=lambda row: (row["_commit_version"], row["many"]))
    assert [(row["a.b"], row["many"], dict(row["m"]), row["_change_type"]) for row in changes] == [
        (2, [3], {"k": 2}, "update_preimage"),
        (2, [9], {"k": 2}, "update_postimage"),
        (6, [1, 2], {"k": 1}, "insert"),
        (1, [1, 2], {"k": 1}, "delete"),
    ]


def fed(tables: DeltaTables, version: int) -> list[tuple[object, ...]]:
    """What a version did, as delta-rs reads it: number, value, and what happened."""
    rows = tables.changes("t", version, version).to_pylist()
    return sorted((row["n"], row["v"], row["_change_type"]) for row in rows)


def test_a_change_feed_says_what_became_of_each_row(tables: DeltaTables, tmp_path: Path, spark: SparkSession) -> None:
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    ref = tables.delete("t", "n >= 18 AND n < 30")  # one file goes whole, one is rewritten
    assert fed(tables, ref.version) == [(n, 0, "delete") for n in range(18, 30)]
    ref = tables.update("t", "n = 3", {"v": "v + n"})
    assert fed(tables, ref.version) == [(3, 0, "update_preimage"), (3, 3, "update_postimage")]
    come = spark.createDataFrame([(3, 8), (4, -1), (50, 9)], "n long, v long")
    rules = [
        MergeRule("matched", "delete", "source.v < 0"),
        MergeRule("matched", "update"),
        MergeRule("not_matched", "insert"),
        MergeRule("not_matched_by_source", "delete", "target.n = 39"),
    ]
    ref = tables.merge("t", come, keys=["n"], rules=rules)
    assert fed(tables, ref.version) == [
        (3, 3, "update_preimage"),
        (3, 8, "update_postimage"),
        (4, 0, "delete"),
        (39, 0, "delete"),
        (50, 9, "insert"),
    ]
    assert tables.to_arrow("t").num_rows == 40 - 12 - 2 + 1
    assert {path.parent.parent.name for path in (tmp_path / "t").rglob("_change_data/*/*.parquet")} == {"_change_data"}
    assert tables.vacuum("t") == ()
    died = tmp_path / "t" / "_change_data" / "write-of-a-killed-writer" / "part.parquet"
    died.parent.mkdir()
    died.write_bytes(b"half")
    assert "_change_data/write-of-a-killed-writer/part.parquet" in tables.vacuum("t", timedelta(0), dry_run=True)


def test_a_change_that_files_tell_alone_writes_no_change_files(
    tables: DeltaTables, tmp_path: Path, spark: SparkSession
) -> None:
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    ref = tables.delete("t", "n >= 10 AND n < 20")  # a whole file
    assert fed(tables, ref.version) == [(n, 0, "delete") for n in range(10, 20)]
    ref = tables.merge("t", spark.createDataFrame([(70, 7)], "n long, v long"), keys=["n"])
    assert fed(tables, ref.version) == [(70, 7, "insert")]
    tables.optimize("t")
    assert not (tmp_path / "t" / "_change_data").exists()


def test_the_feed_of_a_partitioned_table_has_its_partitions(tmp_path: Path, spark: SparkSession) -> None:
    tables = DeltaTables(tmp_path, spark)
    rows = pa.table({"n": [1, 2, 3], "v": [0, 0, 0], "a.day": ["x/ü", "x/ü", None]})
    tables.write("t", rows, partition_by=["a.day"])
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    tables.update("t", "n = 1", {"v": "5"})
    tables.delete("t", "n >= 2")
    found = tables.changes("t", 2).to_pylist()
    assert sorted((row["n"], row["v"], row["a.day"] or "", row["_change_type"]) for row in found) == [
        (1, 0, "x/ü", "update_preimage"),
        (1, 5, "x/ü", "update_postimage"),
        (2, 0, "x/ü", "delete"),
        (3, 0, "", "delete"),
    ]


def test_a_change_that_is_refused_leaves_no_change_files(tables: DeltaTables, tmp_path: Path) -> None:
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})
    tables.add_constraints("t", {"small": "v < 10"})
    before = sorted((tmp_path / "t").rglob("*.parquet"))
    with pytest.raises(DataError, match="small"):
        tables.update("t", "n = 3", {"v": "99"})
    assert sorted((tmp_path / "t").rglob("*.parquet")) == before


def test_a_feed_that_would_not_say_what_was_written_is_refused(tables: DeltaTables, spark: SparkSession) -> None:
    tables.set_properties("t", {"delta.enableChangeDataFeed": "true"})

    def often(change: Callable[[], object]) -> None:
        for _ in range(20):  # two answers may be the same by chance
            change()

    with pytest.raises(TableError, match="was true for other rows"):
        often(lambda: tables.update("t", "rand() < 0.5", {"v": "1"}))
    come = spark.range(40).selectExpr("id as n", "id as v")
    rules = [MergeRule("matched", "delete", "rand() < 0.1"), MergeRule("matched", "update", "rand() < 0.5")]
    with pytest.raises(TableError, match="was true for other rows"):
        often(lambda: tables.merge("t", come, keys=["n"], rules=rules))
