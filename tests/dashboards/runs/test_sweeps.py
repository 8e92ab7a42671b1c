"""The list of sweeps: what runs, what ended, what cannot be read; and what it costs to look again."""

from __future__ import annotations

import time

import pytest

from sparkml_track import journals
from sparkml_track.dashboards import Page
from sparkml_track.dashboards.runs import overview as overview_module
from sparkml_track.dashboards.runs import reading
from sparkml_track.dashboards.runs import sweeps as sweeps_module
from sparkml_track.dashboards.runs.overview import overview, overview_of
from sparkml_track.dashboards.runs.reading import Readers, seen
from sparkml_track.dashboards.runs.sweeps import latest_section, progress_bar, sweeps_section, sweeps_tiles
from sparkml_track.engine.records.types import Extended, Parent
from sparkml_track.errors import SpecError
from sparkml_track.home import Home
from sparkml_track.trial import State
from tests.dashboards.runs.conftest import Write, accepted, add, asked, plan, running, submitted, trial, whole


def test_an_empty_home_says_how_it_is_filled(page: Page) -> None:
    assert "sparkml-track run CONFIG" in sweeps_section(page)
    assert "sparkml-track run CONFIG" in latest_section(page)
    assert "sweeps" in sweeps_tiles(overview(page))


def test_a_finished_sweep_is_known_by_its_ends_without_reading_it(
    page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(whole())
    monkeypatch.setattr(reading, "follow", None)
    (row,) = overview(page)
    assert (row.state, row.name, row.over, row.best) == ("finished", "tune", 10, pytest.approx(0.1))
    monkeypatch.setattr(overview_module, "last", None)
    assert overview(page) == [row]


def test_failures_are_said_by_reason_after_one_reading(
    page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(whole(failed=[1, 3]))
    assert overview(page)[0].failures == {"exception": 2}
    monkeypatch.setattr(reading, "follow", None)
    assert "2 exception" in sweeps_section(page)


def test_what_runs_comes_first_and_is_followed(home: Home, page: Page, write: Write) -> None:
    now = time.time()
    with running(home, "live") as journal:
        add(
            journal,
            [plan(), Parent("run", "1", now - 5), *(each for n in range(3) for each in (asked(n), submitted(n)))],
        )
        write(whole(), "old")
        first, second = overview(page)
        assert (first.sweep, first.state, first.at_work, first.over) == ("live", "running", 3, 0)
        assert second.sweep == "old"
        add(journal, [accepted(0, started=now - 3, duration=2.0), accepted(1, started=now - 3, duration=2.5)])
        row = overview(page)[0]
        assert (row.over, row.at_work, row.slots, row.hosts) == (2, 1, 3, 1)
        assert row.rate > 0
        assert row.left is not None
        assert "1 busy, 2 idle" in sweeps_section(page)
    assert [row.state for row in overview(page) if row.sweep == "live"] == ["unfinished"]


def test_a_sweep_without_a_limit_has_no_bar_and_no_time_left(home: Home, page: Page) -> None:
    now = time.time()
    with running(home, "live") as journal:
        ended = [each for n in range(4) for each in trial(n, started=now - 3)]
        add(journal, [plan(max_trials=None, timeout=3600), Parent("run", "1", now - 5), *ended, asked(4), submitted(4)])
        (row,) = overview(page)
        assert row.rate > 0
        assert row.left is None
        assert "<progress" not in sweeps_section(page)
        assert "4 so far" in sweeps_section(page)
        assert "so far" in progress_bar(row)
        add(journal, [Extended(8)])
        assert overview(page)[0].left is not None
        assert "4 of 8" in sweeps_section(page)


def test_a_sweep_that_ended_is_read_once_however_many_trials_readers_keep(
    home: Home, page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sweep in ("one", "two", "three"):
        write(whole(failed=[1]), sweep)
    write([plan(), *trial(0)], "open")
    monkeypatch.setattr(overview_module, "readers", lambda _: kept)
    kept = Readers(home.root, most=5)
    before = overview(page)
    monkeypatch.setattr(reading, "follow", None)
    assert overview(page) == before
    monkeypatch.undo()
    write(trial(1), "open")
    assert {row.sweep: row.over for row in overview(page)}["open"] == 2


def test_a_sweep_without_an_end_says_how_to_go_on(page: Page, write: Write) -> None:
    write([plan(), *trial(0)])
    (row,) = overview(page)
    assert (row.state, row.resumable) == ("unfinished", True)
    assert "sparkml-track resume sweep" in sweeps_section(page)


def test_a_sweep_that_has_not_begun_and_one_that_is_damaged_cost_their_row_a_sentence(
    home: Home, page: Page, write: Write
) -> None:
    write([], "bare")
    write(whole(30), "bad")
    write(whole(), "good")
    (path,) = (home.journal / "bad").glob("*.seg")
    whole_of_it = path.read_bytes()
    path.write_bytes(whole_of_it[:700] + b"x" + whole_of_it[701:-200])
    states = {row.sweep: (row.state, row.note) for row in overview(page)}
    assert states["good"][0] == "finished"
    assert states["bare"] == ("unfinished", "Its driver died before anything was planned.")
    assert states["bad"][0] == "unreadable"
    assert "holds no good record" in states["bad"][1]
    assert "unreadable" in sweeps_tiles(overview(page))


def test_a_list_is_limited_by_name_and_state(page: Page, write: Write) -> None:
    write(whole(), "one")
    write([plan(), *trial(0)], "two")
    assert "one" in sweeps_section(page, "ONE")
    assert "two" not in sweeps_section(page, "ONE")
    assert ">one<" not in sweeps_section(page, "", ["unfinished"])
    assert "None of 2 sweeps" in sweeps_section(page, "three")


def test_a_look_goes_through_the_sweeps_once(page: Page, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def counted(*args: object) -> object:
        looks.append(args)
        return overview(*args)  # type: ignore[arg-type]

    write(whole())
    monkeypatch.setattr(sweeps_module, "overview", counted)
    said = sweeps_section(page)
    assert len(looks) == 1
    assert "sk-tiles" in said
    assert "10 of 10" in said


def test_one_sweep_is_looked_at_without_the_others(
    home: Home, page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(whole(failed=[1]), "other")
    with running(home, "live") as journal:
        add(journal, [plan(), *trial(0)])
        monkeypatch.setattr(overview_module, "last", None)
        row = overview_of(page, "live")
        assert row is not None
        assert (row.state, row.over) == ("running", 1)
    monkeypatch.undo()
    row = overview_of(page, "live")
    assert row is not None
    assert row.state == "unfinished"
    assert overview_of(page, "none") is None


def test_what_is_in_a_journal_is_text(page: Page, write: Write) -> None:
    bad = accepted(0, state=State.FAILED)
    write(
        [
            plan(),
            asked(0),
            submitted(0),
            bad.__class__(**{f: getattr(bad, f) for f in bad.__slots__} | {"reason": "<b>"}),
        ]
    )
    assert "&lt;b&gt;" in sweeps_section(page)
    assert "1 <b>" not in sweeps_section(page)


def test_what_takes_long_to_read_is_left_for_the_next_looks(
    page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write([plan(), *trial(0)])
    monkeypatch.setattr(overview_module, "_PATIENCE", -1.0)
    (row,) = overview(page)
    assert "read with the next looks" in row.note
    monkeypatch.undo()
    assert overview(page)[0].over == 1


def test_a_journal_is_read_again_only_where_it_was_written_on(
    home: Home, page: Page, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def counted(*args: object) -> object:
        looks.append(args[-1])
        return journals.follow(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "follow", counted)
    write([plan(), *trial(0)])
    assert seen(page, "sweep") is seen(page, "sweep")
    write(trial(1))
    assert seen(page, "sweep").over == 2
    assert [look is None for look in looks] == [True, False]


def test_readers_that_keep_too_much_go(home: Home, write: Write) -> None:
    found = Readers(home.root, most=15)
    for sweep in ("one", "two"):
        write(whole(), sweep)
        found.of(sweep).look((1,))
    kept = found.of("two")
    assert found.of("two") is kept
    assert found.of("one").rows == 0


def test_addresses_of_no_sweep_leave_few_readers(page: Page, write: Write) -> None:
    write([plan(), *trial(0)])
    found = reading.readers(page)
    kept = found.of("sweep")
    for number in range(2000):
        found.of(f"none-{number}")
        assert found.of("sweep") is kept
    assert len(found) < 500
    with pytest.raises(SpecError, match="allowed are"):
        seen(page, "no id")
