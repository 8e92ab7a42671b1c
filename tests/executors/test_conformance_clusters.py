"""The shipped case of executors where slots are on other hosts: by plain TCP and by TLS, one cluster of each kind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sparkml_track as st
from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.executors._spark.fleets import let_go
from sparkml_track.testing.executors import ExecutorCase, GangsCase, attempt, outcomes
from tests.clusters import application, cluster, session_on, spark_home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@contextmanager
def local_cluster(folder: Path) -> Iterator[SparkSession]:
    """Two Spark executors of one core under a master in the driver's JVM."""
    home = folder / "spark"
    home.mkdir()
    for entry in Path(spark_home()).iterdir():
        (home / entry.name).symlink_to(entry)  # its work folder is written there
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(home))
        with session_on("local-cluster[2,1,1024]") as session:
            yield session


@contextmanager
def standalone(folder: Path) -> Iterator[SparkSession]:
    """Two hosts, and TLS to both."""
    with (
        cluster(folder, "--no-connect", "--memory=1500m") as there,
        application(there, **{"spark.sparkml.broker.tls": "true"}) as session,
    ):
        yield session


@pytest.fixture(scope="module", params=[local_cluster, standalone], ids=["local-cluster", "standalone-tls"])
def slots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session of each kind, for all the tests of this module in turn."""
    with request.param(tmp_path_factory.mktemp("cluster")) as session:
        yield session


class TestResidentOnOtherHosts(ExecutorCase, GangsCase):
    @pytest.fixture(autouse=True)
    def _session(self, slots: SparkSession, request: pytest.FixtureRequest) -> Iterator[None]:
        self.spark = slots
        of_gangs = request.function.__name__ in vars(GangsCase)
        if of_gangs and slots.sparkContext.master.startswith("local-cluster"):
            pytest.skip("gangs are tried on two hosts, and on a local cluster by tests.faults")
        yield
        # Told through Spark's listener bus, a little after a job has ended.
        until = time.monotonic() + 5
        let_go(slots.sparkContext)
        while slots.sparkContext.statusTracker().getActiveJobsIds():
            assert time.monotonic() < until, "a Spark job of the executor is still active"
            time.sleep(0.01)

    def let_go(self) -> None:
        let_go(self.spark.sparkContext)

    def open(self, work: Work) -> Executor:
        return open_executor("resident", work, self.spark)  # not "auto", which would go over to jobs and pass

    def test_the_log_tells_how_slots_connect(self, slots: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
        """By TLS only where it was asked for."""
        with caplog.at_level("INFO", "sparkml_track"), self.opened(lambda _: 1.0) as executor:
            executor.submit(attempt(0))
            outcomes(executor, 1)
        how = "TCP" if slots.sparkContext.master.startswith("local-cluster") else "TLS"
        assert f"by {how}, 127.0.0.1" in caplog.text


def test_a_sweep_goes_through_either_door(
    slots: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    rows = np.arange(100_000.0)

    def objective(trial: Any) -> dict[str, float]:
        for step in range(3):
            trial.report({"loss": trial.params["x"]}, step=step)
            if trial.should_stop():
                break
        return {"loss": trial.params["x"], "rows": float(trial.data["train"].sum())}

    with caplog.at_level("INFO", "sparkml_track"):
        result = st.sweep(
            objective,
            {"x": st.uniform(0, 1)},
            sampler="random",
            seed=7,
            max_trials=8,
            data={"train": rows},
            tracking=st.Tracking(uri="memory:"),
            spark=slots,
            progress=lambda _: None,
        )
    assert [(trial.state, trial.metrics["rows"]) for trial in result.trials] == [("finished", rows.sum())] * 8
    assert "executor: resident" in caplog.text
    assert "executor: jobs" not in caplog.text


def test_jobs_of_one_sweep_after_another_get_their_files(slots: SparkSession) -> None:
    """Also where a Spark executor meets its first task when the files of an earlier sweep have gone."""
    same = {"train": np.arange(100.0)}
    for turn in range(4):

        def objective(trial: Any, turn: int = turn) -> float:
            return turn + float(trial.data["train"].sum())

        # In the first, one attempt: the other Spark executor has nothing of it yet.
        executor = open_executor("jobs", Work(objective, data=same), slots)
        try:
            count = 1 if turn == 0 else 4
            for number in range(count):
                executor.submit(attempt(number))
            ended = outcomes(executor, count)
        finally:
            executor.close()
        assert {outcome.metrics["loss"] for outcome in ended.values()} == {4950.0 + turn}
