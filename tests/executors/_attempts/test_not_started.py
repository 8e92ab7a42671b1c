"""Attempts that found no process to begin in: resident workers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.errors import ExecutorError
from sparkml_track.executors import Event, Lost, Work
from sparkml_track.executors._attempts import not_started as _unbegun
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.testing.executors import attempt, events_until, outcomes
from sparkml_track.trial import State

pytestmark = pytest.mark.slow

#: The template imports it with the objective, and has no process to spare from then on while the file is there.
_MODULE = """
import os

_fork = os.fork


def fork():
    if os.path.exists({flag!r}):
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return _fork()


def objective(trial):
    if trial.number == 7:
        open({flag!r}, "w").close()
    return 1.0


os.fork = fork
"""


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """While this file exists, the host has no process to spare."""
    (tmp_path / "crowded.py").write_text(_MODULE.format(flag=str(tmp_path / "full")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(os, "fork", os.fork)  # ours comes back, whatever the module does
    yield tmp_path / "full"
    sys.modules.pop("crowded", None)


def opened(slots: int = 1, isolation: str = "recycled") -> ResidentExecutor:
    work = Work(import_module("crowded").objective, isolation=isolation)
    return ResidentExecutor(work, Fleet(LocalLauncher(slots), f"test-{os.urandom(4).hex()}"))


def lost_of(executor: ResidentExecutor, seconds: float = 20.0) -> Lost:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in executor.events(0.5):
            if isinstance(event, Lost):
                return event
    raise AssertionError(f"nothing lost within {seconds} s")


def test_a_host_without_a_process_to_spare_loses_the_attempt_and_charges_nobody(full: Path) -> None:
    executor = opened()
    try:
        full.touch()
        executor.submit(attempt(0))
        lost = lost_of(executor)
        assert (lost.attempt, lost.charged) == ("0.0.1", False)
        assert "Resource temporarily unavailable" in lost.message
        worker = executor._fleet.launcher.pid(0)  # type: ignore[attr-defined]
        full.unlink()
        executor.submit(attempt(1))
        assert outcomes(executor, 1)[1].state is State.FINISHED
        assert executor._fleet.launcher.pid(0) == worker  # type: ignore[attr-defined]
    finally:
        executor.close()


def test_a_spare_process_that_cannot_be_had_costs_the_running_attempt_nothing(
    full: Path, caplog: pytest.LogCaptureFixture
) -> None:
    executor = opened(isolation="fresh")
    try:
        executor.submit(attempt(7))
        executor.submit(attempt(8))
        events, until = events_until(executor, 1), time.monotonic() + 20.0
        while "no process to spare: [Errno 11] Resource temporarily unavailable" not in caplog.text:
            assert time.monotonic() < until
            events += executor.events(0.2)
        full.unlink()
        assert not any(isinstance(event, Lost) and event.charged for event in events)
    finally:
        executor.close()


def test_a_host_where_nothing_begins_is_told_in_the_end(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unbegun, "HOLD", 0.0)
    monkeypatch.setattr(_unbegun, "_NONE_BEGAN", 0.0)
    executor = opened()
    events: list[Event] = []

    def try_again_and_again() -> None:
        for number in range(100):
            executor.submit(attempt(number))
            events.append(lost_of(executor))

    try:
        full.touch()
        with pytest.raises(ExecutorError, match=r"21 attempts in a row could not begin.*unavailable.*resume the sweep"):
            try_again_and_again()
        assert len(events) == 20
    finally:
        executor.close()


def test_an_attempt_that_kills_the_template_is_charged_and_its_neighbour_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    marks = tmp_path

    def objective(trial: Any) -> float:
        import os
        import signal
        import time

        (marks / f"{trial.number}.{trial.attempt}").touch()
        awaited = marks / ("1.1" if trial.number == 0 else "0.4")  # the poison's fourth attempt, its third alone
        while not awaited.exists():
            time.sleep(0.01)
        if trial.number == 0:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return 1.0

    more: dict[str, Any] = {"max_trials": 2, "parallelism": 2, "sampler": "random", "executor": "processes"}
    poison, neighbour = st.sweep(objective, {"x": st.uniform(0, 1)}, tracking=st.Tracking("memory:"), **more).trials
    assert (poison.state, poison.reason, poison.attempts) == (State.FAILED, "worker lost", 4)
    assert "lost 3 times" in poison.message
    assert (neighbour.state, neighbour.attempts) == (State.FINISHED, 2)
