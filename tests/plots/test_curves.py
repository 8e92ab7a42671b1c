"""Learning curves, drawn."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from sparkml_track.goal import Goal
from sparkml_track.plots import PlotCurve, draw_curves
from sparkml_track.testing.plots import figure
from sparkml_track.trial import State

HOSTILE = "</script><script>alert(1)</script>"


def curve(number: int, state: State = State.FINISHED, *, best: bool = False, steps: int = 3) -> PlotCurve:
    return PlotCurve(number, state, best, range(steps), [1.0 / (number + step + 1) for step in range(steps)])


def test_each_trial_is_a_line_and_the_best_lie_on_top() -> None:
    curves = [curve(0, best=True), curve(1), curve(2), curve(3, State.FAILED)]
    data, page, _ = figure(draw_curves(curves, Goal("auc", maximize=True), 4))
    assert [one["name"] for one in data] == ["finished", "failed", "best"]
    drawn: Any = data
    assert drawn[0]["x"] == [0, 1, 2, None, 0, 1, 2, None]
    assert drawn[0]["y"][:4] == [1 / 2, 1 / 3, 1 / 4, None]
    titles: Any = page
    assert (titles["xaxis"]["title"]["text"], titles["yaxis"]["title"]["text"]) == ("step", "auc")


def test_pruned_trials_end_in_a_cross() -> None:
    data, _, _ = figure(draw_curves([curve(0), curve(1, State.PRUNED, steps=2), curve(2, State.PRUNED)], Goal(), 3))
    crosses: Any = data[-1]
    assert crosses["marker"]["symbol"] == "x"
    assert (crosses["x"], crosses["y"]) == ([1, 2], [1 / 3, 1 / 5])
    assert Counter(one["name"] for one in data if "name" in one) == {"finished": 1, "pruned": 1}


def test_the_caption_says_how_many_were_left_out() -> None:
    curves = [curve(0, best=True), curve(1)]
    assert "the best 1 and 1 others of 12,000 trials that reported" in draw_curves(curves, Goal(), 12_000).caption
    assert "others" not in draw_curves(curves, Goal(), 2).caption


def test_a_trial_that_reported_once_is_a_dot() -> None:
    (line,), _, _ = figure(draw_curves([curve(0, steps=1)], Goal(), 1))
    assert line["mode"] == "lines+markers"


def test_values_that_are_not_finite_leave_a_hole() -> None:
    given = PlotCurve(0, State.FINISHED, False, [0, 1, 2], [1.0, math.nan, math.inf])
    (line,), _, _ = figure(draw_curves([given], Goal(), 1))
    assert line["y"] == [1.0, None, None, None]


def test_no_reports_and_text_of_users() -> None:
    assert "No trial reported" in draw_curves([], Goal(), 0).html
    plotted = draw_curves([curve(0)], Goal(HOSTILE), 1)
    figure(plotted)
    assert plotted.html.count("<script>") == 1
