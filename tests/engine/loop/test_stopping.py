from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from pathlib import Path

import pytest

import sparkml_track as st
from sparkml_track.engine.loop.stopping import Stopping
from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.trial import State

UNTRACKED = st.Tracking(uri="memory:", child_runs="none")


def finished(value: float) -> Result:
    return Result(0, {}, State.FINISHED, value=(value,))


def ended(state: State) -> Result:
    return Result(0, {}, state)


def stops_at(goal: Stopping, results: Sequence[Result]) -> int | None:
    """The place of the first result after which the sweep may end."""
    return next((place for place, result in enumerate(results) if goal.add(result)), None)


def test_without_target_and_patience_nothing_ends_a_sweep() -> None:
    assert stops_at(Stopping(Goal(), None, None), [finished(1.0)] * 1000) is None


@pytest.mark.parametrize(
    ("maximize", "values", "at"),
    [
        (False, [3.0, 1.1, 1.0], 2),
        (False, [3.0, 0.5], 1),
        (False, [3.0, 1.1], None),
        (True, [0.5, 0.9, 1.0], 2),
        (True, [0.5, 7.0], 1),
        (True, [0.5, 0.9], None),
        (False, [nan, -inf, inf], None),
        (True, [nan, -inf, inf], None),
    ],
)
def test_a_target_is_reached_by_a_value_that_equals_or_passes_it(
    maximize: bool, values: Sequence[float], at: int | None
) -> None:
    assert stops_at(Stopping(Goal(maximize=maximize), 1.0, None), list(map(finished, values))) == at


@pytest.mark.parametrize("state", [State.PRUNED, State.FAILED, State.KILLED])
def test_only_trials_that_finished_reach_a_target(state: State) -> None:
    assert Stopping(Goal(), 1.0, None).add(Result(0, {}, state, metrics={"loss": 0.0})) == ""


@pytest.mark.parametrize(
    ("maximize", "values", "at"),
    [
        (False, [3.0, 2.0, 2.0, 2.5, 9.0], 4),
        (False, [3.0, 3.0, 3.0, 2.9, 3.0, 3.0, 3.0], 6),
        (False, [3.0, 4.0, 5.0], None),
        (True, [3.0, 2.0, 1.0, 0.0], 3),
        (True, [1.0, 2.0, 3.0, 4.0], None),
        (False, [nan, nan, nan], 2),
    ],
)
def test_patience_counts_trials_without_an_improvement(maximize: bool, values: Sequence[float], at: int | None) -> None:
    assert stops_at(Stopping(Goal(maximize=maximize), None, 3), list(map(finished, values))) == at


def test_pruned_and_failed_trials_try_patience_and_killed_ones_do_not() -> None:
    goal = Stopping(Goal(), None, 3)
    states = [State.FAILED, State.KILLED, State.KILLED, State.PRUNED, State.KILLED, State.FAILED]
    assert stops_at(goal, [ended(state) for state in states]) == 5


def test_the_reason_names_the_limit_and_the_value() -> None:
    goal = Stopping(Goal(), 0.5, 2)
    assert goal.add(finished(0.75)) == goal.add(finished(0.75)) == ""
    assert goal.add(finished(0.75)) == "no improvement in 2 trials (patience=2): the best value stayed 0.75"
    assert goal.add(finished(0.25)) == "the target 0.5 is reached: 0.25"
    assert "none has a value" in Stopping(Goal(), None, 1).add(ended(State.FAILED))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    return tmp_path


def test_a_sweep_ends_as_finished_when_its_target_is_reached(home: Path) -> None:
    result = st.sweep(
        lambda trial: trial.params["x"],
        {"x": st.quniform(0, 99, 1)},
        sampler="grid",
        direction="maximize",
        max_trials=100,
        target=7,
        tracking=UNTRACKED,
        executor="inline",
    )
    counts = result.counts
    assert (result.best_value, counts.planned) == (7.0, 100)
    assert counts.finished + counts.killed == len(result.trials) < 20
    assert counts.not_started == counts.planned - len(result.trials)
    assert all(trial.reason == "cancelled" for trial in result.trials if trial.state is State.KILLED)


def test_a_sweep_ends_when_nothing_becomes_better(home: Path) -> None:
    result = st.sweep(
        lambda trial: abs(trial.params["x"] - 5),
        {"x": st.quniform(0, 99, 1)},
        sampler="grid",
        patience=10,
        tracking=UNTRACKED,
        executor="inline",
    )
    assert (result.best_params, result.counts.finished) == ({"x": 5.0}, 16)


def test_a_sweep_that_reached_its_target_is_not_gone_on_with(home: Path) -> None:
    def search(target: float, resume: str = "auto") -> st.SweepResult:
        return st.sweep(
            lambda trial: trial.params["x"],
            {"x": st.quniform(0, 19, 1)},
            name="once",
            sampler="grid",
            direction="maximize",
            target=target,
            resume=resume,
            tracking=UNTRACKED,
            executor="inline",
        )

    first = search(3)
    assert search(3).sweep != first.sweep
    further = search(9, resume=first.sweep)
    assert (further.sweep, further.best_value) == (first.sweep, 9.0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"target": "low"}, "target is 'low'; allowed is a finite number, or None"),
        ({"target": nan}, "target is nan"),
        ({"target": True}, "target is True"),
        ({"patience": 0}, "patience is 0; allowed is a whole number of at least 1, or None"),
        ({"target": 1.0, "metric": ("a", "b"), "sampler": "random"}, "target and patience take one metric, not 2"),
        ({"patience": 5, "metric": ("a", "b"), "sampler": "random"}, "target and patience take one metric, not 2"),
    ],
)
def test_limits_that_are_none_are_refused(home: Path, more: dict[str, object], said: str) -> None:
    with pytest.raises(st.errors.SpecError) as caught:
        st.sweep(lambda _: 0.0, {"x": st.uniform(0, 1)}, max_trials=3, **more)  # type: ignore[arg-type]
    assert any(said in problem for problem in caught.value.problems), caught.value.problems
