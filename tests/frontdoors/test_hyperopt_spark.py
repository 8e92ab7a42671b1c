"""The hyperopt door on Spark: hyperopt's documented workflow, a session's slots, a resource profile."""

from __future__ import annotations

import logging
import os
import pickle
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hyperopt import STATUS_OK, fmin, hp, rand, tpe

from sparkml_track.frontdoors.hyperopt import SparkTrials

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


def test_the_documented_workflow_runs_with_another_import(spark: SparkSession) -> None:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16.0, y, train_size=300, random_state=0)

    def train(params: dict[str, Any]) -> dict[str, Any]:
        ratio = {"l1": 1.0, "l2": 0.0}[params["penalty"]]
        model = LogisticRegression(
            C=1.0 / float(params["regParam"]), l1_ratio=ratio, solver="saga", tol=0.1, max_iter=1000
        )
        model.fit(x_train, y_train)
        return {"loss": -model.score(x_test, y_test), "status": STATUS_OK}

    search_space = {"penalty": hp.choice("penalty", ["l1", "l2"]), "regParam": hp.loguniform("regParam", -10.0, 0)}
    spark_trials = SparkTrials()
    best = fmin(
        fn=train,
        space=search_space,
        algo=tpe.suggest,
        trials=spark_trials,
        max_evals=24,
        rstate=np.random.default_rng(1),
        show_progressbar=False,
    )
    assert set(best) == {"penalty", "regParam"}
    assert spark_trials.count_successful_trials() == 24
    assert min(spark_trials.losses()) == spark_trials.best_trial["result"]["loss"] < -0.85
    assert spark_trials.argmin == best


def test_trials_run_in_slots_of_the_session_as_many_as_asked_for(spark: SparkSession) -> None:
    driver = os.getpid()

    def where(x: float) -> dict[str, Any]:
        began = time.time()
        time.sleep(0.05)
        return {"loss": x, "status": STATUS_OK, "pid": os.getpid(), "span": (began, time.time())}

    trials = SparkTrials(parallelism=2, spark_session=spark)
    fmin(where, hp.uniform("x", 0, 1), rand.suggest, 8, trials=trials, show_progressbar=False)
    assert driver not in {result["pid"] for result in trials.results}
    spans = [result["span"] for result in trials.results]
    assert any(a[0] < b[0] < a[1] for a in spans for b in spans if a is not b), "two at one time"
    assert all(sum(a[0] <= b[0] < a[1] for a in spans) <= 2 for b in spans)
    assert trials.sweep_result is not None
    assert [trial.params["x"] for trial in trials.sweep_result.trials] == trials.vals["x"]
    assert pickle.loads(pickle.dumps(trials)).losses() == trials.losses(), "without its session"


def test_parallelism_is_spark_s_default_and_capped_as_hyperopt_does(
    spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    assert SparkTrials().parallelism == SparkTrials(-1).parallelism == spark.sparkContext.defaultParallelism == 2
    assert "parallelism will be set to (2), which is Spark's default parallelism (2)" in caplog.text
    assert SparkTrials(4).parallelism == 4
    assert SparkTrials(1000).parallelism == 128
    assert "Parallelism (1000) is capped at SparkTrials.MAX_CONCURRENT_JOBS_ALLOWED (128)." in caplog.messages


def test_a_resource_profile_is_passed_over_on_a_local_master(
    spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    from pyspark.resource import ResourceProfileBuilder, TaskResourceRequests

    profile = ResourceProfileBuilder().require(TaskResourceRequests().cpus(2)).build
    with caplog.at_level(logging.WARNING, "hyperopt-spark"):
        trials = SparkTrials(2, resource_profile=profile)
    assert any(
        "SparkTrials was constructed with a ResourceProfile, but master local[2]" in each for each in caplog.messages
    )
    assert fmin(lambda x: x, hp.uniform("x", 0, 1), rand.suggest, 2, trials=trials, show_progressbar=False)["x"] < 1


def test_no_trial_costs_a_poll(spark: SparkSession) -> None:
    fmin(lambda x: x, hp.uniform("x", 0, 1), rand.suggest, 2, trials=SparkTrials(2), show_progressbar=False)
    trials = SparkTrials(2)
    began = time.monotonic()
    fmin(lambda x: x, hp.uniform("x", 0, 1), rand.suggest, 200, trials=trials, show_progressbar=False)
    assert trials.count_successful_trials() == 200
    assert time.monotonic() - began < 60, "hyperopt's own takes more than a second for each two"
