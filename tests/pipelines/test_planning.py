"""What is built, and why: found without Spark, from code, versions and what tables say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.planning.marks import Place
from sparkml_track.tables import MemoryTables, Tables
from tests.pipelines.declaring import from_file, planned, rows, wrote

CHAIN = """
LIMIT = {limit}

def helper(frame):
    return frame.where("v > {helped}")

@dp.materialized_view
def big():
    return helper(dp.read("raw")).where(f"v > {{LIMIT}}")

@dp.materialized_view
def most():
    return dp.read("big").groupBy().max("v")

@dp.materialized_view
def other():
    return spark.sql("SELECT * FROM {other}")
"""


@pytest.fixture
def tables() -> Tables:
    made = MemoryTables()
    made.write("raw", rows(1, 2))
    made.write("side", rows(1))
    return made


def chain(folder: Path, tables: Tables, limit: int = 3, helped: int = 0, other: str = "side"):
    return from_file(folder, CHAIN.format(limit=limit, helped=helped, other=other), tables)


def built(folder: Path, tables: Tables) -> None:
    for flow in ("big", "most", "other"):
        wrote(chain(folder, tables), tables, flow, rows(1))


def test_all_is_built_at_first_and_nothing_when_nothing_changed(tmp_path: Path, tables: Tables) -> None:
    first = planned(chain(tmp_path, tables))
    assert list(first) in (["big", "most", "other"], ["big", "other", "most"], ["other", "big", "most"])
    assert set(first.values()) == {("build", "it is not there yet")}
    built(tmp_path, tables)
    assert set(planned(chain(tmp_path, tables)).values()) == {("skip", "code and inputs are those of version 0")}


def test_a_new_version_of_an_input_builds_what_hangs_on_it(tmp_path: Path, tables: Tables) -> None:
    built(tmp_path, tables)
    tables.write("raw", rows(3), mode="append")
    found = planned(chain(tmp_path, tables))
    assert found["big"] == ("build", "raw is at version 1, was at 0")
    assert found["most"] == ("build", "big is built before it")
    assert found["other"][0] == "skip"


@pytest.mark.parametrize("change", [{"limit": 4}, {"helped": 1}])
def test_changed_code_builds_the_flows_that_reach_it(tmp_path: Path, tables: Tables, change: dict[str, int]) -> None:
    built(tmp_path, tables)
    found = planned(chain(tmp_path, tables, **change))  # type: ignore[arg-type]
    assert found["big"] == ("build", "its code changed")
    assert (found["most"][0], found["other"][0]) == ("build", "skip")


def test_another_table_in_sql_is_changed_code(tmp_path: Path, tables: Tables) -> None:
    built(tmp_path, tables)
    assert planned(chain(tmp_path, tables, other="raw"))["other"] == ("build", "its code changed")


def test_a_comment_above_and_a_script_that_runs_are_no_change(tmp_path: Path, tables: Tables) -> None:
    built(tmp_path, tables)
    text = "# another comment\n\n\n" + CHAIN.format(limit=3, helped=0, other="side")
    assert {work for work, _ in planned(from_file(tmp_path, text, tables)).values()} == {"skip"}


def test_changes_by_others_are_built_over_but_not_upkeep(tmp_path: Path, tables: Tables) -> None:
    built(tmp_path, tables)
    tables.comment("most", "a table")
    tables.set_properties("most", {"x": "y"})
    tables.optimize("most")
    assert planned(chain(tmp_path, tables))["most"][0] == "skip"
    tables.delete("most", "v = 1")
    work, why = planned(chain(tmp_path, tables))["most"]
    assert (work, why) == ("build", f"others changed it: DELETE made version {tables.latest('most').version}")


def test_a_full_refresh_builds_by_name_and_knows_its_tables(tmp_path: Path, tables: Tables) -> None:
    built(tmp_path, tables)
    found = planned(chain(tmp_path, tables), "most")
    assert found["most"] == ("build", "full refresh")
    assert found["big"][0] == "skip"
    with pytest.raises(InvalidInput, match="the pipeline has no table mst; did you mean most"):
        chain(tmp_path, tables).plan(["mst"])


def test_what_was_made_by_nobody_known_is_not_written(tmp_path: Path, tables: Tables) -> None:
    tables.write("other", rows(9))
    plan = chain(tmp_path, tables).plan()
    assert [one.flow.name for one in plan.refused] == ["other"]
    assert "the table other is there and pipeline p did not make it; choose another name" in plan.refused[0].why


def test_unknown_tables_are_named_with_the_nearest(tmp_path: Path, tables: Tables) -> None:
    text = "@dp.materialized_view\ndef a(): return dp.read('rw')\n@dp.temporary_view\ndef b(): return dp.read('sde')"
    with pytest.raises(InvalidInput) as caught:
        from_file(tmp_path, text, tables).plan()
    assert caught.value.problems == (
        "flow.py:2: flow a: there is no table rw. Did you mean main.default.raw?",
        "flow.py:4: view b: there is no table sde. Did you mean main.default.side?",
    )


def test_a_circle_is_refused_with_its_path(tmp_path: Path, tables: Tables) -> None:
    text = """
    @dp.materialized_view
    def a(): return dp.read("b")
    @dp.temporary_view
    def b(): return spark.table("c")
    @dp.materialized_view
    def c(): return spark.read.table("a")
    """
    with pytest.raises(InvalidInput, match=r"goes in a circle: (a reads b reads c reads a|b reads c|c reads a)"):
        from_file(tmp_path, text, tables).plan()
    with pytest.raises(InvalidInput, match="in a circle: a reads a"):
        from_file(tmp_path, "@dp.materialized_view\ndef a(): return dp.read('a')", tables).plan()


def test_flows_made_in_a_loop_differ_by_their_defaults(tmp_path: Path, tables: Tables) -> None:
    text = """
    for low in (1, 2):
        @dp.materialized_view(name=f"above_{low}")
        def above(low=low):
            return dp.read("raw").where(f"v > {low}")
    """
    pipeline = from_file(tmp_path, text, tables)
    from sparkml_track.pipelines.planning.plan import prepared

    codes = prepared("p", pipeline.declared(), tables).codes
    assert len(set(codes.values())) == 2


def test_functions_of_pyspark_need_no_session_to_be_looked_at(tmp_path: Path, tables: Tables) -> None:
    text = """
    from functools import reduce
    from pyspark.sql import DataFrame, Window, functions as F

    @F.udf("int")
    def twice(x): return 2 * x

    @dp.materialized_view
    def a():
        frames = [dp.read(name) for name in ("raw", "side")]
        both = reduce(DataFrame.unionByName, frames)
        last = F.row_number().over(Window.partitionBy("v").orderBy(F.desc("v")))
        for name in both.columns:
            both = both.withColumn(name, F.col(name) + 1)
        if both.count() > 3 and len(both.head(1)) == 0:
            both = both.limit(3)
        return both.withColumn("n", last).withColumn("m", twice("v")).where((F.col("n") == 1) & ~F.col("v").isNull())
    """
    plan = from_file(tmp_path, text, tables).plan()
    assert [str(ref) for ref in plan.inputs] == ["raw@v0", "side@v0"]
    assert plan.warnings == ()
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    assert SparkContext._active_spark_context is None
    assert SparkSession._instantiatedSession is None


def test_a_function_that_needs_rows_is_said_to_be_looked_at_in_part(tmp_path: Path, tables: Tables) -> None:
    text = """
    @dp.materialized_view
    def a():
        most = {7: "side"}[dp.read("raw").first()[0]]
        return dp.read(most)
    """
    (warning,) = from_file(tmp_path, text, tables).plan().warnings
    assert "flow.py:3: what a reads may not be known whole" in warning


def test_what_has_no_versions_is_built_each_time(tmp_path: Path, tables: Tables) -> None:
    text = """
    @dp.materialized_view
    def a(): return spark.read.parquet("/somewhere")
    @dp.materialized_view
    def b(): return spark.range(3)
    """
    for flow in ("a", "b"):
        wrote(from_file(tmp_path, text, tables), tables, flow, rows(1))
    assert {why for _, why in planned(from_file(tmp_path, text, tables)).values()} == {
        "it reads what has no versions, so nothing says that it is unchanged"
    }


# -- streaming tables

EVENTS = """
@dp.temporary_view
def new():
    return dp.read_stream("raw"{skips}).join(dp.read("side"), "v")

@dp.table
def events():
    return dp.read("new")

@dp.table
def later():
    return spark.readStream.table("events")
"""


def events(folder: Path, tables: Tables, skips: str = ""):
    return from_file(folder, EVENTS.format(skips=skips), tables)


def test_new_rows_are_read_from_where_the_table_says_it_is(tmp_path: Path, tables: Tables) -> None:
    assert planned(events(tmp_path, tables)) == {
        "events": ("append", "it begins: all rows of raw at version 0"),
        "later": ("append", "it begins: all rows of events at what it is by then"),
    }
    wrote(events(tmp_path, tables), tables, "events", rows(1), Place(0, 0))
    wrote(events(tmp_path, tables), tables, "later", rows(1), Place(0, 0))
    assert planned(events(tmp_path, tables)) == {
        "events": ("skip", "nothing came to raw after version 0"),
        "later": ("skip", "nothing came to events after version 0"),
    }
    for number in (2, 3):
        tables.write("raw", rows(number), mode="append")
    assert planned(events(tmp_path, tables)) == {
        "events": ("append", "versions 1 to 2 of raw"),
        "later": ("append", "what comes to events after version 0"),
    }


def test_a_refresh_of_the_source_is_refused_without_one_of_the_table(tmp_path: Path, tables: Tables) -> None:
    wrote(events(tmp_path, tables), tables, "events", rows(1), Place(0, 0))
    wrote(events(tmp_path, tables), tables, "later", rows(1), Place(0, 0))
    found = planned(events(tmp_path, tables), "events")
    assert found["events"] == ("append", "full refresh: all rows of raw at version 0")
    assert found["later"][0] == "refuse"
    assert planned(events(tmp_path, tables), "events", "later")["later"][0] == "append"


def test_a_source_that_was_made_anew_is_refused(tmp_path: Path, tables: Tables) -> None:
    wrote(events(tmp_path, tables), tables, "events", rows(1), Place(0, 7))
    work, why = planned(events(tmp_path, tables))["events"]
    assert work == "refuse"
    assert "raw is at version 0, and this flow has read version 7: it was made anew" in why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "@dp.table\ndef a(): return dp.read_stream('raw').union(dp.read_stream('side'))",
            "rows of raw and side",
        ),
        (
            "@dp.materialized_view\ndef a(): return dp.read_stream('raw')",
            "a materialized view and reads the new",
        ),
        (
            "@dp.materialized_view\ndef m(): return dp.read('raw')\n@dp.table\ndef a(): return dp.read_stream('m')",
            "reads the new rows of m, which is a materialized view: read it whole",
        ),
    ],
)
def test_streams_that_cannot_be_are_refused(tmp_path: Path, tables: Tables, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        from_file(tmp_path, text, tables).plan()


def test_a_quarantine_is_read_after_the_table_that_fills_it(tmp_path: Path, tables: Tables) -> None:
    text = """
    @dp.materialized_view
    def bad(): return dp.read("good_quarantine")
    @dp.materialized_view
    @dp.expect_or_quarantine("up", "v > 0")
    def good(): return dp.read("raw")
    """
    assert list(planned(from_file(tmp_path, text, tables))) == ["good", "bad"]


def test_an_output_that_is_there_under_another_spelling_is_refused(tmp_path: Path, tables: Tables) -> None:
    tables.write("main.default.a", rows(1))
    with pytest.raises(InvalidInput, match=r"the table a is there as main\.default\.a; name the output so"):
        from_file(tmp_path, "@dp.materialized_view\ndef a(): return dp.read('raw')", tables).plan()


def test_a_module_beside_the_file_is_part_of_its_code(tmp_path: Path, tables: Tables) -> None:
    text = "import beside_flows\n@dp.materialized_view\ndef a(): return beside_flows.cut(dp.read('raw'))"
    (tmp_path / "beside_flows.py").write_text("def cut(rows): return rows.limit(1)")
    wrote(from_file(tmp_path, text, tables), tables, "a", rows(1))
    assert planned(from_file(tmp_path, text, tables))["a"][0] == "skip"
    (tmp_path / "beside_flows.py").write_text("def cut(rows): return rows.limit(2)")
    assert planned(from_file(tmp_path, text, tables))["a"] == ("build", "its code changed")


def test_what_a_function_for_spark_calls_is_part_of_the_code(tmp_path: Path, tables: Tables) -> None:
    text = """
    from pyspark.sql import functions as F

    def times(v): return {factor} * v

    @F.udf("long")
    def twice(v): return times(v)

    @dp.materialized_view
    def a(): return dp.read("raw").select(twice("v"))
    """
    wrote(from_file(tmp_path, text.format(factor=2), tables), tables, "a", rows(1))
    assert planned(from_file(tmp_path, text.format(factor=2), tables))["a"][0] == "skip"
    assert planned(from_file(tmp_path, text.format(factor=3), tables))["a"] == ("build", "its code changed")
