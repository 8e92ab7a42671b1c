"""What is told before the error that ends everything."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import SlotsLost
from sparkml_track.executors import Ended, Started, Work
from sparkml_track.executors._attempts.outbox import Outbox
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.testing.executors import attempt


class Gone(LocalLauncher):
    """What workers live in is gone, as soon as somebody looks."""

    def check(self) -> None:
        raise SlotsLost("Spark is gone")


def test_a_result_that_comes_with_the_end_of_everything_is_told_before_it(tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        import time

        while not os.path.exists(trial.params["go"]):
            time.sleep(0.005)
        return 1.0

    def started(number: int) -> Any:
        executor.submit(attempt(number, {"go": str(tmp_path / str(number))}))
        while True:
            if any(isinstance(event, Started) for event in executor.events(0.5)):
                return executor._assignment.at(f"{number}.0.1")

    executor = ResidentExecutor(Work(objective), Fleet(Gone(2), f"test-{os.urandom(4).hex()}"))
    try:
        good, lost = started(0), started(1)
        os.kill(executor._fleet.launcher.pid(lost.number), signal.SIGKILL)  # type: ignore[attr-defined]
        (tmp_path / "0").touch()
        for slot in (good, lost):
            assert select.select([slot.connection.sock], [], [], 20.0)[0]
        poll = executor._broker.poll
        executor._broker.poll = lambda wait: sorted(poll(wait), key=lambda one: one.message is not None)  # type: ignore[method-assign]
        assert [event.attempt for event in executor.events(5.0) if isinstance(event, Ended)] == ["0.0.1"]
        with pytest.raises(SlotsLost, match="Spark is gone"):
            executor.events(5.0)
    finally:
        executor.close()


def test_the_first_error_stays_and_what_came_later_is_taken() -> None:
    out = Outbox()
    told = Ended("0.0.1", None)  # type: ignore[arg-type]

    def wait(_: float) -> None:
        raise SlotsLost("first")

    def last() -> None:
        if not out.events and out.error is not None and "second" not in seen:
            seen.append("second")
            out.events.append(told)
            raise SlotsLost("second")

    seen: list[str] = []
    assert list(out.collect(wait, last, 5.0, 1.0)) == [told]
    for _ in range(2):
        with pytest.raises(SlotsLost, match="first"):
            out.collect(wait, last, 5.0, 1.0)
