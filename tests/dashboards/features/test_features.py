from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.dashboards.asked import lake
from sparkml_track.dashboards.features import known, listed, used
from sparkml_track.dashboards.page import Page
from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.home import Home
from sparkml_track.online_stores import Publication, open_online_store
from sparkml_track.tables import TableExpectations

START = datetime(2026, 1, 1, tzinfo=UTC)


def rates(days: int) -> pa.Table:
    moments = [START + timedelta(days=day) for day in range(days)]
    known_at = pa.array(moments, pa.timestamp("us", "UTC"))
    return pa.table({"carrier": ["UA"] * days, "known_at": known_at, "late_7d": [0.5] * days})


def fill(home: Home) -> None:
    tables = lake(Page("features", home))
    over_time = TableExpectations(keys=("carrier",), timestamp="known_at")
    tables.write("carrier_rates", rates(10), expect=over_time, description="Late <b>flights</b>")
    tables.write("carrier_rates", rates(12), mode="overwrite", expect=over_time)
    tables.write("planes", pa.table({"tailnum": ["N1"], "seats": [100]}), expect=TableExpectations(keys=("tailnum",)))
    tables.write("log", pa.table({"x": [1]}))
    job = Job("PYTHON", "made", Job.new_run())
    nodes = [
        Node("TABLE", "main.default.carrier_rates", 1),
        Node("TABLE", "main.default.training", 0),
        Node("MODEL", "delay", 3),
    ]
    for source, target in pairwise(nodes):
        record(home.system, between([source], [target], job))


def publish(home: Home, version: int) -> None:
    schema = pa.schema([("carrier", pa.string()), ("late_7d", pa.float64())])
    store = open_online_store(home.online)
    made = Publication("carrier_rates", version, ("carrier",), schema, max_age=timedelta(days=2))
    store.publish(made, [pa.record_batch({"carrier": ["UA"], "late_7d": [0.5]}, schema=schema)])
    store.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home")).make()
    fill(home)
    publish(home, 0)
    return home


@pytest.fixture
def page(home: Home) -> Page:
    return Page("features", home)


def test_tables_with_keys_are_features_those_over_time_first(page: Page) -> None:
    assert known.feature_names(page) == ["carrier_rates", "planes"]


def test_a_feature_table_says_how_fresh_it_is(page: Page) -> None:
    rate, planes = known.features(page)
    assert (rate.rows, rate.first, rate.last) == (12, START, START + timedelta(days=11))
    assert abs(rate.made - time.time()) < 3600
    assert (planes.rows, planes.last) == (1, None)


def test_who_uses_a_table_is_known_by_lineage(page: Page) -> None:
    assert used.used(page, "carrier_rates") == used.Uses(("main.default.training",), ("delay",))
    assert used.used(page, "planes") == used.Uses()


def test_lineage_in_circles_ends(page: Page) -> None:
    arrows = {("TABLE", "a"): [("TABLE", "b")], ("TABLE", "b"): [("TABLE", "a"), ("MODEL", "m")]}
    assert used._reached(arrows, ("TABLE", "a")) == {("TABLE", "a"), ("TABLE", "b"), ("MODEL", "m")}


def test_what_is_published_says_how_far_it_is_behind(page: Page) -> None:
    one = used.published(page)["carrier_rates"]
    assert (one.version, one.behind, one.max_age) == (0, 1, "2 days, 0:00:00")
    assert "1 behind" in listed.online(page)
    assert "version 0, 1 behind" in listed.all_features(page)


def test_all_tables_are_listed_with_links(page: Page) -> None:
    shown = listed.all_features(page)
    assert "/lake/features/?table=carrier_rates" in shown
    assert "/lake/models/?model=delay" in shown
    assert "2026-01-12 00:00" in shown
    assert ">log<" not in shown


def test_tables_that_are_left_out_are_counted(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_MOST", 1)
    shown = listed.all_features(page)
    assert "1 more" in shown and "?table=planes" not in shown
    assert known.feature_names(page) == ["carrier_rates", "planes"]  # each may be chosen


def test_one_table_is_shown_with_columns_versions_and_users(page: Page) -> None:
    shown = listed.one(page, "carrier_rates")
    for said in ("/lake/lineage/?table=carrier_rates", "training", "Late &lt;b&gt;", "2026-01-01 00:00"):
        assert said in shown
    columns = listed.columns(page, "carrier_rates")
    assert "<td>timestamp</td>" in columns and "<td>feature</td>" in columns
    assert [each.version for each in known.versions(page, "carrier_rates")] == [1, 0]


def test_rows_are_drawn_by_when_they_became_known(page: Page) -> None:
    (bars,) = listed.by_time(page, "carrier_rates").data
    assert (len(bars.x), sum(bars.y)) == (12, 12)
    assert listed.by_time(page, "planes") == ""


def test_a_table_that_cannot_be_read_costs_its_own_line(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home)
    log = next((home.tables / "planes" / "_delta_log").glob("*.json"))
    log.write_text("rubbish")
    page = Page("features", home)
    shown = listed.all_features(page)
    assert "unreadable" in shown and "carrier_rates" in shown
    assert "sk-note bad" in listed.one(page, "planes")
    assert listed.columns(page, "planes") == "" == listed.by_time(page, "planes")


def test_an_online_store_that_cannot_be_read_costs_a_sentence(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home)
    home.online.mkdir()
    (home.online / "planes.db").write_text("rubbish" * 1000)
    shown = listed.all_features(Page("features", home))
    assert "sk-note bad" in shown and "carrier_rates" in shown
    assert "sk-note bad" in listed.online(Page("features", home))


def test_a_home_without_features_says_what_makes_them(tmp_path: Path) -> None:
    page = Page("features", Home(tmp_path / "none"))
    assert "sparkml-track features" in listed.all_features(page)
    assert "features publish" in listed.online(page)
    assert not page.home.root.exists()


def test_nothing_that_looks_writes(home: Home, page: Page) -> None:
    before = {path for path in home.root.rglob("*") if path.parent != home.online}
    listed.all_features(page)
    listed.one(page, "carrier_rates")
    assert {path for path in home.root.rglob("*") if path.parent != home.online} == before
