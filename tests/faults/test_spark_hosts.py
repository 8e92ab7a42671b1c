"""What two hosts do to a sweep in applications of their own: workers are copied, and no executor is left."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.errors import SlotsLost
from sparkml_track.executors import Work
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.slot import Limits
from sparkml_track.executors._spark.fleets import listen_address_of
from sparkml_track.executors._spark.worker_launcher import SparkLauncher
from sparkml_track.testing.executors import attempt
from tests.clusters import Cluster, application, cluster

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The last test leaves nothing of it."""
    with cluster(tmp_path_factory.mktemp("cluster"), "--no-connect", "--memory=1500m") as there:
        yield there


def take_events(executor: ResidentExecutor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        executor.events(0.5)


def test_a_speculative_copy_of_a_worker_waits_and_disturbs_nothing(
    two_hosts: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sparkml_track")

    def objective(trial: Any) -> float:
        import time

        time.sleep(3)
        return float(trial.number)

    conf = {"spark.speculation": "true", "spark.speculation.interval": "200ms"}
    conf["spark.speculation.task.duration.threshold"] = "2s"
    with application(two_hosts, **conf) as spark:
        result = st.sweep(
            objective,
            {"x": st.uniform(0, 1)},
            sampler="random",
            max_trials=4,
            parallelism=1,
            tracking=st.Tracking(uri="memory:"),
            spark=spark,
            progress=lambda _: None,
        )
    assert "a copy of the worker of slot 0 waits" in caplog.text
    assert [trial.attempts for trial in result.trials] == [1, 1, 1, 1]
    assert {trial.state.value for trial in result.trials} == {"finished"}


def test_no_executor_left_is_told_in_bounded_time(two_hosts: Cluster) -> None:
    with application(two_hosts) as spark:
        launcher = SparkLauncher(spark, "doomed")
        limits = Limits(none=6.0, silent=5.0)
        fleet = Fleet(launcher, "doomed", limits, listen_address_of(spark.sparkContext))
        executor = ResidentExecutor(Work(lambda _: 1.0), fleet)
        try:
            executor.submit(attempt(0))
            while not executor._pool.ready:
                executor.events(0.5)
            jvms = [jvm for name in ("worker-1", "worker-2") for jvm in two_hosts.executors(name)]
            for pid in (two_hosts.pid("worker-1"), two_hosts.pid("worker-2"), *jvms):
                os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            executor.submit(attempt(1))
            with pytest.raises(SlotsLost, match="resume the sweep"):
                take_events(executor, 60)
            assert time.monotonic() - began < 40
        finally:
            executor.close()
