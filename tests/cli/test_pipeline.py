"""The commands ``pipeline run`` and ``pipeline show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables
from tests.calls import Call, caller

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FLOWS = """
from sparkml_track import pipelines as dp

@dp.materialized_view
@dp.expect_or_drop("positive", "v > 0")
def good():
    return spark.table("raw")

@dp.materialized_view
@dp.expect_or_fail("small", "v < {most}")
def small():
    return dp.read("good")

@dp.materialized_view
def behind():
    return dp.read("small")
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    DeltaTables(Home.find().tables).write("raw", pa.table({"v": [-1, 1, 2]}))
    (tmp_path / "shop.py").write_text(FLOWS.format(most=9))
    return caller("pipeline", capsys)


def test_a_plan_says_what_would_be_built_and_why_and_does_nothing(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("run", "shop.py", "--plan")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines()[1:4]] == [
        ["good", "good", "build"], ["small", "small", "build"], ["behind", "behind", "build"],
    ]  # fmt: skip
    assert out.endswith("3 of 3 flows have something to do\n")
    plan = json.loads(call("run", "shop.py", "--plan", "--json")[1])
    assert plan["flows"][0] == {"flow": "good", "table": "good", "work": "build", "why": "it is not there yet"}
    assert plan["inputs"] == ["raw@v0"]
    assert DeltaTables(Home.find().tables).names() == ("raw",)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope.py"], "error: the pipeline file nope.py cannot be read: No such file or directory"),
        (["shop.txt"], "error: shop.txt is not a file of a pipeline; those end with .py or .sql"),
        (["shop.py", "--full-refresh", "smal"], "the pipeline has no table smal; did you mean small?"),
        (["shop.py", "--name", "a b"], "error: 'a b' cannot name a pipeline"),
        (["late.sql"], "error: late.sql:1: 'SELECT' stands where CREATE OR REFRESH MATERIALIZED VIEW should"),
    ],
)
def test_wrong_input_is_one_sentence_before_spark_starts(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "late.sql").write_text("SELECT 1")
    code, out, err = call("run", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_what_would_be_refused_ends_a_plan_with_1(call: Call) -> None:
    DeltaTables(Home.find().tables).write("good", pa.table({"v": [1]}))
    code, out, _ = call("run", "shop.py", "--plan")
    assert code == 1
    assert "the table good is there and pipeline shop did not make it" in out


def test_nothing_is_shown_before_the_first_update(call: Call, tmp_path: Path) -> None:
    assert call("show") == (0, f"no pipeline was updated in {tmp_path / 'home'}\n", "")
    code, _, err = call("show", "shop")
    assert (code, err) == (2, f"error: no pipeline 'shop' was updated in {tmp_path / 'home'}; there are: none")


@pytest.mark.spark
def test_an_update_says_each_flow_and_ends_with_1_where_one_failed(
    call: Call, tmp_path: Path, spark: SparkSession
) -> None:
    code, out, _ = call("run", "shop.py")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[0].startswith("built good good@0: 2 rows in ")
    assert lines[1] == "positive (v > 0) does not hold for 1 of 3 rows: drop"
    assert lines[-1].endswith(": 3 built")
    (tmp_path / "shop.py").write_text(FLOWS.format(most=2))
    code, out, _ = call("run", "shop.py", "--json")
    assert code == 1
    flows = {flow["flow"]: flow for flow in json.loads(out)["flows"]}
    assert {name: flow["state"] for name, flow in flows.items()} == {
        "good": "unchanged", "small": "failed", "behind": "skipped",
    }  # fmt: skip
    assert flows["small"]["expectations"] == {"small": {"passed": 1, "failed": 1}}
    code, out, _ = call("show")
    assert code == 0
    assert "expectation small (v < 2) does not hold for 1 of 2 rows; nothing was written" in out
    assert [row["state"] for row in json.loads(call("show", "shop", "--json")[1])["shop"]] == [
        "unchanged", "failed", "skipped",
    ]  # fmt: skip
