"""The curve of the best value: stairs of the ends of trials."""

from __future__ import annotations

import math
import random

import pytest

from sparkml_track.engine.results.best_so_far import best_so_far
from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.trial import Report, State


def ended(number: int, value: float | None, at: float, state: State = State.FINISHED) -> Result:
    return Result(number, {}, state, {}, None if value is None else (value,), started=at - 1.0, duration=1.0)


def test_a_curve_has_the_corners_of_the_stairs_and_the_last_point() -> None:
    values = [None, 5.0, 7.0, 6.0, 3.0, math.nan, 4.0]
    states = [State.FAILED] + [State.FINISHED] * 6
    results = [ended(n, value, 10.0 + n, states[n]) for n, value in enumerate(values)]
    assert best_so_far(results, Goal("loss")) == [
        Report({"best_loss": 5.0}, 1, 11.0),
        Report({"best_loss": 5.0}, 3, 13.0),
        Report({"best_loss": 3.0}, 4, 14.0),
        Report({"best_loss": 3.0}, 6, 16.0),
    ]


def test_maximised_values_rise() -> None:
    curve = best_so_far([ended(n, float(n % 3), 1.0 + n) for n in range(9)], Goal("auc", maximize=True))
    values = [report.metrics["best_auc"] for report in curve]
    assert values == sorted(values)
    assert values[-1] == 2.0


@pytest.mark.parametrize("values", [[], [None, None], [math.nan, math.inf]])
def test_without_a_finite_value_there_is_no_curve(values: list[float | None]) -> None:
    assert best_so_far([ended(n, value, float(n)) for n, value in enumerate(values)], Goal()) == []


def test_steps_rise_and_the_order_of_results_does_not_show() -> None:
    rng = random.Random(3)
    results = [ended(n, rng.random(), rng.random() * 100) for n in range(200)]
    curve = best_so_far(results, Goal())
    rng.shuffle(results)
    assert best_so_far(results, Goal()) == curve
    steps = [report.step for report in curve]
    assert steps == sorted(set(steps))
    assert steps[-1] == 199
    assert curve[-1].metrics["best_loss"] == min(one.value[0] for one in results if one.value)
