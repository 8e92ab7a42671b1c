"""The scikit-learn door in slots of Spark: results, a driver that is killed, a lost executor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from sparkml_track.engine.audit.verify import verify
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from sparkml_track.testing.accounting import assert_accounting
from tests.clusters import ROOT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

X, y = (part[:300] for part in load_digits(return_X_y=True))


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


@pytest.mark.spark
def test_slots_give_what_grid_search_gives(spark: SparkSession, home: Path) -> None:
    space = {"C": [0.1, 1.0, 10.0], "gamma": ["scale", 1e-3]}
    theirs = GridSearchCV(SVC(), space, cv=3).fit(X, y)
    ours = SparkSearchCV(SVC(), space, cv=3).on(spark).fit(X, y)
    for name, values in theirs.cv_results_.items():
        if "_time" not in name:
            assert repr(ours.cv_results_[name]) == repr(values), name
    assert (ours.predict(X) == theirs.predict(X)).all()
    assert_accounting(home, ours.sweep_result_.sweep)
    assert verify(ours.sweep_result_.sweep, home=home).differences == []


@pytest.mark.spark
def test_a_fit_that_kills_its_process_fails_alone(spark: SparkSession) -> None:
    class Crashing(SVC):  # type: ignore[misc]
        """Ends its process for one candidate."""

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
            if self.C == 2.0:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().fit(X, y, sample_weight)

    ours = SparkSearchCV(Crashing(), {"C": [1.0, 2.0]}, cv=2, error_score=0.0, log_model=False)
    with pytest.warns(Warning, match="2 fits failed out of a total of 4"):
        ours.on(spark).fit(X[:80], y[:80])
    assert ours.cv_results_["mean_test_score"][1] == 0.0 < ours.best_score_


DRIVER = """
import os, sys, time, uuid
from pathlib import Path
import numpy
from sklearn.base import BaseEstimator, ClassifierMixin
from sparkml_track.frontdoors.sklearn import SparkSearchCV

class Noting(ClassifierMixin, BaseEstimator):
    def __init__(self, worth=0.0, folder=""):
        self.worth, self.folder = worth, folder
    def fit(self, X, y):
        self.classes_ = numpy.unique(y)
        Path(self.folder, f"{self.worth}.{int(X.sum())}.{uuid.uuid4().hex}").touch()
        time.sleep(0.15)
        return self
    def predict(self, X):
        return numpy.full(len(X), self.classes_[0])
    def score(self, X, y):
        return self.worth

rows = numpy.arange(60, dtype=float).reshape(-1, 1)
space = {"worth": [n / 10 for n in range(8)]}
search = SparkSearchCV(Noting(folder=sys.argv[1]), space, cv=3, name="again", executor="processes", parallelism=2,
                       log_model=False, refit=False)
search.fit(rows, numpy.arange(60) % 2)
print("BEST", search.cv_results_["mean_test_score"].round(3).tolist())
"""


@pytest.mark.slow
def test_a_driver_that_is_killed_in_the_middle_of_fit_is_gone_on_with(tmp_path: Path, home: Path) -> None:
    folder, script = tmp_path / "fits", tmp_path / "driver.py"
    folder.mkdir()
    script.write_text(DRIVER)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([sys.executable, str(script), str(folder)], env=environ)
    until = time.monotonic() + 120
    while len(list(folder.iterdir())) < 9 and time.monotonic() < until:
        time.sleep(0.01)
    first.kill()
    first.wait()
    begun = len(list(folder.iterdir()))
    assert 9 <= begun < 24
    second = subprocess.run(
        [sys.executable, str(script), str(folder)], env=environ, capture_output=True, text=True, timeout=120
    )
    assert f"BEST {[n / 10 for n in range(8)]}" in second.stdout, second.stderr[-2000:]
    counts = Counter(path.name.rpartition(".")[0] for path in folder.iterdir())
    assert len(counts) == 24
    # Two ran when it died; and outcomes of the last twentieth of a second may not be on disk.
    assert sum(count - 1 for count in counts.values()) <= 4
    (name,) = [path.name for path in (home / "journal").iterdir() if path.is_dir()]
    assert verify(name, home=home).differences == []


@pytest.mark.spark
def test_a_lost_worker_costs_the_fit_that_it_had(spark: SparkSession, tmp_path: Path) -> None:
    class Once(SVC):  # type: ignore[misc]
        """Ends the process it was forked from, and with it the worker, the first time."""

        folder = str(tmp_path)

        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
            mark = Path(self.folder, str(self.C))
            if self.C == 2.0 and not mark.exists():
                mark.touch()
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
            return super().fit(X, y, sample_weight)

    ours = SparkSearchCV(Once(), {"C": [1.0, 2.0, 3.0]}, cv=2, error_score="raise", log_model=False)
    ours.on(spark).fit(X[:80], y[:80])
    assert {trial.state.value for trial in ours.sweep_result_.trials} == {"finished"}
    assert ours.sweep_result_.trials[1].attempts == 2
