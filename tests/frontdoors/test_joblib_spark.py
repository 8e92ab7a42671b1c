"""The joblib door on Spark: slots of a session, and what happens when they are lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

import sparkml_track.frontdoors.joblib
from sparkml_track.frontdoors.joblib import SparkmlBackend

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
assert sparkml_track.frontdoors.joblib.register


def test_a_search_of_scikit_learn_runs_in_the_slots_of_the_active_session(spark: SparkSession) -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.01, 0.1, 1, 10]}, cv=5)
    expected = search.fit(x, y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="sparkml"):
        found = search.fit(x, y).cv_results_["mean_test_score"]
    assert np.allclose(found, expected)
    with joblib.parallel_config(backend="sparkml", spark=spark):
        assert joblib.effective_n_jobs(-1) == 2
        pids = Parallel(n_jobs=-1)(delayed(os.getpid)() for _ in range(8))
    assert os.getpid() not in pids


def test_a_batch_whose_worker_dies_is_executed_again(spark: SparkSession, tmp_path: Path) -> None:
    def kills_once(number: int) -> int:
        mark = tmp_path / "killed"
        if number == 2 and not mark.exists():
            mark.touch()
            os.kill(os.getppid(), signal.SIGKILL)  # the process that all others of this host are forked from
            signal.pause()  # it takes its children with it
        return number

    with joblib.parallel_config(backend="sparkml", spark=spark):
        assert Parallel(n_jobs=2)(delayed(kills_once)(n) for n in range(4)) == [0, 1, 2, 3]


def test_a_batch_that_kills_its_worker_each_time_ends_the_call(spark: SparkSession) -> None:
    def kills(number: int) -> int:
        if number == 0:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        return number

    with (
        joblib.parallel_config(backend="sparkml", spark=spark, retries=1),
        pytest.raises(TerminatedWorkerError, match=r"the worker that executed a batch of 1 task was lost 2 times"),
    ):
        Parallel(n_jobs=2)(delayed(kills)(n) for n in range(2))


def test_jobs_do_as_well_where_slots_cannot_reach_the_driver(spark: SparkSession) -> None:
    array = np.arange(200_000.0)

    def total(array: np.ndarray) -> tuple[bool, float]:
        return isinstance(array, np.memmap), float(array.sum())

    backend = SparkmlBackend(executor="jobs", spark=spark, nesting_level=0)
    assert Parallel(n_jobs=2, backend=backend)(delayed(total)(array) for _ in range(3)) == [(True, array.sum())] * 3
