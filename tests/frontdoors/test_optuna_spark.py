"""The Optuna door on Spark: what Optuna's pages show, slots of a session, lost workers, MLflow's class."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import optuna
import pytest
from optuna.trial import TrialState

from sparkml_track.engine.spec.spec import Tracking
from sparkml_track.frontdoors.optuna import optimize

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")]


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


def test_the_first_example_of_optuna_runs_in_slots(spark: SparkSession) -> None:
    driver = os.getpid()

    def objective(trial: Any) -> float:
        assert os.getpid() != driver
        from sklearn import datasets, ensemble, metrics, model_selection, svm

        regressor_name = trial.suggest_categorical("regressor", ["SVR", "RandomForest"])
        if regressor_name == "SVR":
            svr_c = trial.suggest_float("svr_c", 1e-10, 1e10, log=True)
            regressor_obj = svm.SVR(C=svr_c, max_iter=10_000)
        else:
            rf_max_depth = trial.suggest_int("rf_max_depth", 2, 32)
            regressor_obj = ensemble.RandomForestRegressor(max_depth=rf_max_depth, n_estimators=10)
        x, y = datasets.load_diabetes(return_X_y=True)
        x_train, x_val, y_train, y_val = model_selection.train_test_split(x, y, random_state=0)
        regressor_obj.fit(x_train, y_train)
        return float(metrics.mean_squared_error(y_val, regressor_obj.predict(x_val)))

    study = optuna.create_study()
    result = optimize(study, objective, n_trials=12, spark=spark)
    assert [one.state for one in study.trials] == [TrialState.COMPLETE] * 12
    assert {frozenset(one.params) for one in study.trials} <= {
        frozenset({"regressor", "svr_c"}),
        frozenset({"regressor", "rf_max_depth"}),
    }
    assert result is not None and result.best_params == study.best_params and result.best_value == study.best_value


def test_the_example_with_pruning_runs_in_slots(spark: SparkSession) -> None:
    import sklearn.datasets
    import sklearn.linear_model
    import sklearn.model_selection

    iris = sklearn.datasets.load_iris()
    split = sklearn.model_selection.train_test_split(iris.data, iris.target, test_size=0.25, random_state=0)

    def objective(trial: Any) -> float:
        train_x, valid_x, train_y, valid_y = split
        alpha = trial.suggest_float("alpha", 1e-5, 1e-1, log=True)
        clf = sklearn.linear_model.SGDClassifier(alpha=alpha, random_state=0)
        for step in range(20):
            clf.partial_fit(train_x, train_y, classes=[0, 1, 2])
            trial.report(1.0 - clf.score(valid_x, valid_y), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(1.0 - clf.score(valid_x, valid_y))

    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=3))
    optimize(study, objective, n_trials=20)
    states = [one.state for one in study.trials]
    assert set(states) <= {TrialState.COMPLETE, TrialState.PRUNED} and len(states) == 20
    assert all(one.intermediate_values for one in study.trials)


def test_a_killed_worker_costs_an_attempt_and_no_value(spark: SparkSession, tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        if trial.number == 1 and not (tmp_path / "died").exists():
            (tmp_path / "died").write_text(repr(x))
            os.kill(os.getppid(), signal.SIGKILL)  # the template: the worker goes with it
            time.sleep(60)
        return float(x)

    study = optuna.create_study()
    result = optimize(study, objective, n_trials=4, n_jobs=2, tracking=Tracking(uri="memory:"))
    assert result is not None and [one.state for one in study.trials] == [TrialState.COMPLETE] * 4
    assert (tmp_path / "died").read_text() == repr(study.trials[1].params["x"])
    assert sum(one.attempts for one in result.trials) >= 5


def test_the_class_of_mlflow_goes_on_in_its_storage(
    spark: SparkSession, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.optuna.storage import MlflowStorage

    from sparkml_track.frontdoors.optuna import MlflowSparkStudy

    uri = f"sqlite:///{home}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    try:
        storage = MlflowStorage(experiment_id=mlflow.create_experiment("studies"))
        study = MlflowSparkStudy("s", storage, mlflow_tracking_uri=uri)
        assert not study.is_resumed_study
        study.optimize(lambda trial: (trial.suggest_float("x", -10, 10) - 2) ** 2, n_trials=3, n_jobs=2)
        again = MlflowSparkStudy("s", storage)
        assert again.is_resumed_study and again.completed_trials_count == 3
        again.optimize(lambda trial: (trial.suggest_float("x", -10, 10) - 2) ** 2, n_trials=2)
        info = again.get_resume_info()
        assert info is not None and info.existing_trials == info.completed_trials == 5
        assert again.sweep_result.experiment_id == storage._experiment_id
    finally:
        mlflow.set_tracking_uri("")
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
