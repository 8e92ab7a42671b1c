"""Several sweeps against each other, from Python and as drawn by pages."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from sparkml_track import plots
from sparkml_track.errors import InvalidInput
from sparkml_track.goal import Goal
from sparkml_track.plots import PlotTrial, compared, draw_best_so_far, draw_bests, params_side_by_side
from sparkml_track.trial import State

LOSS = Goal("loss")


@dataclass
class Ended:
    number: int
    value: tuple[float, ...] | None
    state: State = State.FINISHED
    started: float = 0.0
    duration: float = 1.0
    params: dict[str, object] = field(default_factory=dict)


@dataclass
class Summary:
    goals: tuple[Goal, ...] = (LOSS,)


@dataclass
class Sweep:
    sweep: str
    trials: list[Ended]
    summary: Summary = field(default_factory=Summary)


def sweep(name: str, *values: float, **summary: Any) -> Sweep:
    trials = [
        Ended(n, (value,), started=100.0 + n, params={"x": n, "m": {"k": name}}) for n, value in enumerate(values)
    ]
    return Sweep(name, trials, Summary(**summary))


def test_the_best_so_far_goes_down_in_stairs_by_trials_and_by_time() -> None:
    first, second = sweep("a", 3.0, 4.0, 2.0, 5.0), sweep("b", 1.0)
    by_trials, by_time = plots.best_so_far([first, second]), plots.best_so_far([first, second], by="time")
    assert (list(by_trials.data[0].x), list(by_trials.data[0].y)) == ([1, 3, 4], [3.0, 2.0, 2.0])
    assert list(by_time.data[0].x) == [1.0, 3.0, 4.0]
    assert [line.name for line in by_trials.data] == ["a", "b"]
    assert by_trials.data[0].line.color == plots.distributions([first, second]).data[0].marker.color


def test_more_is_better_where_the_goal_says_so() -> None:
    figure = plots.best_so_far([sweep("a", 1.0, 3.0, 2.0, goals=(Goal("auc", maximize=True),))])
    assert list(figure.data[0].y) == [1.0, 3.0, 3.0]


def test_boxes_hold_the_middle_half_of_all_values() -> None:
    (box,) = plots.distributions([sweep("a", *map(float, range(101)))]).data
    assert (box.lowerfence, box.q1, box.median, box.q3, box.upperfence) == ((0.0,), (25.0,), (50.0,), (75.0,), (100.0,))


def test_sweeps_whose_names_begin_alike_have_a_box_each() -> None:
    names = [f"flights-gradient-boosting-2026{month}" for month in ("11", "12")]
    figure = plots.distributions([sweep(name, 1.0, 2.0) for name in names])
    assert len({box.x for box in figure.data}) == 2


def test_params_that_differ_come_first_and_are_marked() -> None:
    rows = params_side_by_side([{"same": 1, "x": 0.5}, {"same": 1, "x": 0.25, "new": "a"}])
    assert rows == [("x", ["0.5", "0.25"], True), ("new", ["not set", "a"], True), ("same", ["1", "1"], False)]
    (table,) = plots.bests([sweep("a", 1.0), sweep("b", 1.0)]).data
    assert list(table.cells.values[0]) == ["m.k", "x"]
    assert list(table.cells.fill.color[0]) == ["#fff3d6", "rgba(0,0,0,0)"]


@pytest.mark.parametrize("state", [State.FAILED, State.PRUNED, State.RUNNING])
def test_trials_that_did_not_finish_have_no_value(state: State) -> None:
    made = compared(
        "a", LOSS, [PlotTrial(0, state, {}, 0.1, 1.0, 1.0), PlotTrial(1, State.FINISHED, {}, 2.0, 1.0, 2.0)]
    )
    assert (made.values, [step[2] for step in made.stairs]) == ([2.0], [2.0, 2.0])


def test_nothing_to_draw_is_a_sentence() -> None:
    empty = [compared("a", LOSS, [])]
    for drawn in (draw_best_so_far(empty), draw_bests(empty)):
        assert "No trial of these sweeps finished" in drawn.html


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no sweep is given"):
        plots.best_so_far([])
    with pytest.raises(InvalidInput, match="the sweep a has no objective 'auc'; it has loss"):
        plots.distributions([sweep("a", 1.0)], "auc")
    with pytest.raises(InvalidInput, match="some sweeps minimize 'loss', others maximize it"):
        plots.bests([sweep("a", 1.0), sweep("b", 1.0, goals=(Goal("loss", maximize=True),))])
    with pytest.raises(InvalidInput, match="by is 'days'"):
        plots.best_so_far([sweep("a", 1.0)], by="days")  # type: ignore[arg-type]


def test_the_package_gives_its_plots_and_imports_them_when_they_are_used() -> None:
    code = (
        "import sys, sparkml_track as st; a = 'sparkml_track.plots' in sys.modules; print(a, st.plots.bests.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "bests"]
