"""The Optuna door on a cluster whose hosts have nothing of ours installed, and whose Spark executors are killed."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.frontdoors.optuna import optimize
from tests.clusters import application, cluster, wait_until

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(400)]


def test_killed_spark_executors_cost_an_attempt_and_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    mark = str(tmp_path / "values")

    def objective(trial: Any) -> float:
        import time

        x, layers = trial.suggest_float("x", 0, 1), trial.suggest_int("layers", 1, 3)
        for step in range(3):
            trial.report(x + layers / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        if trial.number == 1:
            with open(mark, "a") as file:
                file.write(f"{x!r} {layers}\n")
            with open(mark) as file:
                time.sleep(100 if len(file.readlines()) == 1 else 0)
        return float(x)

    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=5))
    with cluster(tmp_path / "cluster", "--no-connect", "--memory=1500m") as there, application(there) as spark:

        def kill() -> None:
            wait_until(lambda: Path(mark).exists() and Path(mark).read_text().endswith("\n"), 120)
            for name in ("worker-1", "worker-2"):
                for jvm in there.executors(name):
                    os.kill(jvm, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        result = optimize(study, objective, n_trials=4, n_jobs=1, spark=spark, tracking=Tracking(uri="memory:"))
        killer.join()
    assert [one.state for one in study.trials] == [TrialState.COMPLETE] * 4
    first, second = Path(mark).read_text().splitlines()
    assert first == second == f"{study.trials[1].params['x']!r} {study.trials[1].params['layers']}"
    assert result is not None and [one.attempts for one in result.trials] == [1, 2, 1, 1]
