"""What was made from what: noted by tables, recorded, walked, shown."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from sparkml_track.catalog.lineage.graph import Direction, Graph, Recorded, edges_in
from sparkml_track.catalog.lineage.openlineage import events
from sparkml_track.catalog.lineage.shown import as_dot, as_json, as_text
from sparkml_track.catalog.lineage.watched import watched
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import InvalidInput
from sparkml_track.governance.edges import Edge, Job, Kind, Node, between, record
from sparkml_track.governance.sources.watch import Watch
from sparkml_track.refs import ModelRef, TableRef
from sparkml_track.tables import MemoryTables, Tables

ROWS = pa.table({"v": [1]})
RAW, OTHER, TRAINING = (Node("TABLE", f"main.default.{name}", 0) for name in ("raw", "other", "training"))
JOB = Job("QUERY", "q", "r")
SWEEP, MODEL, SCORES = Node("SWEEP", "s-1"), Node("MODEL", "flights", 7), Node("TABLE", "main.default.scores", 2)


def chain() -> tuple[Edge, ...]:
    start = datetime(2013, 7, 4, 12, tzinfo=UTC)
    steps = [
        ([RAW, OTHER], [TRAINING], "p.features"),
        ([TRAINING], [SWEEP], "p.sweep"),
        ([SWEEP, TRAINING], [MODEL], "p.register"),
        ([MODEL, TRAINING], [SCORES], "p.score"),
        ([OTHER], [Node("TABLE", "main.default.elsewhere", 0)], "p.else"),
    ]
    return tuple(
        Edge(source, target, Job("PIPELINE_STEP", name, uuid.UUID(int=number).hex), start + timedelta(minutes=number))
        for number, (sources, targets, name) in enumerate(steps)
        for source in sources
        for target in targets
    )


def recorded(edges: Iterable[Edge]) -> Recorded:
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), tuple(edges))
        return Recorded(SystemTables(Path(folder), MemoryTables()).rows("lineage"))


def lineage_of(start: Node, edges: Iterable[Edge], direction: Direction) -> Graph:
    return recorded(edges).around(start, direction)


def node_named(name: str, version: int | None, edges: Iterable[Edge], kind: Kind | None = None) -> Node:
    return recorded(edges).named(name, version, kind)


# ------------------------------------------------------------------------------------------------------ noting


@pytest.fixture
def tables() -> Tables:
    found = MemoryTables()
    for name in ("a", "b"):
        found.write(name, ROWS)
    found.write("a", ROWS, mode="append")
    return found


def test_an_arrow_table_is_made_from_all_that_was_read_before(tables: Tables) -> None:
    watch = Watch()
    used = watched(tables, watch)
    assert used.names() == ("a", "b")
    used.to_arrow(TableRef("a", "memory:a", 0))
    first = used.write("c", ROWS)
    used.to_arrow("b")
    second = used.merge("c", ROWS, keys=["v"])
    assert {str(made): [str(ref) for ref in sources] for made, sources in watch.written.items()} == {
        str(first): ["a@v0"], str(second): ["a@v0", "b@v0"]
    }  # fmt: skip


def test_a_frame_is_made_from_the_tables_of_its_files(tmp_path: Path) -> None:
    a, b = TableRef("a", str(tmp_path / "a b"), 3), TableRef("b", str(tmp_path / "b"), 1)
    watch = Watch({a: None, b: None})
    frame = SimpleNamespace(inputFiles=lambda: [f"file://{tmp_path}/a%20b/write-1/part.parquet"])
    assert watch.sources(frame) == (a,)
    assert watch.sources(SimpleNamespace(inputFiles=list)) == ()

    def fails() -> list[str]:
        raise RuntimeError("no plan")

    assert watch.sources(SimpleNamespace(inputFiles=fails)) == (a, b)


def test_what_fails_is_not_noted(tables: Tables) -> None:
    watch = Watch()
    used = watched(tables, watch)
    for what in (lambda: used.to_arrow("none"), lambda: used.write("a", ROWS), lambda: used.read("none")):
        with pytest.raises(Exception, match=r"none|there already"):
            what()
    assert watch == Watch()


# --------------------------------------------------------------------------------------------------- recording


def test_edges_are_recorded_and_read_back(tmp_path: Path) -> None:
    system = SystemTables(tmp_path, MemoryTables())
    sources = [Node.of(TableRef("raw", "", 4)), Node.of(ModelRef("flights", 7, "", ""))]
    edges = between([*sources, sources[0]], [Node.of(TableRef("air.scores", "", 0))], Job("QUERY", "select", "r", "c"))
    record(tmp_path, edges)
    found = edges_in(system.rows("lineage"))
    assert set(found) == set(edges)
    assert [str(edge.source) for edge in edges] == ["table main.default.raw@4", "model flights@7"]


def test_nothing_is_made_from_itself() -> None:
    assert between([RAW], [RAW], Job("QUERY", "q", "r")) == ()


def test_lineage_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    record(tmp_path / "file", chain())
    assert "the lineage of table main.default.training@0 was not recorded" in caplog.text


# ----------------------------------------------------------------------------------------------------- walking


def test_up_leads_to_everything_it_was_made_from() -> None:
    assert set(lineage_of(SCORES, chain(), "up").nodes) == {SCORES, MODEL, SWEEP, TRAINING, RAW, OTHER}
    assert lineage_of(RAW, chain(), "up").nodes == (RAW,)


def test_down_leads_to_everything_that_a_wrong_table_reached() -> None:
    assert set(lineage_of(RAW, chain(), "down").nodes) == {RAW, TRAINING, SWEEP, MODEL, SCORES}


def test_both_ways_leave_out_what_is_beside() -> None:
    assert "main.default.elsewhere" not in {node.name for node in lineage_of(TRAINING, chain(), "both").nodes}


def test_a_circle_ends() -> None:
    edges = (*chain(), *between([SCORES], [RAW], Job("QUERY", "back", "r")))
    assert SCORES in lineage_of(RAW, edges, "up").nodes
    assert as_text(lineage_of(RAW, edges, "both"), "both")


@pytest.mark.parametrize("name", ["scores", "default.scores", "main.default.scores"])
def test_a_thing_is_named_in_each_form(name: str) -> None:
    assert node_named(name, None, chain()) == SCORES
    assert node_named("flights", 7, chain()) == node_named("flights", None, chain(), "MODEL") == MODEL
    assert node_named("s-1", None, chain()) == SWEEP


def test_what_lineage_does_not_know_is_wrong_input() -> None:
    with pytest.raises(InvalidInput, match=r"no version 3 of scores; it knows 2"):
        node_named("scores", 3, chain())
    with pytest.raises(InvalidInput, match=r"knows nothing of scors\. Did you mean main\.default\.scores\?"):
        node_named("scors", None, chain())
    with pytest.raises(InvalidInput, match=r"flights is a model and a table; write models:/flights/VERSION"):
        node_named("flights", None, (*chain(), *between([MODEL], [Node("TABLE", "main.default.flights", 1)], JOB)))
    with pytest.raises(InvalidInput, match="nothing yet"):
        node_named("x", None, ())


# ----------------------------------------------------------------------------------------------------- showing


def test_text_is_a_tree_that_unfolds_each_thing_once() -> None:
    lines = as_text(lineage_of(SCORES, chain(), "up"), "up").splitlines()
    assert lines == [
        "table main.default.scores@2",
        "made from:",
        "  model flights@7  by pipeline step p.score, 2013-07-04 12:03",
        "    sweep s-1  by pipeline step p.register, 2013-07-04 12:02",
        "      table main.default.training@0  by pipeline step p.sweep, 2013-07-04 12:01",
        "        table main.default.other@0  by pipeline step p.features, 2013-07-04 12:00",
        "        table main.default.raw@0  by pipeline step p.features, 2013-07-04 12:00",
        "    table main.default.training@0  by pipeline step p.register, 2013-07-04 12:02 (above)",
        "  table main.default.training@0  by pipeline step p.score, 2013-07-04 12:03 (above)",
    ]
    assert as_text(lineage_of(RAW, chain(), "up"), "up").splitlines()[-1] == "  nothing that was recorded"


def test_json_and_dot_have_every_edge() -> None:
    graph = lineage_of(TRAINING, chain(), "both")
    found: dict[str, Any] = json.loads(as_json(graph))
    assert found["nodes"][0] == {"type": "TABLE", "name": "main.default.training", "version": 0}
    assert len(found["edges"]) == len(graph.edges)
    dot = as_dot(graph)
    assert dot.count(" -> ") == len(graph.edges)
    assert '"sweep s-1" -> "model flights@7" [label="p.register"];' in dot


def test_openlineage_has_a_start_and_an_end_for_each_run() -> None:
    found: list[Any] = events(lineage_of(SCORES, chain(), "up"), {"main.default.scores": "/tables/scores"})
    assert [event["eventType"] for event in found] == ["START", "COMPLETE"] * 4
    for event in found:
        assert {"eventTime", "producer", "schemaURL", "run", "job"} <= event.keys()
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        assert event["job"]["namespace"]
    scored = found[-1]
    assert scored["job"]["name"] == "p.score"
    assert scored["run"]["runId"] == str(uuid.UUID(int=3))
    (output,) = scored["outputs"]
    assert output["name"] == "/tables/scores"
    assert output["facets"]["version"]["datasetVersion"] == "2"
    assert {dataset["name"] for dataset in scored["inputs"]} == {"models:/flights", "main.default.training"}
