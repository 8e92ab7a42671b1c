"""Sweeps share a Spark application: with ordinary Spark jobs, and with each other."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sparkml_track.executors import Ended, Executor, Work, open_executor
from sparkml_track.testing.executors import attempt

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


class Sweep(threading.Thread):
    """Keeps an executor busy until it is told to end; counts what ended."""

    def __init__(self, spark: SparkSession) -> None:
        super().__init__()

        def nap(_: object) -> float:
            import time

            time.sleep(0.2)
            return 1.0

        self.executor: Executor = open_executor("resident", Work(nap), spark)
        self.ends: list[float] = []
        self.enough = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        number = 0
        try:
            while not self.enough.is_set():
                while self.executor.room > 0:
                    self.executor.submit(attempt(number))
                    number += 1
                self.ends += [time.monotonic() for event in self.executor.events(0.2) if isinstance(event, Ended)]
        except BaseException as error:
            self.error = error
        finally:
            self.executor.close()

    def wait_for(self, count: int, seconds: float = 40.0) -> None:
        until = time.monotonic() + seconds
        while len(self.ends) < count:
            assert self.error is None, self.error
            assert time.monotonic() < until, f"{len(self.ends)} attempts ended within {seconds} s"
            time.sleep(0.02)


def test_a_count_is_not_starved_by_a_sweep_that_has_every_slot(spark: SparkSession) -> None:
    sweep = Sweep(spark)
    sweep.start()
    try:
        sweep.wait_for(4)
        assert spark.range(0, 1000, 1, 4).rdd.map(lambda row: row).count() == 1000
        during = len(sweep.ends)
        sweep.wait_for(during + 8)
    finally:
        sweep.enough.set()
        sweep.join()
    assert sweep.error is None


def test_two_sweeps_in_one_session_each_get_slots_and_one_ends_without_the_other(spark: SparkSession) -> None:
    first, second = Sweep(spark), None
    first.start()
    try:
        first.wait_for(4)
        second = Sweep(spark)
        second.start()
        second.wait_for(4)
        first.wait_for(len(first.ends) + 4)
        first.enough.set()
        first.join()
        second.wait_for(len(second.ends) + 8)
    finally:
        for sweep in (first, second):
            if sweep is not None:
                sweep.enough.set()
                sweep.join()
    assert first.error is None
    assert second.error is None
