"""``sparkml-track catalog``: lists, search, one table, lineage in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.catalog import Catalog
from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables, TableExpectations
from tests.calls import Call, caller


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    found = Catalog(Home.find())
    rows = pa.table({"k": ["a"], "delay": [1.5]})
    found.tables.write("air.flights", rows, expect=TableExpectations(keys=("k",)), description="flights [by day]")
    found.tables.write("air.flights", rows, mode="overwrite")
    found.tables.write("weather", pa.table({"wind": [3]}))
    return found


@pytest.fixture
def call(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> Call:
    return caller("catalog", capsys)


def test_tables_are_listed_by_their_whole_names(call: Call, catalog: Catalog) -> None:
    log = catalog.home.tables / "broken" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020d}.json").write_text('{"protocol":{}}')
    out = call("ls")[1]
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["main.air.flights", "main.default.broken",
                                                                  "main.default.weather"]  # fmt: skip
    assert "flights [by day]" in out
    assert "cannot be read: " in out
    assert [one["name"] for one in json.loads(call("ls", "main.air", "--json")[1])] == ["main.air.flights"]
    assert call("ls", "nothing")[1] == "no tables\n"


def test_search_looks_at_names_columns_and_descriptions(call: Call) -> None:
    found = {one["name"]: one["found"] for one in json.loads(call("search", "WIND", "--json")[1])}
    assert found == {"main.default.weather": "column wind"}
    assert "name, description" in call("search", "flights")[1]
    assert call("search", "zebra")[1] == "no tables\n"


def test_a_table_is_shown_with_columns_and_versions(call: Call) -> None:
    out = call("show", "air.flights")[1]
    assert out.startswith("main.air.flights, version 1: flights [by day]\n")
    assert [line.split() for line in out.splitlines() if line.split()[:1] == ["k"]] == [["k", "string", "key"]]
    facts = json.loads(call("show", "main.air.flights", "--json")[1])
    assert (facts["keys"], [one["version"] for one in facts["versions"]]) == (["k"], [1, 0])


def test_lineage_is_recorded_by_saved_queries_and_printed(call: Call, catalog: Catalog) -> None:
    catalog.sql("SELECT k FROM air.flights", save="air.k", at={"air.flights": 0})
    catalog.sql("SELECT count(*) AS n FROM air.k", save="n")
    assert [line.strip().split("  ")[0] for line in call("lineage", "n", "--up")[1].splitlines()] == [
        "table main.default.n@0", "made from:", "table main.air.k@0", "table main.air.flights@0"
    ]  # fmt: skip
    both = call("lineage", "air.k")[1]
    assert "made from:" in both
    assert "led to:" in both
    graph = json.loads(call("lineage", "air.flights@0", "--down", "--format", "json")[1])
    assert [node["name"] for node in graph["nodes"]] == ["main.air.flights", "main.air.k", "main.default.n"]
    assert call("lineage", "air.k", "--at", "0", "--format", "dot")[1].startswith("digraph lineage {")
    events = [json.loads(line) for line in call("lineage", "air.k", "--up", "--format", "openlineage")[1].splitlines()]
    assert events[1]["outputs"][0]["name"] == str(catalog.home.tables / "air.k")


def test_a_model_is_named_by_a_uri(call: Call, catalog: Catalog) -> None:
    edges = between([Node("TABLE", "main.air.flights", 1)], [Node("MODEL", "flights", 7)], Job("QUERY", "q", "r"))
    record(catalog.home.system, edges)
    for name in ("models:/flights/7", "models:/flights", "flights", "flights@7"):
        assert call("lineage", name, "--up")[1].startswith("model flights@7\n"), name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "air.flighs"], "no table air.flighs. Did you mean main.air.flights?"),
        (["lineage", "nothing"], "lineage knows nothing of nothing"),
        (["lineage", "models:/m/x"], "names no version; write models:/m/VERSION"),
        (["lineage", "air.k@x"], "write table@version"),
        (["lineage", "air.k@1", "--at", "2"], "version 1 and --at says 2"),
        (["lineage", "air.k", "--format", "xml"], "allowed are text, json, dot, openlineage"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(call: Call, arguments: list[str], said: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_columns_are_followed_where_what_made_them_can_say(call: Call, catalog: Catalog) -> None:
    catalog.sql("SELECT k, delay * 2 AS twice, 1 AS one FROM air.flights WHERE delay > 0", save="air.k")
    catalog.sql("SELECT max(a.twice) AS most, count(*) AS n FROM air.k a JOIN weather w ON a.one = w.wind", save="n")
    assert call("lineage", "n", "--column", "most")[1].splitlines() == [
        "column most of table main.default.n@0",
        "made from, or chosen by:",
        "  column one of table main.air.k@0",
        "    column delay of table main.air.flights@1",
        "  column twice of table main.air.k@0",
        "    column delay of table main.air.flights@1 (above)",
        "  column wind of table main.default.weather@0",
    ]
    assert "did you mean most?" in call("lineage", "n", "--column", "mots")[2].lower()
    DeltaTables(catalog.home.tables).delete("n", "n >= 0")
    assert call("lineage", "n", "--column", "n")[1].splitlines()[-1] == (
        "  unknown: what made the table does not say it of columns"
    )
    assert "goes up from a table" in call("lineage", "n", "--column", "n", "--down")[2]
