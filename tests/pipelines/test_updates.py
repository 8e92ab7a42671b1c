"""Updates on Spark: what is built, counted, kept apart, appended, recorded."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkml_track.catalog.lineage.graph import Recorded
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import InvalidInput, LeaseHeld
from sparkml_track.home import Home
from sparkml_track.pipelines import Pipeline
from sparkml_track.pipelines.updating.update import UpdateResult
from sparkml_track.tables import DeltaTables, Tables
from tests.pipelines.declaring import from_file, planned, rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def tables(tmp_path: Path, spark: SparkSession) -> Tables:
    made = DeltaTables(tmp_path / "home" / "tables", spark)
    made.write("raw", rows(-1, 1, 2))
    return made


def values(tables: Tables, name: str) -> list[int]:
    return sorted(tables.to_arrow(name)["v"].to_pylist())


def states(result: UpdateResult) -> dict[str, str]:
    return {one.flow: one.state for one in result.flows}


def counted(result: UpdateResult, flow: str) -> dict[str, tuple[int, int]]:
    return {
        one.rule.name: (one.passed, one.failed) for each in result.flows if each.flow == flow for one in each.counted
    }


def system(home: Path, table: str) -> list[dict[str, object]]:
    found = Home.find(home)
    return SystemTables(found.system, DeltaTables(found.tables)).rows(table).to_pylist()


BATCH = """
import twice_beside
from pyspark.sql import functions as F

@F.udf("long")
def twice(v):
    return twice_beside.doubled(v)  # Spark's workers do not have this module

@dp.materialized_view(comment="up to two")
@dp.expect("even", "v % 2 = 0")
@dp.expect_or_drop("positive", "v > 0")
@dp.expect_or_quarantine("small", "v < {most}")
def good():
    return dp.read("raw")

@dp.materialized_view
def doubled():
    return spark.sql("SELECT sum(v) AS v FROM good g").withColumn("v", twice("v"))

@dp.materialized_view
@dp.expect_or_fail("none", "v < 0")
def wrong():
    return dp.read("good")

@dp.materialized_view
def behind():
    return dp.read("wrong")
"""


def test_rows_are_checked_in_one_pass_and_failures_end_what_hangs_on_them(
    tmp_path: Path, tables: Tables, spark: SparkSession
) -> None:
    (tmp_path / "twice_beside.py").write_text("def doubled(v):\n    return 2 * v\n")
    result = from_file(tmp_path, BATCH.format(most=2), tables).update(spark)
    assert states(result) == {"good": "built", "doubled": "built", "wrong": "failed", "behind": "skipped"}
    assert (values(tables, "good"), values(tables, "good_quarantine"), values(tables, "doubled")) == ([1], [2], [2])
    assert tables.to_arrow("good_quarantine")["_broken_rules"].to_pylist() == [["small"]]
    assert counted(result, "good") == {"even": (1, 2), "positive": (2, 1), "small": (2, 1)}
    assert [one.rows for one in result.flows] == [1, 1, 0, 0]
    assert tables.describe("good").description == "up to two"
    why = {one.flow: one.why for one in result.failed}
    assert why == {
        "wrong": "expectation none (v < 0) does not hold for 1 of 1 rows; nothing was written",
        "behind": "wrong failed",
    }
    assert not tables.exists("wrong")
    assert tables.vacuum("good", dry_run=True) == ()

    found = {(row["flow"], row["expectation"]): row for row in system(tmp_path / "home", "expectations")}
    assert len(found) == 4
    small, none = found["good", "small"], found["wrong", "none"]
    assert [small[key] for key in ("table_name", "table_version", "action", "passed", "failed")] == [
        "main.default.good", 0, "quarantine", 2, 1,
    ]  # fmt: skip
    assert [none[key] for key in ("table_version", "action", "failed", "update_id")] == [None, "fail", 1, result.id]
    updates = {row["flow"]: row for row in system(tmp_path / "home", "pipeline_updates")}
    assert (updates["good"]["state"], updates["good"]["table_version"], updates["good"]["rows"]) == ("built", 0, 1)
    assert updates["behind"]["why"] == "wrong failed"

    found = Home(tmp_path / "home")
    recorded = Recorded(SystemTables(found.system, DeltaTables(found.tables)).rows("lineage"))
    graph = recorded.around(recorded.named("doubled", None), "up")
    assert {str(edge.source) for edge in graph.edges} >= {"table main.default.good@0", "table main.default.raw@0"}

    columns = {
        f"{row['target_full_name']}.{row['target_column_name']}": (row["source_full_name"], row["source_column_name"])
        for row in system(tmp_path / "home", "column_lineage")
    }
    assert columns["main.default.good.v"] == ("main.default.raw", "v")
    assert columns["main.default.good_quarantine.v"] == ("main.default.raw", "v")
    assert columns["main.default.doubled.v"] == ("main.default.good", "v"), "a UDF names what it is given"

    again = from_file(tmp_path, BATCH.format(most=2), tables).update(spark)
    assert states(again) == {"good": "unchanged", "doubled": "unchanged", "wrong": "failed", "behind": "skipped"}
    looser = from_file(tmp_path, BATCH.format(most=3), tables).update(spark)
    assert states(looser)["good"] == states(looser)["doubled"] == "built"
    assert (values(tables, "good"), values(tables, "good_quarantine")) == ([1, 2], [])


STREAMS = """
dp.create_streaming_table("events", expect_all_or_quarantine={{"small": "v < 9"}})

@dp.append_flow(target="events")
def one():
    return dp.read_stream("raw"{skips}).where("v > 0")

@dp.append_flow(target="events")
def two():
    return dp.read_stream("side")

@dp.materialized_view
def total():
    return dp.read("events").groupBy().sum("v").toDF("v")
"""


def test_new_rows_are_appended_once_from_each_source(tmp_path: Path, tables: Tables, spark: SparkSession) -> None:
    def update(*refresh: str, skips: str = "") -> UpdateResult:
        return from_file(tmp_path, STREAMS.format(skips=skips), tables).update(spark, refresh)

    tables.write("side", rows(5))
    assert states(update()) == {"one": "built", "two": "built", "total": "built"}
    assert values(tables, "events") == [1, 2, 5]
    tables.write("raw", rows(3, 10), mode="append")
    assert states(update()) == {"one": "built", "two": "unchanged", "total": "built"}
    assert (values(tables, "events"), values(tables, "events_quarantine")) == ([1, 2, 3, 5], [10])
    assert values(tables, "total") == [11]
    tables.optimize("raw")
    assert states(update())["two"] == "unchanged"
    assert values(tables, "events") == [1, 2, 3, 5]

    tables.delete("raw", "v = 1")
    tables.write("raw", rows(4), mode="append")
    failed = update()
    assert states(failed) == {"one": "failed", "two": "unchanged", "total": "skipped"}
    assert "deleted or changed rows (DELETE)" in failed.failed[0].why
    assert values(tables, "events") == [1, 2, 3, 5]
    assert states(update(skips=", skip_changes=True"))["one"] == "built"
    assert values(tables, "events") == [1, 2, 3, 4, 5]
    assert states(update("events")) == {"one": "built", "two": "built", "total": "built"}
    assert (values(tables, "events"), values(tables, "events_quarantine")) == ([2, 3, 4, 5], [10])
    tables.write("side", rows(6), mode="append")
    assert states(update())["two"] == "built"
    assert values(tables, "events") == [2, 3, 4, 5, 6]


class _Killed(BaseException):
    """Ends an update as a kill does, for what is on disk."""


@pytest.mark.parametrize(
    ("table", "moment", "refresh"),
    [
        ("events", "before", ()),
        ("events", "after", ()),
        ("events_quarantine", "before", ()),
        ("events_quarantine", "after", ()),
        ("events_quarantine", "after", ("events",)),
    ],
)
def test_an_update_that_dies_at_a_commit_is_finished_by_the_next(
    tmp_path: Path, tables: Tables, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, table: str, moment: str,
    refresh: Sequence[str],
) -> None:  # fmt: skip
    text = """
    @dp.table
    @dp.expect_or_quarantine("small", "v < 9")
    def events():
        return dp.read_stream("raw")
    """
    pipeline = from_file(tmp_path, text, tables)
    pipeline.update(spark)
    tables.write("raw", rows(3, 10), mode="append")
    write = tables.write

    def dying(name: str, data: object, **how: object) -> object:
        def die() -> dict[str, str]:
            how["before_commit"]()  # type: ignore[operator]
            raise _Killed

        if name != table:
            return write(name, data, **how)  # type: ignore[arg-type]
        if moment == "before":
            return write(name, data, **{**how, "before_commit": die})  # type: ignore[arg-type]
        write(name, data, **how)  # type: ignore[arg-type]
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(tables, "write", dying)
        with pytest.raises(_Killed):
            pipeline.update(spark, refresh)
    tables.write("raw", rows(4, 11), mode="append")
    assert pipeline.update(spark).failed == ()
    assert (values(tables, "events"), values(tables, "events_quarantine")) == ([-1, 1, 2, 3, 4], [10, 11])


def test_what_users_do_wrong_is_one_sentence_for_each_flow(tmp_path: Path, tables: Tables, spark: SparkSession) -> None:
    text = """
    @dp.materialized_view
    def raises():
        return [][3]
    @dp.materialized_view
    def nothing():
        dp.read("raw")
    @dp.materialized_view
    @dp.expect("x", "colour = 'red'")
    def unknown():
        return dp.read("raw")
    @dp.materialized_view
    def failing():
        return dp.read("raw").selectExpr("IF(v > 0, v, raise_error('low')) AS v")
    @dp.materialized_view
    def flowing():
        return spark.readStream.format("rate").load()
    @dp.table
    def resting():
        return dp.read("raw")
    @dp.materialized_view
    def fine():
        return dp.read("raw")
    @dp.materialized_view
    def raw():
        return spark.range(3)
    """
    with pytest.raises(InvalidInput, match="in a circle: "):
        from_file(tmp_path, text.replace("spark.range(3)", "dp.read('fine')"), tables).update(spark)
    result = from_file(tmp_path, text.replace("def raw", "def side"), tables).update(spark)
    why = {one.flow: one.why for one in result.failed}
    assert set(why) == {"raises", "nothing", "unknown", "failing", "flowing", "resting"}
    assert why["raises"] == "IndexError: list index out of range (flow.py:5)"
    assert why["nothing"] == "its function returned NoneType; it must return a DataFrame"
    assert "colour" in why["unknown"]
    assert why["failing"].startswith("writing table failing failed in Spark")
    assert "its flow gives a stream of Spark" in why["flowing"]
    assert "gives a DataFrame that is no stream" in why["resting"]
    assert all("\n" not in sentence for sentence in why.values())
    assert set(tables.names()) == {"raw", "fine", "side"}


def test_expectations_that_do_not_parse_start_nothing(tmp_path: Path, tables: Tables, spark: SparkSession) -> None:
    text = """
    @dp.materialized_view
    @dp.expect_all({"a": "v >", "b": ") or (", "c": "v > 0"})
    def x():
        return dp.read("raw")
    """
    with pytest.raises(InvalidInput) as caught:
        from_file(tmp_path, text, tables).update(spark)
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("flow.py:3: expectation 'a' of x is not a condition in SQL: 'v >'")
    assert tables.names() == ("raw",)


def test_two_updates_of_one_pipeline_do_not_run_at_once(tmp_path: Path, tables: Tables, spark: SparkSession) -> None:
    text = "@dp.materialized_view\ndef a(): return dp.read('raw')"
    first, second = from_file(tmp_path, text, tables), from_file(tmp_path, text, tables)
    caught: list[str] = []

    def meanwhile(_: object) -> None:
        def update() -> None:
            with pytest.raises(LeaseHeld) as held:
                second.update(spark)
            caught.append(str(held.value))

        thread = threading.Thread(target=update)
        thread.start()
        thread.join()

    first.update(spark, shown=meanwhile)
    assert "pipeline p is being updated by process" in caught[0]
    assert second.update(spark).failed == ()


# -- streams from outside


def stream(folder: Path, tables: Tables) -> Pipeline:
    text = f"""
    @dp.table
    @dp.expect_or_drop("up", "v > 0")
    def events():
        reader = spark.readStream.schema("v long").option("maxFilesPerTrigger", 1)
        return reader.parquet({str(folder / "in")!r})

    @dp.materialized_view
    def total():
        return dp.read("events").groupBy().sum("v").toDF("v")
    """
    return from_file(folder, text, tables)


def arrives(folder: Path, name: str, *numbers: int) -> None:
    import pyarrow.parquet as pq

    (folder / "in").mkdir(exist_ok=True)
    pq.write_table(rows(*numbers), folder / "in" / f".{name}")
    (folder / "in" / f".{name}").rename(folder / "in" / f"{name}.parquet")


def test_files_are_streamed_exactly_once(tmp_path: Path, tables: Tables, spark: SparkSession) -> None:
    arrives(tmp_path, "a", 1, -2)
    arrives(tmp_path, "b", 2)
    first = stream(tmp_path, tables).update(spark)
    assert states(first) == {"events": "built", "total": "built"}
    assert (values(tables, "events"), counted(first, "events")) == ([1, 2], {"up": (2, 1)})
    assert states(stream(tmp_path, tables).update(spark)) == {"events": "unchanged", "total": "unchanged"}
    arrives(tmp_path, "c", 3)
    assert states(stream(tmp_path, tables).update(spark))["events"] == "built"
    assert (values(tables, "events"), values(tables, "total")) == ([1, 2, 3], [6])
    stream(tmp_path, tables).update(spark, ["events"])
    assert values(tables, "events") == [1, 2, 3]
    checkpoints = list((tmp_path / "home" / "streams" / "p" / "events").iterdir())
    assert [path.name for path in checkpoints] == ["generation-1"]
    assert planned(stream(tmp_path, tables))["events"] == ("stream", "whatever came since")


def test_a_lost_checkpoint_and_a_batch_that_fails_are_one_sentence(
    tmp_path: Path, tables: Tables, spark: SparkSession
) -> None:
    import shutil

    arrives(tmp_path, "a", 1)
    pipeline = stream(tmp_path, tables)
    pipeline.update(spark)
    tables.add_constraints("events", {"low": "v < 5"})
    arrives(tmp_path, "b", 7)
    failed = pipeline.update(spark).failed
    assert "low" in failed[0].why
    assert "\n" not in failed[0].why
    shutil.rmtree(tmp_path / "home" / "streams")
    lost = pipeline.update(spark).failed
    assert "is gone, and with it what this flow has read until batch 0; refresh the table in full" in lost[0].why
    assert values(tables, "events") == [1]
