"""The driver executor: threads, and the Spark jobs that objectives start in them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sparkml_track as st
from sparkml_track.errors import SlotsLost
from sparkml_track.executors import Ended, Executor, Started, Work, open_executor
from sparkml_track.executors._driver.executor import DriverExecutor
from sparkml_track.executors._driver.scope import NoScope
from sparkml_track.testing.executors import ExecutorCase, attempt, events_until, outcomes
from sparkml_track.trial import Outcome, State

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def opened(objective: object, slots: int = 2, **fields: object) -> DriverExecutor:
    work = Work(objective, parallelism=slots, **fields)  # type: ignore[arg-type]
    return DriverExecutor(work, NoScope(), f"test-{os.urandom(4).hex()}")


class TestDriver(ExecutorCase):
    def open(self, work: Work) -> Executor:
        return DriverExecutor(work, NoScope(), f"test-{os.urandom(4).hex()}")


def test_attempts_run_side_by_side_on_the_objects_of_the_caller() -> None:
    both = threading.Barrier(2, timeout=10)
    given = {"anything": object()}

    def objective(trial: object) -> float:
        both.wait()
        return float(trial.data["anything"] is given["anything"])  # type: ignore[attr-defined]

    executor = opened(objective, data=given)
    try:
        for number in range(2):
            executor.submit(attempt(number))
        assert [outcome.metrics["loss"] for outcome in outcomes(executor, 2).values()] == [1.0, 1.0]
    finally:
        executor.close()


def test_a_stopped_attempt_is_told_at_its_next_question_and_counts_as_killed() -> None:
    def objective(trial: object) -> float:
        step = 0
        while True:
            trial.report({"loss": 1.0}, step=step)  # type: ignore[attr-defined]
            if trial.should_stop():  # type: ignore[attr-defined]
                return 1.0
            step += 1

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        executor.submit(attempt(1, timeout=0.3))
        events_until(executor, 0)
        executor.stop("0.0.1", "cancelled")
        ended = outcomes(executor, 2)
    finally:
        executor.close()
    assert {number: (outcome.state, outcome.reason) for number, outcome in ended.items()} == {
        0: (State.KILLED, "cancelled"),
        1: (State.KILLED, "timeout"),
    }


def test_close_does_not_wait_for_an_answer_that_will_not_come() -> None:
    waits = threading.Event()

    def objective(trial: object) -> float:
        trial.report({"loss": 1.0}, step=0)  # type: ignore[attr-defined]
        waits.set()
        return float(trial.should_stop())  # type: ignore[attr-defined]

    executor = opened(objective)
    executor.submit(attempt(0))
    assert waits.wait(10)
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 3


@pytest.mark.spark
class TestOnSpark:
    def test_an_objective_uses_the_session_and_gets_its_data_frame(self, spark: SparkSession) -> None:
        frame = spark.range(100)

        def objective(trial: object) -> dict[str, float]:
            given = trial.data["frame"]  # type: ignore[attr-defined]
            group = spark.sparkContext.getLocalProperty("spark.jobGroup.id")
            return {"loss": float(given.filter(f"id < {10 * (trial.number + 1)}").count()), "group": len(group)}  # type: ignore[attr-defined]

        executor = open_executor("driver", Work(objective, data={"frame": frame}, parallelism=2), spark)
        try:
            for number in range(4):
                executor.submit(attempt(number))
            ended = outcomes(executor, 4)
        finally:
            executor.close()
        assert [ended[n].metrics["loss"] for n in range(4)] == [10.0, 20.0, 30.0, 40.0]
        assert spark.sparkContext.getLocalProperty("spark.jobGroup.id") is None

    def test_a_sweep_hands_the_data_frame_over_as_it_is(
        self, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SPARKML_HOME", str(tmp_path))

        def objective(trial: st.Trial) -> float:
            frame: Any = trial.data["frame"]
            return float(frame.filter("id < 10").count())

        more: dict[str, Any] = {"executor": "driver", "sampler": "random", "spark": spark, "max_trials": 2}
        result = st.sweep(objective, {"x": st.uniform(0, 1)}, data={"frame": spark.range(100)}, **more)
        assert [trial.value for trial in result.trials] == [(10.0,), (10.0,)]

    def test_stop_cancels_the_spark_jobs_of_one_attempt_and_of_no_other(self, spark: SparkSession) -> None:
        def objective(trial: object) -> float:
            number = trial.number  # type: ignore[attr-defined]
            seconds = 60 if number == 0 else 2

            def nap(rows: object) -> object:
                import time

                time.sleep(seconds)
                return rows

            return float(spark.sparkContext.parallelize([number], 1).mapPartitions(nap).count())

        executor = open_executor("driver", Work(objective, parallelism=2), spark)
        try:
            for number in range(2):
                executor.submit(attempt(number))
            started = 0
            while started < 2 or not spark.sparkContext.statusTracker().getActiveJobsIds():
                started += sum(isinstance(event, Started) for event in executor.events(0.1))
            executor.stop("0.0.1", "cancelled")
            events = events_until(executor, 2)
        finally:
            executor.close()
        ended = {event.attempt: event.outcome for event in events if isinstance(event, Ended)}
        assert (ended["0.0.1"].state, ended["0.0.1"].reason) == (State.KILLED, "cancelled")
        assert ended["1.0.1"].state is State.FINISHED


def test_artifacts_come_with_the_outcome(tmp_path: Path) -> None:
    def objective(trial: object) -> float:
        (Path(trial.artifact_dir) / "note.txt").write_text("left")  # type: ignore[attr-defined]
        return 1.0

    executor = opened(objective, spool=str(tmp_path))
    try:
        executor.submit(attempt(0))
        outcome = outcomes(executor, 1)[0]
    finally:
        executor.close()
    assert (Path(outcome.artifacts) / "note.txt").read_text() == "left"


def test_attempts_that_ended_well_are_told_before_the_end_of_spark() -> None:
    class Gone(NoScope):
        def check(self) -> None:
            raise SlotsLost("Spark is gone")

    executor = DriverExecutor(Work(lambda _: 1.0, parallelism=2), Gone(), f"test-{os.urandom(4).hex()}")
    try:
        executor.events(1.0)
        for number, state in enumerate((State.FINISHED, State.FAILED, State.FINISHED)):
            executor._queue.put(Ended(f"{number}.0.1", Outcome(state)))
        assert [event.attempt for event in executor.events(5.0) if isinstance(event, Ended)] == ["0.0.1", "2.0.1"]
        with pytest.raises(SlotsLost, match="Spark is gone"):
            executor.events(5.0)
    finally:
        executor.close()
