"""What a result looks like in a notebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparkml_track.engine.results.summary import Result, summarise
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.goal import goals_of
from sparkml_track.trial import State


def result(trials: list[Result], direction: str = "minimize", sweep: str = "s") -> SweepResult:
    summary = summarise(trials, len(trials), 0, goals_of(("loss",), (direction,)))
    return SweepResult(sweep, "run", "0", summary, trials, Path("report.html"))


def finished(number: int, value: float, **params: object) -> Result:
    return Result(number, params, State.FINISHED, {"loss": value}, (value,))


def shown(html: str) -> list[int]:
    return [int(number) for number in re.findall(r"<tr><td>(\d+)</td>", html)]


@pytest.mark.parametrize(("direction", "order"), [("minimize", [2, 0, 1, 3, 4]), ("maximize", [1, 0, 2, 3, 4])])
def test_a_notebook_shows_counts_and_the_best_trials_first(direction: str, order: list[int]) -> None:
    trials = [finished(0, 0.5), finished(1, 0.7), finished(2, 0.1, x=3), finished(3, float("nan"))]
    html = result([*trials, Result(4, {}, State.FAILED)], direction)._repr_html_()
    assert "4 finished, 0 pruned, 1 failed, 0 killed" in html
    assert shown(html) == order
    assert "<td>0.1</td><td>x=3</td>" in html


def test_a_notebook_gets_no_more_than_a_small_table() -> None:
    html = result([finished(n, float(n), text="y" * 5000) for n in range(500)])._repr_html_()
    assert len(shown(html)) == 10
    assert len(html) < 10_000


def test_a_notebook_shows_text_as_text() -> None:
    html = result([finished(0, 1.0, x="<script>")], sweep="<b>")._repr_html_()
    assert "<script>" not in html
    assert "<b>&lt;b&gt;</b>" in html


def test_a_sweep_without_trials_has_a_page_too() -> None:
    assert shown(result([])._repr_html_()) == []
