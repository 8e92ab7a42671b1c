"""What the page of lineage shows, from edges as they are recorded."""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.catalog.system.schemas import SCHEMAS
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.lineage.choice import choices, lineage_section, preset, versions_of
from sparkml_track.dashboards.lineage.known import MOST, asked, found, recorded
from sparkml_track.dashboards.lineage.things import experiments
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.governance.edges import Edge, Job, Node, between, record
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables

RAW, OTHER, TRAINING = (Node("TABLE", f"main.default.{name}", 0) for name in ("raw", "other", "training"))
SWEEP, MODEL, SCORES = Node("SWEEP", "s-1"), Node("MODEL", "flights", 7), Node("TABLE", "main.air.scores", 2)
RUN = uuid.UUID(int=3).hex
BOTH = "both ways"


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page("lineage", Home(tmp_path))


def with_query(page: Page, **query: str) -> Page:
    return Page("lineage", page.home, query, kept=page.kept)


def keep_chain(home: Home) -> None:
    start = datetime(2013, 7, 4, 12, tzinfo=UTC)
    steps = [
        ([RAW, OTHER], [TRAINING], "p.features"),
        ([TRAINING], [SWEEP], "p.sweep"),
        ([SWEEP, TRAINING], [MODEL], "p.register"),
        ([MODEL, TRAINING], [SCORES], "p.<score>"),
    ]
    for number, (sources, targets, name) in enumerate(steps):
        job = Job("PIPELINE_STEP", name, uuid.UUID(int=number).hex)
        when = start + timedelta(minutes=number)
        edges = between(sources, targets, job)
        record(home.system, [Edge(each.source, each.target, job, when) for each in edges])


def shown(page: Page, thing: str | None = None, version: str | None = None, way: str = BOTH, depth: int = 2) -> str:
    return "".join(lineage_section(page, thing, version, way, depth))


def test_an_empty_home_says_what_fills_it(page: Page) -> None:
    assert "sparkml-track run CONFIG" in shown(page)
    assert choices(page) == []
    assert preset(with_query(page, table="x")).thing is None
    assert not page.home.tables.exists()


def test_a_model_shows_what_it_was_made_from_and_led_to(page: Page) -> None:
    keep_chain(page.home)
    asks = with_query(page, model="flights")
    assert preset(asks).thing == "model flights"
    assert versions_of(asks, "model flights").names == ["7"]
    text = shown(asks, "model flights", "7", depth=1)
    assert "Lineage of flights@7" in text
    assert "/lake/sql/?table=main.air.scores&amp;version=2" in text
    assert "/lake/sweep/?sweep=s-1" in text
    assert "/lake/models/?model=flights&amp;version=7" in text
    assert "p.&lt;score&gt;" in text
    assert "raw@0" not in text
    assert "raw@0" in shown(asks, "model flights", "7", depth=2)


def test_a_version_of_the_address_is_offered_however_old_it_is(page: Page) -> None:
    made = [Node("TABLE", "main.air.many", number) for number in range(250)]
    record(page.home.system, [each for one in made for each in between([RAW], [one], Job("QUERY", "q", RUN))])
    old = versions_of(with_query(page, table="air.many", version="3"), "table main.air.many")
    assert old.chosen == "3"
    assert old.names[-2:] == ["50", "3"]
    late = versions_of(with_query(page, table="air.many", version="249"), "table main.air.many")
    assert (late.chosen, len(late.names)) == ("249", 200)


def test_lists_have_the_fewest_steps(page: Page) -> None:
    keep_chain(page.home)
    text = shown(page, "table main.air.scores", "2", "what it was made from", 5)
    made_from = text.partition("<h2>Made from</h2>")[2]
    rows = [row.partition("</td>")[0] for row in made_from.split("<tr><td>")[1:]]
    assert rows == ["1", "1", "2", "2", "2"]
    assert "Nothing that was recorded" in made_from.partition("<h2>Led to</h2>")[2]


def test_a_job_shows_what_it_made_last(page: Page) -> None:
    keep_chain(page.home)
    assert asked(with_query(page, job="p.register")) == (MODEL,)
    assert asked(with_query(page, run=RUN)) == (SCORES,)
    assert "Lineage of scores" in shown(with_query(page, run=RUN)).replace("air.", "")
    with pytest.raises(InvalidInput, match="that the job none made"):
        shown(with_query(page, job="none"))


def test_an_address_is_kept_to_what_is_known(page: Page) -> None:
    keep_chain(page.home)
    with pytest.raises(InvalidInput, match=r"Did you mean main\.default\.training"):
        shown(with_query(page, table="trainin"))
    with pytest.raises(InvalidInput, match="does not pin a version"):
        shown(with_query(page, table="training", version="x"))
    wild = preset(with_query(page, table="training@0", direction="down", depth="99999999999"))
    assert (wild.thing, wild.direction, wild.depth) == ("table main.default.training", "what it led to", 2)
    assert "What has lineage" in shown(page)


def test_what_is_recorded_later_is_seen_and_nothing_is_written(page: Page) -> None:
    keep_chain(page.home)
    before = recorded(page)
    assert recorded(page) is before
    job = Job("QUERY", "q", "r")
    record(page.home.system, between([SCORES], [Node("TABLE", "main.air.late", 0)], job))
    assert "table main.air.late" in choices(page)
    assert not page.home.tables.exists()


def test_rows_in_the_table_and_rows_that_wait_are_seen_once(page: Page) -> None:
    keep_chain(page.home)
    system = SystemTables(page.home.system, DeltaTables(page.home.tables))
    waits = (page.home.system / "lineage.jsonl").read_text()
    system.flush("lineage")
    # As after a flusher that died between its commit and its clearing away.
    (page.home.system / "lineage-x.claimed").write_text(waits)
    job = Job("QUERY", "q", "r")
    record(page.home.system, between([SCORES], [Node("TABLE", "main.air.late", 0)], job))
    seen = system.seen("lineage", ["target_full_name", "event_time"])
    assert seen.num_rows == 8
    assert seen.column_names == ["target_full_name", "event_time"]
    assert system.seen("lineage").schema.equals(SCHEMAS["lineage"])
    assert "table main.air.late" in choices(page)


def test_executions_link_to_runs_that_the_store_has(page: Page) -> None:
    keep_chain(page.home)
    assert experiments(page.home, [RUN]) == {}
    with closing(sqlite3.connect(page.home.database)) as store:
        store.execute("CREATE TABLE runs (run_uuid TEXT, experiment_id INTEGER)")
        store.execute("INSERT INTO runs VALUES (?, 4)", (RUN,))
        store.commit()
    assert f"/#/experiments/4/runs/{RUN}" in shown(page, "table main.air.scores", "2")
    assert experiments(page.home, [RUN] + [f"r{number}" for number in range(1200)]) == {RUN: "4"}
    page.home.database.write_text("rubbish, and no database at all, though it has some bytes to be read" * 40)
    assert experiments(page.home, [RUN]) == {}


@pytest.mark.parametrize("name", ["a#b", "a%20b", "a?b"])
def test_a_folder_of_any_name_has_links_to_runs(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    home.root.mkdir()
    with closing(sqlite3.connect(home.database)) as store:
        store.execute("CREATE TABLE runs (run_uuid TEXT, experiment_id INTEGER)")
        store.execute("INSERT INTO runs VALUES (?, 4)", (RUN,))
        store.commit()
    assert experiments(home, [RUN]) == {RUN: "4"}


def test_rubbish_among_the_rows_costs_the_section_a_sentence(page: Page) -> None:
    keep_chain(page.home)
    with (page.home.system / "lineage.jsonl").open("a") as file:
        file.write('half a line\n["no row"]\n{"id": "x", "event_time": "yesterday"}\n')
    assert choices(page) == []
    with pytest.raises(TableError, match=r"lineage\.jsonl has a row that is none of system\.lineage"):
        shown(page)


def big(home: Home, count: int) -> None:
    """Edges as a loop leaves them: versions of tables, each from the one before and from a common one."""
    names = [f"main.loop.t{number % 50}" for number in range(count)]
    when = datetime(2013, 7, 4, tzinfo=UTC)
    columns = {
        "id": [str(number) for number in range(count)],
        "event_time": [when + timedelta(seconds=number) for number in range(count)],
        "entity_type": ["PYTHON"] * count,
        "entity_id": ["loop"] * count,
        "entity_run_id": [RUN] * count,
        "source_type": ["TABLE"] * count,
        "source_full_name": ["main.loop.hub" if number % 3 else names[number] for number in range(count)],
        "source_version": [0 if number % 3 else number // 50 for number in range(count)],
        "target_type": ["TABLE"] * count,
        "target_full_name": names,
        "target_version": [number // 50 + 1 for number in range(count)],
        "created_by": ["ada"] * count,
        "code": [""] * count,
    }
    schema = SCHEMAS["lineage"]
    rows = pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)
    DeltaTables(home.tables).write("system.lineage", rows, mode="append")


def test_a_hundred_thousand_edges_are_drawn_in_two_seconds(page: Page) -> None:
    big(page.home, 100_000)
    started = time.process_time()
    asks = with_query(page, table="loop.hub")
    begin = preset(asks)
    text = shown(asks, begin.thing, versions_of(asks, begin.thing).chosen)
    took = time.process_time() - started
    assert f"{MOST} things are drawn" in text
    assert text.count("<rect") == 2 * MOST
    assert took < 2, took
    # The latest are those that are drawn.
    near = found(asks, (Node("TABLE", "main.loop.hub", 0),), "down", 1)
    assert near.left > 60_000
    assert max(node.version or 0 for node in near.graph.nodes) == 2000


def test_the_graph_says_all_of_a_thing_within_its_steps(page: Page) -> None:
    keep_chain(page.home)
    near = found(page, (MODEL,), "both", 1)
    pairs = {(str(edge.source), str(edge.target)) for edge in near.graph.edges}
    # Also what joins two things that are drawn.
    assert (str(TRAINING), str(SCORES)) in pairs
    assert near.left == 0
