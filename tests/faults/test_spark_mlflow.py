"""An objective that writes MLflow runs by itself: no stray runs. On plain processes; slots on Spark are the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.executors import Work, open_executor
from sparkml_track.testing.executors import attempt, outcomes
from sparkml_track.trial import State


def test_start_run_in_an_objective_fails_with_what_to_do_and_autolog_makes_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    monkeypatch.chdir(tmp_path)

    def objective(trial: Any) -> float:
        import mlflow

        if trial.number == 0:
            mlflow.start_run()
            return 1.0
        mlflow.sklearn.autolog()
        from sklearn.linear_model import LinearRegression

        return float(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]).coef_[0])

    executor = open_executor("processes", Work(objective, parallelism=1), None)
    try:
        for number in range(2):
            executor.submit(attempt(number))
        ended = outcomes(executor, 2, seconds=60)
    finally:
        executor.close()
    assert (ended[0].state, ended[0].reason) == (State.FAILED, "exception")
    assert "a trial writes no MLflow runs, the driver does: use trial.report(...)" in ended[0].message
    assert ended[1].state is State.FINISHED, ended[1].message
    assert os.listdir(tmp_path) == []
