"""A trial of the past is executed again: all of its units, joined as they were."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.engine.audit.reproduce import Reproduced, execute_again
from sparkml_track.engine.results.history import History
from sparkml_track.engine.spec.units import Units
from sparkml_track.executors import Work, open_executor
from sparkml_track.journals import read
from tests.faults.here import sweep


def objective(trial: Any) -> dict[str, float]:
    if trial.unit == 1 and trial.params["x"] > 0:
        raise ValueError("this unit raises")
    return {"loss": trial.params["x"] ** 2 + trial.unit, "other": 2.0}


def again(home: Path, name: str, number: int, function: Any = objective) -> Reproduced:
    executor = open_executor("inline", Work(function, ("loss",)), None)
    return execute_again(History.of(read(home, name)), name, number, executor, {})


@pytest.mark.parametrize("units", [1, 3, Units(3, math.nan, "split{index}_"), Units(2, 0.5)])
def test_all_units_are_executed_and_give_what_they_gave(home: Path, units: Any) -> None:
    found = sweep(home, objective=objective, units=units, max_trials=6)
    finished = [trial for trial in found.trials if trial.state.value == "finished"]
    assert finished
    for trial in finished:
        once_more = again(home, found.sweep, trial.number)
        assert once_more.was == pytest.approx(trial.metrics, nan_ok=True)
        assert all(row["same"] for row in once_more.compared()), once_more.compared()


def test_a_unit_that_gives_something_else_shows(home: Path) -> None:
    found = sweep(home, objective=objective, units=3, max_trials=6)
    trial = next(trial for trial in found.trials if trial.state.value == "finished")

    def other(trial: Any) -> dict[str, float]:
        return {**objective(trial), "other": 3.0 if trial.unit == 2 else 2.0}

    different = [row["metric"] for row in again(home, found.sweep, trial.number, other).compared() if not row["same"]]
    assert sorted(map(str, different)) == ["fold_2_other", "other"]


def test_a_unit_that_fails_now_fails_the_trial(home: Path) -> None:
    found = sweep(home, objective=objective, units=3, max_trials=6)
    trial = next(trial for trial in found.trials if trial.state.value == "finished")

    def broken(trial: Any) -> dict[str, float]:
        if trial.unit == 2:
            raise ValueError("no data any more")
        return objective(trial)

    once_more = again(home, found.sweep, trial.number, broken)
    assert once_more.outcome.state.value == "failed" and "no data any more" in once_more.outcome.message
    assert not all(row["same"] for row in once_more.compared())
