"""Each door on Spark Connect: it works, or is refused at once with what works there. Spark ML: a module of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hyperopt
import joblib
import numpy as np
import optuna
import pytest
from hyperopt import hp, rand
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from sparkml_track.errors import SetupError
from sparkml_track.frontdoors.groups import load_model, predict_groups, train_groups
from sparkml_track.frontdoors.hyperopt import SparkTrials
from sparkml_track.frontdoors.joblib import register
from sparkml_track.frontdoors.optuna import optimize
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from tests.clusters import cluster

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]
register()
X, y = (part[:80] for part in load_digits(return_X_y=True))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """On a server whose slots have a temporary folder that is not the driver's."""
    pytest.importorskip("grpc")
    from pyspark.sql.connect.session import SparkSession

    apart = {"TMPDIR": str(tmp_path_factory.mktemp("slots"))}
    with cluster(tmp_path_factory.mktemp("connect"), "--only-connect", "--cores=2", env=apart) as server:
        made = SparkSession.builder.remote(server.connect).create()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


def test_scikit_learn_gives_what_grid_search_gives(session: SparkSession) -> None:
    ours = SparkSearchCV(SVC(), {"C": [0.1, 10.0]}, cv=2, parallelism=2, log_model=False).on(session).fit(X, y)
    theirs = GridSearchCV(SVC(), {"C": [0.1, 10.0]}, cv=2).fit(X, y)
    assert ours.cv_results_["mean_test_score"].tolist() == theirs.cv_results_["mean_test_score"].tolist()


def test_hyperopt_gets_whole_results(session: SparkSession) -> None:
    trials = SparkTrials(spark_session=session)
    assert trials.parallelism is None, "sweep() decides how many at one time"
    best = hyperopt.fmin(
        lambda x: {"loss": x, "status": "ok", "text": "kept"},
        hp.uniform("x", 0, 1),
        rand.suggest,
        3,
        trials=trials,
        show_progressbar=False,
    )
    assert [one["text"] for one in trials.results] == ["kept"] * 3
    assert best["x"] == min(trials.losses())


def test_joblib_has_a_job_for_a_batch_and_arrays_that_are_mapped(session: SparkSession) -> None:
    array = np.arange(200_000.0)

    def total(array: Any, add: int) -> tuple[bool, bool, float]:
        return isinstance(array, np.memmap), os.getpid() == driver, float(array.sum()) + add

    def fails() -> None:
        raise KeyError("no three")

    driver = os.getpid()
    with joblib.parallel_config(backend="sparkml", spark=session):
        assert joblib.effective_n_jobs(-1) == 2
        found = Parallel(n_jobs=-1)(delayed(total)(array, add) for add in range(4))
        with pytest.raises(KeyError, match="no three"):
            Parallel(n_jobs=2)(delayed(fails)() for _ in range(2))
    assert found == [(True, False, array.sum() + add) for add in range(4)]


def test_joblib_refuses_workers_that_stay_with_what_there_is(session: SparkSession) -> None:
    with (
        joblib.parallel_config(backend="sparkml", spark=session, executor="resident"),
        pytest.raises(SetupError, match="Spark Connect has 'jobs'"),
    ):
        Parallel(n_jobs=2)(delayed(abs)(number) for number in range(4))


def test_groups_are_trained_and_scored(session: SparkSession, tmp_path: Path) -> None:
    frame = session.range(60).selectExpr("id % 3 AS g", "id AS y")
    models = train_groups(
        frame, "g", lambda pdf: ([int(pdf.y.sum())], {"rows_seen": len(pdf)}), storage=tmp_path, progress=False
    )
    assert models.counts.finished == 3
    assert load_model(models, 1) == [sum(range(1, 60, 3))]
    scored = predict_groups(frame, models, predict=lambda model, pdf: pdf.y * 0 + model[0], output_type="long")
    assert scored.selectExpr("sum(prediction)").first()[0] == 20 * sum(range(60))  # type: ignore[index]


def test_optuna_is_refused_at_once_and_says_what_works(session: SparkSession, home: Path) -> None:
    with pytest.raises(SetupError, match=r"Spark Connect cannot carry; pass a session .*'optuna-tpe'"):
        optimize(optuna.create_study(), lambda trial: trial.suggest_float("x", 0, 1), n_trials=2, spark=session)
    study = optuna.create_study()
    optimize(study, lambda trial: trial.suggest_float("x", 0, 1), n_trials=2, spark=session, executor="driver")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
