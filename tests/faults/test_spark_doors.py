"""Spark executors are killed under each front door: the call ends right. Groups: see ``test_spark_executors``."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hyperopt
import joblib
import numpy
import optuna
import pytest
from hyperopt import hp, rand
from joblib import Parallel, delayed
from optuna.trial import TrialState
from pyspark.ml import Estimator, Model
from pyspark.ml.evaluation import Evaluator
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.sql import DataFrame
from sklearn.base import BaseEstimator, ClassifierMixin

import sparkml_track as st
import sparkml_track.frontdoors.joblib
from sparkml_track.frontdoors.hyperopt import SparkTrials
from sparkml_track.frontdoors.optuna import optimize
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from sparkml_track.frontdoors.sparkml import tune
from tests.clusters import Cluster, application, cluster, wait_until

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(400)]
MEMORY = st.Tracking(uri="memory:")


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), "--no-connect", "--memory=1500m") as there:
        yield there


@pytest.fixture(scope="module")
def session(two_hosts: Cluster) -> Iterator[SparkSession]:
    """One application for all doors, which have nothing of ours installed on its hosts."""
    with application(two_hosts, **{"spark.task.maxFailures": "8"}) as spark:
        yield spark


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Takes a file for each execution."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@contextmanager
def killed_at_the_first_mark(there: Cluster, marks: Path) -> Iterator[None]:
    """Kills all Spark executors once something runs."""

    def kill() -> None:
        wait_until(lambda: any(marks.iterdir()), 120)
        for name in ("worker-1", "worker-2"):
            for jvm in there.executors(name):
                os.kill(jvm, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


def wait_the_first_time(marks: str, text: str = "") -> None:
    """For as long as nobody kills it, and not again."""
    import os
    import time
    import uuid

    first = not os.listdir(marks)
    part = os.path.join(os.path.dirname(marks), uuid.uuid4().hex)
    with open(part, "w") as file:
        file.write(text)
    os.rename(part, os.path.join(marks, f"{time.time_ns()}"))
    time.sleep(100 if first else 0.05)


def test_optuna_loses_an_attempt_and_no_value(two_hosts: Cluster, session: SparkSession, marks: Path) -> None:
    folder, wait = str(marks), wait_the_first_time

    def objective(trial: Any) -> float:
        x, layers = trial.suggest_float("x", 0, 1), trial.suggest_int("layers", 1, 3)
        for step in range(3):
            trial.report(x + layers / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        if trial.number == 1:
            wait(folder, f"{x!r} {layers}")
        return float(x)

    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=5))
    with killed_at_the_first_mark(two_hosts, marks):
        result = optimize(study, objective, n_trials=4, n_jobs=1, spark=session, tracking=MEMORY)
    assert [one.state for one in study.trials] == [TrialState.COMPLETE] * 4
    first, second = (path.read_text() for path in sorted(marks.iterdir()))
    assert first == second == f"{study.trials[1].params['x']!r} {study.trials[1].params['layers']}"
    assert result is not None and [one.attempts for one in result.trials] == [1, 2, 1, 1]


def test_spark_trials_lose_an_attempt(two_hosts: Cluster, session: SparkSession, marks: Path) -> None:
    folder, wait = str(marks), wait_the_first_time

    def objective(x: float) -> dict[str, Any]:
        wait(folder)
        return {"loss": x, "status": "ok", "note": "kept"}

    trials = SparkTrials(1, spark_session=session)
    with killed_at_the_first_mark(two_hosts, marks):
        hyperopt.fmin(
            objective, hp.uniform("x", 0, 1), rand.suggest, max_evals=3, trials=trials, show_progressbar=False
        )
    assert (trials.count_successful_trials(), trials.count_total_trials()) == (3, 3)
    assert [result["note"] for result in trials.results] == ["kept"] * 3
    assert trials.sweep_result is not None
    assert [one.attempts for one in trials.sweep_result.trials] == [2, 1, 1]


def test_joblib_executes_a_lost_batch_again(two_hosts: Cluster, session: SparkSession, marks: Path) -> None:
    folder, wait = str(marks), wait_the_first_time

    def squared(number: int) -> int:
        wait(folder)
        return number * number

    with (
        killed_at_the_first_mark(two_hosts, marks),
        joblib.parallel_config(backend="sparkml", spark=session),
    ):
        assert Parallel(n_jobs=2)(delayed(squared)(number) for number in range(6)) == [0, 1, 4, 9, 16, 25]
    assert 7 <= len(list(marks.iterdir())) <= 8


class Marking(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, worth: float = 0.0, folder: str = "") -> None:
        self.worth, self.folder = worth, folder

    def fit(self, X: Any, y: Any) -> Any:  # noqa: N803
        self.classes_ = numpy.unique(y)
        wait_the_first_time(self.folder)
        return self

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        return self.worth


def test_a_search_of_scikit_learn_loses_the_fits_that_ran(
    two_hosts: Cluster, session: SparkSession, marks: Path
) -> None:
    rows = numpy.arange(60, dtype=float).reshape(-1, 1)
    space = {"worth": [0.1, 0.2, 0.3]}
    ours = SparkSearchCV(Marking(folder=str(marks)), space, cv=3, tracking=MEMORY, error_score="raise", refit=False).on(
        session
    )
    with killed_at_the_first_mark(two_hosts, marks):
        ours.fit(rows, numpy.arange(60) % 2)
    assert ours.cv_results_["mean_test_score"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert max(trial.attempts for trial in ours.sweep_result_.trials) == 2


class Waiting(Estimator[Any]):
    """Its Spark jobs wait on the executors; its model is their sum."""

    x: Param[float] = Param(Params._dummy(), "x", "is added", TypeConverters.toFloat)

    def __init__(self, marks: str) -> None:
        super().__init__()
        self.marks = marks

    def _fit(self, dataset: DataFrame) -> Adding:
        folder, wait = self.marks, wait_the_first_time

        def waiting(frames: Any) -> Any:
            wait(folder)
            yield from frames

        rows = dataset.mapInPandas(waiting, "id long").agg({"id": "sum"}).first()
        assert rows is not None
        return Adding(self.getOrDefault(self.x) + rows[0])


class Adding(Model):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def _transform(self, dataset: DataFrame) -> DataFrame:
        return dataset.selectExpr(f"{self.value}D AS prediction")


class First(Evaluator):
    def _evaluate(self, dataset: DataFrame) -> float:
        row = dataset.first()
        assert row is not None
        return float(row[0])


def test_spark_ml_fits_what_spark_computes_again(two_hosts: Cluster, session: SparkSession, marks: Path) -> None:
    data = session.range(0, 40, 1, 2).selectExpr("id", "CAST(id % 2 AS INT) AS fold").coalesce(1)
    estimator = Waiting(str(marks))
    with killed_at_the_first_mark(two_hosts, marks):
        tuned = tune(
            estimator,
            {estimator.x: [0.0, 0.5]},
            First(),
            data,
            folds=2,
            fold_column="fold",
            sampler="grid",
            parallelism=1,
            refit=False,
            tracking=MEMORY,
            progress=False,
        )
    assert tuned.avgMetrics == [390.0, 390.5]
    assert [trial.attempts for trial in tuned.sweep_result.trials] == [1, 1]  # it was Spark's to try again
