"""The Optuna door beside ``study.optimize`` and MLflow's ``MlflowSparkStudy``: rows of ``doors``.

Overhead is the wall time beyond the objective's own work, per trial.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from executors import session
from rows import Row

#: Trials, reports of each, and seconds of work before each report.
TRIALS, REPORTS, WORK = 100, 20, 0.005


def reporting(work: float) -> Callable[[Any], float]:
    """An objective that works, reports and asks whether to go on."""

    def objective(trial: Any) -> float:
        import time

        import optuna

        x, y = trial.suggest_float("x", -10, 10), trial.suggest_float("y", 1e-5, 1, log=True)
        for step in range(REPORTS):
            time.sleep(work)
            trial.report(x**2 + y + 1 / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(x**2 + y)

    return objective


def study_of(seed: int = 1, **more: Any) -> Any:
    """One with a seed and the median pruner."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler, pruner = optuna.samplers.TPESampler(seed=seed), optuna.pruners.MedianPruner()
    return optuna.create_study(sampler=sampler, pruner=pruner, **more)


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def worked(study: Any) -> float:
    """Seconds of work that the trials of a study had."""
    return WORK * sum(len(trial.intermediate_values) for trial in study.trials)


def optuna_door() -> Row:
    """100 trials with up to 20 reports on local[1], beside ``study.optimize``: the same trials."""
    from sparkml_track.frontdoors.optuna import optimize

    objective = reporting(WORK)
    own = study_of()
    own_wall = timed(lambda: own.optimize(objective, TRIALS))
    with session(1) as spark:
        optimize(study_of(), objective, 4, spark=spark)  # imports, database
        walls = []
        for _ in range(3):
            study = study_of()
            walls.append(timed(lambda study=study: optimize(study, objective, TRIALS, n_jobs=1, spark=spark)))
            assert [one.values for one in study.trials] == [one.values for one in own.trials]
    wall = statistics.median(walls)
    return {
        "wall_s": wall,
        "study_optimize_s": own_wall,
        "ratio": wall / own_wall,
        "overhead_ms_per_trial": (wall - worked(own)) / TRIALS * 1000,
        "load": os.getloadavg()[0],
        "budget": "ratio <= 1.5",
    }


def optuna_mlflow() -> Row:
    """30 such trials with MLflow's ``MlflowSparkStudy`` on SQLite, one at a time on local[1]."""
    import tempfile

    import mlflow
    import optuna
    from mlflow.optuna.storage import MlflowStorage
    from mlflow.pyspark.optuna.study import MlflowSparkStudy

    trials = 30
    with tempfile.TemporaryDirectory() as folder, session(1):
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        storage = MlflowStorage(experiment_id=mlflow.create_experiment("studies"))
        study = MlflowSparkStudy("bench", storage, sampler=study_of().sampler)
        wall = timed(lambda: study.optimize(reporting(WORK), trials, n_jobs=1))
        done = optuna.load_study(study_name="bench", storage=storage)
        overhead = (wall - worked(done)) / trials * 1000
    return {"wall_s": wall, "overhead_ms_per_trial": overhead, "load": os.getloadavg()[0]}
