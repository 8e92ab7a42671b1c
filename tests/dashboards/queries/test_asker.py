"""Queries of a page: one at a time, bounded, in the name of whoever looks, and never out of the home's tables."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.queries import asker as asking
from sparkml_track.dashboards.queries.asker import Asked, Asker, Outcome
from sparkml_track.dashboards.queries.past import past_query, past_section
from sparkml_track.dashboards.shipped import ACCOUNTS
from sparkml_track.errors import AccessDenied, InvalidInput
from sparkml_track.governance.grants import Grant, Grants, keep
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables

ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    home = Home.find()
    tables = DeltaTables(home.tables)
    for values in ([1, 2, 3], [4]):
        tables.write("air.flights", pa.table({"v": values}), mode="overwrite")
    return Page("sql", home)


def asked(asker: Asker, text: str, **how: Any) -> Outcome:
    asker.begin(Asked(text, how.pop("given", {}), **how))
    assert asker.wait(120)
    assert asker.last is not None
    return asker.last


def problem(asker: Asker, text: str, **how: Any) -> str:
    found = asked(asker, text, **how)
    assert found.result is None
    return found.problem


def test_an_answer_has_its_rows_and_the_versions_that_were_read(page: Page) -> None:
    found = asked(Asker(page), "SELECT v FROM air.flights AT (VERSION => 0) WHERE v > $least", given={"least": "1"})
    assert found.result is not None, found.problem
    assert sorted(found.result.rows["v"].to_pylist()) == [2, 3]
    assert [str(ref.version) for ref in found.result.tables] == ["0"]
    assert (found.number, found.result.more) == (1, False)


def test_the_limit_of_rows_cuts(page: Page) -> None:
    found = asked(Asker(page), "SELECT * FROM range(5000)", limit=1000)
    assert found.result is not None
    assert (found.result.rows.num_rows, found.result.more) == (1000, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "reads the tables it names and nothing else|read_csv"),
        ("SELECT * FROM '/etc/passwd'", "no table|Permission|not"),
        ("SELECT * FROM read_text('/etc/passwd')", "reads the tables it names and nothing else|read_text"),
        ("SELECT * FROM glob('/etc/*')", "reads the tables it names and nothing else|glob"),
        ("COPY air.flights TO '/tmp/x.csv'", "SELECT"),
        ("ATTACH '/tmp/x.db' AS x", "SELECT"),
        ("INSTALL httpfs", "SELECT"),
        ("LOAD httpfs", "SELECT"),
        ("SET enable_external_access = true", "SELECT"),
        ("DROP TABLE air.flights", "SELECT"),
        ("SELECT 1; SELECT 2", "one"),
        ("SELECT getenv('HOME')", "getenv"),
        ("SELECT v FROM air.flight", "Did you mean main.air.flights"),
        ("SELECT w FROM air.flights", "w"),
        ("SELECT v FROM air.flights WHERE v > $least", "least"),
    ],
)
def test_what_is_not_one_select_of_the_homes_tables_is_refused(page: Page, text: str, said: str) -> None:
    found = problem(Asker(page), text)
    assert re.search(said, found), found
    assert "root:" not in found
    assert "Traceback" not in found


def test_a_text_that_cannot_be_parsed_says_where(page: Page) -> None:
    found = problem(Asker(page), "SELECT v\nFROM air.flights\nWHER v = 1")
    assert "at character 32: syntax error" in found


def test_a_query_that_never_ends_ends_with_a_sentence(page: Page) -> None:
    assert "took longer than its timeout of 0.5 s" in problem(Asker(page), ENDLESS, timeout=0.5)


def test_a_query_can_be_stopped_and_the_next_one_runs(page: Page) -> None:
    asker = Asker(page)
    asker.begin(Asked(ENDLESS, {}, timeout=300))
    assert asker.running
    assert asker.look() >= 0
    asker.begin(Asked("SELECT 1", {}))
    assert asker.number == 1
    asker.stop()
    assert asker.wait(120)
    assert asker.last is not None
    assert asker.last.problem == "the query was stopped"
    assert asked(asker, "SELECT 1 AS one").result is not None


def test_a_query_that_nobody_waits_for_is_ended(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_ALONE", 0.2)
    assert "nobody waited" in problem(Asker(page), ENDLESS, timeout=300)


def test_a_server_with_too_many_queries_says_so(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_AT_ONCE", threading.BoundedSemaphore(1))
    first, second = Asker(page), Asker(page)
    first.begin(Asked(ENDLESS, {}, timeout=300))
    assert "too many queries" in problem(second, "SELECT 1")
    first.stop()
    assert first.wait(120)
    assert asked(second, "SELECT 1").result is not None


# --------------------------------------------------------------------------------------------- whose query it is


def test_a_viewer_is_asked_for_its_own_grants(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCOUNTS, "true")
    keep(page.home, Grants((Grant("SELECT", "main.air", "user:ada"),)))
    ada, eve = (Page("sql", page.home, viewer=name) for name in ("ada", "eve"))
    assert asked(Asker(ada), "SELECT v FROM air.flights").result is not None
    # Also where the answer is in the cache.
    assert "eve may not read main.air.flights" in problem(Asker(eve), "SELECT v FROM air.flights")
    assert "grant SELECT on main.air.flights to user:eve" in problem(
        Asker(eve), "SELECT v FROM air.flights AT (VERSION => 0)"
    )
    assert "FROM air.flights" in past_section(ada)
    assert "main.air.flights to user:eve" in past_section(eve)
    assert "user:eve" not in past_section(ada)


def test_where_there_are_accounts_nobody_asks_in_the_servers_name(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCOUNTS, "true")
    assert "does not know which of them is looking" in problem(Asker(page), "SELECT 1")
    with pytest.raises(AccessDenied, match="does not know"):
        past_section(page)


def test_the_history_has_queries_to_be_opened_again(page: Page) -> None:
    assert "No query was asked yet" in past_section(page)
    started = time.monotonic()
    found = asked(Asker(page), "SELECT v, '<b>x</b>' AS t FROM air.flights WHERE v > $least", given={"least:long": "2"})
    assert found.result is not None, (found.problem, time.monotonic() - started)
    shown = past_section(page)
    assert "&lt;b&gt;x" in shown
    assert "<b>x" not in shown
    assert f"past={found.result.id}" in shown
    assert past_query(page, found.result.id) == (found.asked.text, {"least": "2"})
    with pytest.raises(InvalidInput, match="has no query 'x' of yours"):
        past_query(page, "x")


def test_a_long_history_is_not_read_whole_for_its_latest(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = DeltaTables(page.home.tables)
    system = SystemTables(page.home.system, tables)
    when = datetime(2013, 7, 4, tzinfo=UTC)

    def keep(numbers: range) -> None:
        asked_at = [(number, (when + timedelta(seconds=number)).isoformat()) for number in numbers]
        system.append(
            "query_history",
            [{"id": f"q{n}", "started_at": at, "user": "ada", "text": f"SELECT {n}", "ms": 1.0} for n, at in asked_at],
        )

    keep(range(200))
    waits = (page.home.system / "query_history.jsonl").read_text()
    system.flush("query_history")
    keep(range(200, 210))
    # As after a flusher that died between its commit and its clearing away.
    (page.home.system / "query_history-x.claimed").write_text(waits)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the whole table was read")

    monkeypatch.setattr(DeltaTables, "to_arrow", refused)
    shown = past_section(page)
    assert "The latest 50 of 210" in shown
    places = [shown.index(f">SELECT {number}<") for number in range(209, 159, -1)]
    assert places == sorted(places)
    assert ">SELECT 159<" not in shown
    assert past_query(page, "q3") == ("SELECT 3", {})
    assert past_query(page, "q205") == ("SELECT 205", {})
    monkeypatch.setenv(ACCOUNTS, "true")
    with pytest.raises(InvalidInput, match="of yours"):
        past_query(Page("sql", page.home, viewer="eve"), "q3")
    assert "No query was asked yet" in past_section(Page("sql", page.home, viewer="eve"))
    assert "The latest 50 of 210" in past_section(Page("sql", page.home, viewer="ada"))
