"""What files of a pipeline may say, and in which sentence the rest is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparkml_track import pipelines as dp
from sparkml_track.errors import InvalidInput
from sparkml_track.tables import MemoryTables
from tests.pipelines.declaring import from_file, rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "@dp.materialized_view(format='csv')\ndef a(): ...",
            "does not take format= here; outputs are Delta tables",
        ),
        ("@dp.table(spark_conf={})\ndef a(): ...", "does not take spark_conf= here; set it for the session"),
        ("@dp.table(colour='red')\ndef a(): ...", "does not take colour= here; leave it out"),
        ("dp.table(7)", "a flow is a function without arguments that returns a DataFrame, not 7"),
        ("@dp.table\n@dp.expect('a')\ndef a(): ...", r"flow.py:3: TypeError: .*condition"),
        ("@dp.table\n@dp.expect('a', 3)\ndef a(): ...", "an expectation is a name and a condition in SQL"),
        ("@dp.table\n@dp.expect_all('a')\ndef a(): ...", "expectations are a mapping of names to conditions, not 'a'"),
        ("def broken(:\n    pass", "flow.py:2: invalid syntax; nothing was started"),
        ("import not_there", "flow.py:2: ModuleNotFoundError: No module named 'not_there'"),
        ("dp.read('raw')", "dp.read is for the functions of flows"),
    ],
)
def test_a_file_that_declares_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        from_file(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "@dp.table\ndef a(): ...\n@dp.materialized_view(name='a')\ndef b(): ...",
            "the table or view a is declared at flow.py:2",
        ),
        ("@dp.materialized_view(name='a b')\ndef a(): ...", "'a b' cannot name a table"),
        (
            "@dp.materialized_view(name='system.x')\ndef a(): ...",
            "system.x is in the schema system",
        ),
        ("@dp.temporary_view(name='a.b')\ndef a(): ...", "'a.b' cannot name a temporary view"),
        ("@dp.temporary_view\n@dp.expect('n', 'v > 0')\ndef a(): ...", "the temporary view a has expectations"),
        ("@dp.append_flow(target='evnts')\ndef a(): ...\ndp.create_streaming_table('events')", "did you mean events"),
        (
            "@dp.append_flow(target='m')\ndef a(): ...\n@dp.materialized_view\ndef m(): ...",
            "appends to m, a materialized view",
        ),
        ("dp.create_streaming_table('events')", "no flow writes events; add one by @dp.append_flow"),
        (
            "@dp.table\n@dp.expect('n', 'v > 0')\n@dp.expect_or_drop('n', 'v > 1')\ndef a(): ...",
            "a has two expectations named 'n'",
        ),
    ],
)
def test_declarations_that_do_not_fit_are_refused(tmp_path: Path, text: str, said: str) -> None:
    pipeline = from_file(tmp_path, text)
    with pytest.raises(InvalidInput, match=said):
        pipeline.plan()


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    pipeline = from_file(tmp_path, "dp.create_streaming_table('a')\ndp.create_streaming_table('b')")
    with pytest.raises(InvalidInput) as caught:
        pipeline.plan()
    assert len(caught.value.problems) == 2


def test_expectations_stand_above_or_below_their_table(tmp_path: Path) -> None:
    text = """
    @dp.expect_or_drop("up", "v > 0")
    @dp.materialized_view(name="main.x.y", comment="c")
    @dp.expect("low", "v < 9")
    def a(): ...
    """
    target = from_file(tmp_path, text).declared().targets["main.x.y"]
    assert [(rule.name, rule.action) for rule in target.expectations] == [("up", "drop"), ("low", "warn")]
    assert (target.comment, target.kind, target.place) == ("c", "materialized view", "flow.py:4")


def test_a_pipeline_is_declared_in_a_script_as_well() -> None:
    tables = MemoryTables()
    tables.write("raw", rows(1))
    pipeline = dp.Pipeline("p", tables=tables)
    with pipeline.declaring():

        @dp.materialized_view
        def doubled() -> object:
            return dp.read("raw").selectExpr("v * 2 AS v")

    assert [one.flow.name for one in pipeline.plan().decisions] == ["doubled"]
    with pytest.raises(InvalidInput, match=r"@dp\.table declares a part of a pipeline, and none is being read"):
        dp.table(doubled)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 65])
def test_a_pipeline_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a pipeline"):
        dp.Pipeline(name)


def test_files_are_python_or_sql_and_there(tmp_path: Path) -> None:
    for name, said in (("a.txt", "end with .py or .sql"), ("a.py", "cannot be read: No such file")):
        with pytest.raises(InvalidInput, match=re.escape(said)):
            dp.Pipeline("p", [tmp_path / name])


def test_the_same_file_is_read_again_after_it_changed(tmp_path: Path) -> None:
    tables = MemoryTables()
    tables.write("raw", rows(1))
    one = from_file(tmp_path, "@dp.materialized_view\ndef a(): return dp.read('raw')", tables)
    codes = [flow.flow.name for flow in one.plan().decisions]
    two = from_file(tmp_path, "@dp.materialized_view\ndef b(): return dp.read('raw')", tables)
    assert codes + [flow.flow.name for flow in two.plan().decisions] == ["a", "b"]
