"""The Pareto front of two objectives, drawn."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sparkml_track.goal import Goal
from sparkml_track.plots import PlotTrial, draw_pareto
from sparkml_track.testing.plots import figure
from sparkml_track.trial import State

HOSTILE = "</script><script>alert(1)</script>"
LOSS, TIME = Goal("loss"), Goal("seconds")


def pair(number: int, first: float, second: float, name: str = "x") -> tuple[PlotTrial, float]:
    return PlotTrial(number, State.FINISHED, {name: f"{name}{number}"}, first, 1.7e9, 1.0), second


def test_every_trial_is_a_dot_and_the_front_a_line_from_one_end_to_the_other() -> None:
    pairs = [pair(0, 3.0, 1.0), pair(1, 2.0, 2.0), pair(2, 1.0, 4.0), pair(3, 3.0, 3.0)]
    plotted = draw_pareto(pairs, (LOSS, TIME), {0, 1, 2})
    (dots, line), page, _ = figure(plotted)
    assert (dots["x"], dots["y"]) == ([3.0], [3.0])
    assert (line["x"], line["y"]) == ([1.0, 2.0, 3.0], [4.0, 2.0, 1.0])
    assert "3 on the line" in plotted.caption
    axes: Any = page
    assert axes["xaxis"]["title"]["text"] == "loss (lower is better)"
    assert axes["yaxis"]["title"]["text"] == "seconds (lower is better)"


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_the_stairs_turn_where_everything_is_beaten(first: bool, second: bool) -> None:
    """The corner between two trials of the front is as bad as either, in each objective."""
    goals = Goal("a", maximize=first), Goal("b", maximize=second)
    # Two trials of which neither beats the other, by the losses (0, 1) and (1, 0).
    ends = [(goals[0].loss(0.0), goals[1].loss(1.0)), (goals[0].loss(1.0), goals[1].loss(0.0))]
    (_, line), _, _ = figure(draw_pareto([pair(n, *one) for n, one in enumerate(ends)], goals, {0, 1}))
    drawn: Any = line
    (x1, x2), (y1, y2) = drawn["x"], drawn["y"]
    corner = (x2, y1) if drawn["line"]["shape"] == "hv" else (x1, y2)
    assert (goals[0].loss(corner[0]), goals[1].loss(corner[1])) == (1.0, 1.0)


def test_no_trial_with_both_is_said_in_a_sentence() -> None:
    assert draw_pareto([], (LOSS, TIME), set()).html == (
        '<p class="none">No trial finished with a finite value for both.</p>'
    )


def test_text_of_users_stays_text() -> None:
    plotted = draw_pareto([pair(0, 1.0, 2.0, HOSTILE)], (Goal(HOSTILE), TIME), {0})
    figure(plotted)
    assert plotted.html.count("<script>") == 1


def test_ten_thousand_trials_stay_small_and_keep_the_front() -> None:
    pairs = [pair(n, math.cos(n) + 2, math.sin(n) + 2) for n in range(10_000)]
    front = {one.number for one, _ in pairs[:40]}
    plotted = draw_pareto(pairs, (LOSS, TIME), front)
    assert len(plotted.html) < 1_000_000
    (dots, line), _, _ = figure(plotted)
    places: Any = (dots, line)
    assert len(places[1]["x"]) == 40
    assert f"{len(places[0]['x']) + 40:,} of 10,000 trials are drawn" in plotted.caption
