"""The resident executor on Spark tasks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkml_track.executors import Executor, Work, open_executor
from sparkml_track.executors._spark.fleets import let_go
from sparkml_track.testing.executors import ExecutorCase, attempt, outcomes

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def wait_for_jobs(spark: SparkSession, most: int) -> None:
    """Spark's listener bus is a little behind jobs that have ended."""
    until = time.monotonic() + 5
    while len(spark.sparkContext.statusTracker().getActiveJobsIds()) > most:
        assert time.monotonic() < until, "a Spark job of the executor is still active"
        time.sleep(0.01)


class TestResident(ExecutorCase):
    @pytest.fixture(autouse=True)
    def _session(self, spark: SparkSession) -> Iterator[None]:
        self.spark = spark
        yield
        wait_for_jobs(spark, 2)  # the workers that stay for the next executor

    def let_go(self) -> None:
        let_go(self.spark.sparkContext)

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


def test_no_spark_job_is_left_when_workers_that_stayed_go(spark: SparkSession) -> None:
    executor = open_executor("resident", Work(lambda _: 1.0), spark)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    executor.close()
    assert spark.sparkContext.statusTracker().getActiveJobsIds()
    let_go(spark.sparkContext)
    wait_for_jobs(spark, 0)


def test_spark_has_its_slots_while_workers_that_stayed_would_have_them(spark: SparkSession) -> None:
    executor = open_executor("resident", Work(lambda _: 1.0), spark)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    executor.close()
    assert spark.sparkContext.parallelize(range(8), 8).sum() == 28
    wait_for_jobs(spark, 0)


def test_the_console_is_quiet_when_an_application_stops_with_workers_that_stayed(tmp_path: Path) -> None:
    script = """
from pyspark.sql import SparkSession
import sparkml_track as st
builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = builder.config("spark.driver.host", "127.0.0.1").config("spark.ui.showConsoleProgress", "false").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
for _ in range(2):
    st.sweep(lambda trial: 1.0, {"x": st.uniform(0, 1)}, max_trials=2, spark=spark, progress=False,
             tracking=st.Tracking(uri="memory:"))
assert spark.sparkContext.statusTracker().getActiveJobsIds()
print("stopping", flush=True)
spark.stop()
print("stopped")
"""
    environment = {**os.environ, "SPARKML_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "stopped" in done.stdout
    assert "Exception" not in done.stderr, done.stderr
