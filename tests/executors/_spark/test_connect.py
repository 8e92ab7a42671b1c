"""The jobs executor on Spark Connect."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sparkml_track.errors import SetupError, SlotsLost, SpecError
from sparkml_track.executors import Executor, Resources, Work, open_executor
from sparkml_track.testing.executors import ExecutorCase, attempt, outcomes
from tests.clusters import cluster

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session of a Connect server that is a process of its own, on local[2]."""
    pytest.importorskip("grpc")
    # The class itself: the builder of pyspark.sql leaves marks in the environment of this process.
    from pyspark.sql.connect.session import SparkSession

    home = tmp_path_factory.mktemp("connect")
    # Slots must fetch what the driver has, as on another host.
    apart = {"TMPDIR": str(tmp_path_factory.mktemp("slots"))}
    with cluster(home, "--only-connect", "--cores=2", env=apart) as server:
        session = SparkSession.builder.remote(server.connect).create()
        yield session
        session.stop()


class TestConnect(ExecutorCase):
    @pytest.fixture(autouse=True)
    def _session(self, connect: SparkSession) -> None:
        self.session = connect

    def open(self, work: Work) -> Executor:
        return open_executor("auto", replace(work, parallelism=work.parallelism or 2), self.session)


def test_auto_is_jobs_there_and_the_log_says_why(connect: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sparkml_track.executors"):
        executor = open_executor("auto", Work(lambda _: 1.0), connect)
    executor.close()
    assert (executor.name, executor.slots) == ("jobs", 2)
    assert "Spark Connect has no SparkContext; reports arrive only with the outcome" in caplog.text


def test_data_and_code_beside_the_driver_reach_the_slots(connect: SparkSession, tmp_path: object) -> None:
    from tests.executors._spark import beside

    executor = open_executor("jobs", Work(beside.objective, data={"x": np.arange(1e6)}), connect)
    try:
        executor.submit(attempt(0))
        assert outcomes(executor, 1)[0].metrics == {"loss": float(np.arange(1e6).sum()) * beside.FACTOR}
    finally:
        executor.close()


def test_an_executor_of_residents_is_refused_with_the_name_of_the_other(connect: SparkSession) -> None:
    with pytest.raises(SetupError, match="Spark Connect has 'jobs'"):
        open_executor("resident", Work(lambda _: 1.0), connect)


def test_more_cpus_than_there_are_is_refused(connect: SparkSession) -> None:
    with pytest.raises(SpecError, match="needs 4 cpus, slots have 2"):
        open_executor("auto", Work(lambda _: 1.0, resources=Resources(cpus=4)), connect)
    executor = open_executor("auto", Work(lambda _: 1.0, resources=Resources(cpus=2)), connect)
    executor.close()
    assert executor.slots == 1


def test_a_server_that_is_not_there_is_told_in_bounded_time(connect: SparkSession) -> None:
    from sparkml_track.executors._spark.job_submitters import ConnectJobs

    jobs = ConnectJobs(connect, Resources())
    jobs._address, jobs._heard = ("127.0.0.1", 1), jobs._heard - 60
    with pytest.raises(SlotsLost, match=r"server at 127\.0\.0\.1:1 cannot be used .*resume the sweep"):
        jobs.check()
