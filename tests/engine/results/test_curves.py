"""Learning curves: which trials are kept of many, and how much of each."""

from __future__ import annotations

import math
import random

from sparkml_track.engine.results.curves import BEST, OTHERS, POINTS, Curves
from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.trial import Report, State


def reports(*values: float, metric: str = "loss") -> list[Report]:
    return [Report({metric: value}, step, 100.0) for step, value in enumerate(values)]


def finished(number: int, value: float) -> Result:
    return Result(number, {}, State.FINISHED, {"loss": value}, (value,))


def pruned(number: int) -> Result:
    return Result(number, {}, State.PRUNED, {"loss": 1.0}, reason="pruned")


def of(*results: Result, goal: Goal = Goal("loss")) -> Curves:
    curves = Curves(goal)
    for one in results:
        curves.add(one, reports(1.0, 0.5))
    return curves


def test_the_best_are_kept_best_first_and_others_are_spread_over_the_sweep() -> None:
    values = list(range(1000))
    random.Random(3).shuffle(values)
    curves = of(*(finished(number, float(value)) for number, value in enumerate(values)))
    assert [one.number for one in curves.best()] == [values.index(rank) for rank in range(BEST)]
    others = [one.number for one in curves.others()]
    assert others == sorted(set(others) - {one.number for one in curves.best()})
    assert len(others) == OTHERS
    gaps = [b - a for a, b in zip([-1, *others], [*others, 1000], strict=True)]
    assert max(gaps) < 4 * 1000 / OTHERS, "no part of the sweep is without one"
    assert curves.reported == 1000


def test_more_is_better_where_the_goal_says_so() -> None:
    results = [finished(number, float(number)) for number in range(BEST + OTHERS + 40)]
    assert next(one.number for one in of(*results, goal=Goal("loss", maximize=True)).best()) == results[-1].number


def test_the_same_trials_are_kept_in_whatever_order_they_end() -> None:
    results = [pruned(number) if number % 3 else finished(number, number % 7 / 7) for number in range(300)]
    first, second = of(*results), of(*reversed(results))
    assert first.best() == second.best()
    assert first.others() == second.others()
    assert {one.state for one in first.others()} == {State.FINISHED, State.PRUNED}


def test_trials_that_reported_nothing_of_the_goal_are_passed_over() -> None:
    curves = of()
    curves.add(finished(0, 0.5), [])
    curves.add(finished(1, 0.5), reports(0.5, metric="other"))
    assert (curves.reported, curves.best(), curves.others()) == (0, [], [])


def test_a_trial_without_a_finite_value_is_not_one_of_the_best() -> None:
    curves = of(finished(0, math.nan), finished(1, math.inf), pruned(2))
    assert curves.best() == []
    assert [one.number for one in curves.others()] == [0, 1, 2]


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    curves = of()
    curves.add(finished(0, 0.5), reports(*(float(step) for step in range(10_000))))
    (one,) = curves.best()
    assert len(one.steps) == len(one.values) == POINTS
    assert (one.steps[0], one.steps[-1], one.values[-1]) == (0, 9_999, 9_999.0)
    assert list(one.steps) == sorted(one.steps)


def test_a_trial_that_is_executed_again_is_let_go() -> None:
    curves = of(finished(0, 0.5), pruned(1))
    curves.drop(1)
    curves.drop(0)
    curves.drop(7)
    assert (curves.reported, curves.best(), curves.others()) == (0, [], [])
    curves.add(finished(1, 0.25), reports(0.25))
    assert [(one.number, list(one.values)) for one in curves.best()] == [(1, [0.25])]
