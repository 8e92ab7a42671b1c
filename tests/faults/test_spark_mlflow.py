"""An objective that uses MLflow: whatever store the environment names, its slot writes to none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.executors import Logged, Work, open_executor
from sparkml_track.testing.executors import attempt, events_until
from sparkml_track.trial import RunLog

pytestmark = pytest.mark.slow


def test_runs_and_autologging_in_an_objective_leave_nothing_in_the_store_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.chdir(tmp_path)

    def objective(_: Any) -> float:
        import mlflow

        mlflow.sklearn.autolog(log_models=False)
        from sklearn.linear_model import LinearRegression

        return float(LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]).coef_[0])

    executor = open_executor("processes", Work(objective, parallelism=1), None)
    try:
        executor.submit(attempt(0))
        events = events_until(executor, 1, seconds=60)
    finally:
        executor.close()
    log = RunLog.joined([event.log for event in events if isinstance(event, Logged)])
    assert log.params["fit_intercept"] == "True"
    assert os.listdir(tmp_path) == []
