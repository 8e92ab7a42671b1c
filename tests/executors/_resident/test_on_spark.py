"""The resident executor on Spark tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.testing.executors import ExecutorCase, attempt, outcomes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


class TestResident(ExecutorCase):
    @pytest.fixture(autouse=True)
    def _session(self, spark: SparkSession) -> Iterator[None]:
        self.spark = spark
        yield
        # Told through Spark's listener bus, a little after a job has ended.
        until = time.monotonic() + 5
        while spark.sparkContext.statusTracker().getActiveJobsIds():
            assert time.monotonic() < until, "a Spark job of the executor is still active"
            time.sleep(0.01)

    def open(self, work: Work) -> Executor:
        return open_executor("auto", work, self.spark)


def test_spark_works_on_after_a_sweep_and_keeps_the_callers_job_group(spark: SparkSession) -> None:
    spark.sparkContext.setJobGroup("mine", "of the caller")
    executor = open_executor("resident", Work(lambda _: 1.0), spark)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    executor.close()
    assert spark.sparkContext.getLocalProperty("spark.jobGroup.id") == "mine"
    assert spark.range(100).count() == 100


def test_attempts_begin_in_the_folder_that_the_driver_has_gone_to(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.txt").write_text("3")
    executor = open_executor("resident", Work(lambda _: float(open("beside.txt").read())), spark)  # noqa: SIM115
    try:
        executor.submit(attempt(0))
        assert outcomes(executor, 1)[0].metrics == {"loss": 3.0}
    finally:
        executor.close()
