"""A search for estimators of scikit-learn on a cluster whose executors die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

import sparkml_track as st
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from tests.clusters import Cluster, application, cluster, wait_until

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), "--no-connect", "--memory=1500m") as there:
        yield there


class Marking(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Leaves a file and takes a while the first time, so that its executor can be killed meanwhile."""

    def __init__(self, worth: float = 0.0, folder: str = "") -> None:
        self.worth, self.folder = worth, folder

    def fit(self, X: Any, y: Any) -> Any:  # noqa: N803
        import time
        import uuid
        from pathlib import Path

        self.classes_ = numpy.unique(y)
        first = not list(Path(self.folder).iterdir())
        Path(self.folder, uuid.uuid4().hex).touch()
        time.sleep(60 if first else 0.05)
        return self

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        return self.worth


def test_killed_executors_cost_the_fits_that_they_had(
    two_hosts: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fits"
    folder.mkdir()
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))

    def kill() -> None:
        wait_until(lambda: bool(list(folder.iterdir())), 60)
        for name in ("worker-1", "worker-2"):
            for jvm in two_hosts.executors(name):
                os.kill(jvm, signal.SIGKILL)

    rows = numpy.arange(60, dtype=float).reshape(-1, 1)
    space = {"worth": [0.1, 0.2, 0.3]}
    given: dict[str, Any] = {"tracking": st.Tracking(uri="memory:"), "error_score": "raise", "refit": False}
    with application(two_hosts) as spark:
        killer = threading.Thread(target=kill)
        killer.start()
        ours = (
            SparkSearchCV(Marking(folder=str(folder)), space, cv=3, **given).on(spark).fit(rows, numpy.arange(60) % 2)
        )
        killer.join()
    assert ours.cv_results_["mean_test_score"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert max(trial.attempts for trial in ours.sweep_result_.trials) == 2
