"""Progress below the cell of a notebook."""

from __future__ import annotations

import logging
import re

import pytest

from sparkml_track.api.progress.notebook import EVERY, REMOTE, NotebookDisplay
from sparkml_track.api.progress.panel import panel
from sparkml_track.engine.loop.progress import RunningNow
from tests.api.progress.looks import look


class Cell:
    """The output of a cell; one that is broken raises."""

    way_to_end = "interrupt the cell"

    def __init__(self, broken: bool = False) -> None:
        self.shown: list[tuple[str, str]] = []
        self._broken = broken

    def show(self, html: str, text: str) -> None:
        if self._broken:
            raise RuntimeError("no page")
        self.shown.append((html, text))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def words(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html)


def test_a_cell_shows_the_beginning_a_look_now_and_then_and_the_end() -> None:
    cell, clock = Cell(), Clock()
    shown = NotebookDisplay("forests", cell, clock)
    shown.start()
    for clock.now in (1.0, 1.0 + EVERY / 2, 1.0 + EVERY):
        shown(look(finished=1, elapsed=2.0))
    shown(look(finished=40, elapsed=3.0, ended=True))
    shown.stop()
    shown.ended(["report: here"])
    texts = [text for _, text in cell.shown]
    assert texts[0] == "forests: starting"
    assert texts[1:3] == ["forests: 1 done, 0 running, 0 failed, 30.0 trials/min"] * 2
    assert texts[3:] == ["forests: 40 done, 0 failed, 13.3 trials/s", f"{texts[3]}\nreport: here"]


def test_a_panel_shows_counts_the_best_and_what_runs() -> None:
    one = RunningNow(11, {"x": 0.25}, 12.0, 0.5, 3)
    html = panel("forests", look(
        finished=10, pruned=3, running=9, best=0.125, best_number=7, best_params={"x": 0.5}, metric="loss",
        elapsed=5.0, remaining=10.0, slots=9, busy=9, trials=(one,), note="tracking is away",
    ), "interrupt the cell")  # fmt: skip
    text = " ".join(words(html).split())
    assert text == (
        "forests 13 of 40 trials, 5.0 s, 2.6 trials/s, 10.0 s left 10 finished · 9 running · 3 pruned · 0 failed · "
        "9 of 9 slots busy best loss 0.125 by trial 7: x=0.5 tracking is away running for last report params 11 12.0 s "
        "0.5 at step 3 x=0.25 and 8 more interrupt the cell"
    )


def test_how_to_end_it_is_not_said_of_what_has_ended_or_where_nobody_can() -> None:
    assert "interrupt" not in panel("s", look(ended=True), "interrupt the cell")
    assert "interrupt" in panel("s", look(), "interrupt the cell")
    assert panel("s", look(), "") == panel("s", look(ended=False), "")


def test_a_cell_has_a_button_while_it_runs() -> None:
    cell, clock = Cell(), Clock()
    shown = NotebookDisplay("forests", cell, clock)
    shown.start()
    shown(look(finished=1))
    (address,) = re.findall('href="([^"]*)"[^>]*>Stop<', cell.shown[-1][0])
    assert address.startswith("http://127.0.0.1:")
    shown.stop()  # interrupted: it has not ended
    assert "Stop" not in cell.shown[-1][0]
    assert "interrupt" not in cell.shown[-1][0]


@pytest.mark.parametrize("name", sorted(REMOTE))
def test_where_the_page_is_on_another_machine_there_is_no_button(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    cell = Cell()
    shown = NotebookDisplay("forests", cell, Clock())
    shown.start()
    shown(look(finished=1))
    assert "href" not in cell.shown[-1][0]
    assert "interrupt the cell" in cell.shown[-1][0]


def test_what_is_shown_is_escaped_and_loads_nothing() -> None:
    bad = "<script>alert(1)</script>"
    one = RunningNow(1, {bad: bad}, 1.0)
    given = look(running=1, best=1.0, best_number=0, best_params={bad: bad}, metric=bad, note=bad, trials=(one,))
    html = panel(bad, given, bad, [bad])
    assert "<script" not in html
    assert "http" not in html


def test_a_page_that_cannot_be_reached_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    shown = NotebookDisplay("forests", Cell(broken=True))
    with caplog.at_level(logging.WARNING):
        shown.start()
        shown(look(ended=True))
        shown.ended([])
    assert [record.message for record in caplog.records] == [
        "the notebook shows no progress any more: RuntimeError: no page"
    ]
