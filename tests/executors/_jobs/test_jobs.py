"""The jobs executor on plain processes: everything but Spark."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_track.errors import ExecutorError, PreflightError, SlotsLost
from sparkml_track.executors import Ended, Event, Executor, Lost, Reported, SlotsChanged, Started, Work
from sparkml_track.executors._attempts import not_started as _unbegun
from sparkml_track.executors._jobs.executor import JobsExecutor
from sparkml_track.executors._jobs.submitter import LocalSubmitter, Request
from sparkml_track.slot.wire.messages import Unbegun, encode
from sparkml_track.testing.executors import ExecutorCase, attempt, events_until, outcomes
from sparkml_track.trial import State

pytestmark = pytest.mark.slow


def opened(objective: object, slots: int = 2, **fields: object) -> JobsExecutor:
    work = Work(objective, **fields)  # type: ignore[arg-type]
    return JobsExecutor(work, LocalSubmitter(slots), f"test-{os.urandom(4).hex()}")


class TestJobs(ExecutorCase):
    def open(self, work: Work) -> Executor:
        return JobsExecutor(work, LocalSubmitter(2), f"test-{os.urandom(4).hex()}")


def test_reports_come_with_the_outcome_in_their_order_and_nobody_is_told_to_stop() -> None:
    def objective(trial: object) -> float:
        for step in range(3):
            trial.report({"loss": float(step)}, step=step)  # type: ignore[attr-defined]
            if trial.should_stop():  # type: ignore[attr-defined]
                return 9.0
        return 1.0

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        events = events_until(executor, 1)
    finally:
        executor.close()
    kinds = [type(event) for event in events if not isinstance(event, SlotsChanged)]
    assert kinds == [Started, Reported, Reported, Reported, Ended]
    assert [event.report.step for event in events if isinstance(event, Reported)] == [0, 1, 2]
    assert events[-1].outcome.metrics == {"loss": 1.0}  # type: ignore[union-attr]


def test_the_objective_is_loaded_once_for_many_attempts() -> None:
    def objective(_: object) -> float:
        import os

        return float(os.getppid())

    executor = opened(objective, slots=1)
    try:
        for number in range(4):
            executor.submit(attempt(number))
        templates = {outcome.metrics["loss"] for outcome in outcomes(executor, 4).values()}
    finally:
        executor.close()
    assert len(templates) == 1


def test_a_job_that_dies_is_a_lost_attempt_and_the_next_attempt_may_succeed() -> None:
    def objective(trial: object) -> float:
        import os
        import time

        if trial.attempt == 1:  # type: ignore[attr-defined]
            os.kill(os.getppid(), 9)  # the template, and with it the job
            time.sleep(60)
        return 1.0

    executor = opened(objective, slots=1)
    try:
        executor.submit(attempt(0))
        lost = next(event for event in wait_for(executor, Lost) if isinstance(event, Lost))
        assert (lost.attempt, lost.charged) == ("0.0.1", True)
        executor.submit(replace(attempt(0), number=2))
        assert outcomes(executor, 1)[0].state is State.FINISHED
    finally:
        executor.close()


def test_a_module_that_slots_lack_is_named_before_trial_0() -> None:
    class Poison:
        def __reduce__(self) -> tuple[object, ...]:
            return (__import__, ("secret_sauce",))

    poison = Poison()

    def objective(_: object) -> float:
        return float(poison is None)

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        with pytest.raises(PreflightError, match="slots lack the module 'secret_sauce'"):
            outcomes(executor, 1)
    finally:
        executor.close()


def wait_for(executor: Executor, kind: type) -> list[object]:
    seen: list[object] = []
    while not any(isinstance(event, kind) for event in seen):
        seen += executor.events(5.0)
    return seen


def test_artifacts_come_with_the_outcome(tmp_path: Path) -> None:
    def objective(trial: object) -> float:
        from pathlib import Path

        (Path(trial.artifact_dir) / "model.bin").write_bytes(bytes(range(256)) * 8192)  # type: ignore[attr-defined]
        return 1.0

    executor = opened(objective, spool=str(tmp_path))
    try:
        executor.submit(attempt(0))
        outcome = outcomes(executor, 1)[0]
    finally:
        executor.close()
    assert (Path(outcome.artifacts) / "model.bin").read_bytes() == bytes(range(256)) * 8192


class Unforkable(LocalSubmitter):
    """Its host has no process to spare for the first ``times`` attempts."""

    def __init__(self, times: int) -> None:
        super().__init__(1)
        self.times = times

    def run(self, key: str, request: Request) -> list[bytes]:
        self.times -= 1
        if self.times < 0:
            return super().run(key, request)
        return [encode(Unbegun("0.0.1", "no process for an attempt"))]


def test_an_attempt_that_could_not_begin_is_not_charged() -> None:
    executor = JobsExecutor(Work(lambda _: 1.0), Unforkable(1), f"test-{os.urandom(4).hex()}")
    try:
        executor.submit(attempt(0))
        lost = next(event for event in wait_for(executor, Lost) if isinstance(event, Lost))
        assert (lost.attempt, lost.charged) == ("0.0.1", False)
        executor.submit(replace(attempt(0), number=2))
        assert outcomes(executor, 1)[0].state is State.FINISHED
    finally:
        executor.close()


def test_a_host_where_nothing_begins_is_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unbegun, "HOLD", 0.0)
    monkeypatch.setattr(_unbegun, "_NONE_BEGAN", 0.0)
    executor = JobsExecutor(Work(lambda _: 1.0), Unforkable(100), f"test-{os.urandom(4).hex()}")

    def try_again_and_again() -> None:
        for number in range(1, 100):
            executor.submit(replace(attempt(0), number=number))
            wait_for(executor, Lost)

    try:
        with pytest.raises(ExecutorError, match=r"21 attempts in a row could not begin.*no process.*resume the sweep"):
            try_again_and_again()
    finally:
        executor.close()


def test_one_bad_moment_on_many_slots_ends_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unbegun, "HOLD", 0.0)
    executor = JobsExecutor(Work(lambda _: 1.0), Unforkable(30), f"test-{os.urandom(4).hex()}")
    try:
        for number in range(30):
            executor.submit(attempt(number))
        lost: list[object] = []
        while len(lost) < 30:
            lost += [event for event in executor.events(5.0) if isinstance(event, Lost)]
        executor.submit(attempt(30))
        assert outcomes(executor, 1)[30].state is State.FINISHED
    finally:
        executor.close()


def test_an_attempt_that_could_not_begin_keeps_its_slot_for_a_moment() -> None:
    executor = JobsExecutor(Work(lambda _: 1.0), Unforkable(1), f"test-{os.urandom(4).hex()}")
    try:
        began = time.monotonic()
        executor.submit(attempt(0))
        while not any(isinstance(event, Lost) for event in executor.events(0.2)):
            assert executor.room == 0
        assert time.monotonic() - began >= 1.0
        assert executor.room == 1
    finally:
        executor.close()


def test_attempts_that_ended_are_told_before_the_end_of_everything() -> None:
    def objective(_: object) -> float:
        return 1.0

    executor = opened(objective, slots=3)
    try:
        executor.submit(attempt(0))
        outcomes(executor, 1)
        good: list[bytes] = []
        run = executor._submitter.run
        executor._submitter.run = lambda key, request: good.extend(run(key, request)) or []  # type: ignore[func-returns-value,method-assign]
        executor.submit(attempt(1))
        key, _ = executor._answers.get(timeout=20)
        executor._running.update({"2.0.1": attempt(2)})
        executor._answers.put((key, good))
        executor._answers.put(("2.0.1", SlotsLost("Spark is gone")))
        told: list[Event] = []

        def listen() -> None:
            while True:
                told.extend(executor.events(5.0))

        with pytest.raises(SlotsLost, match="Spark is gone"):
            listen()
        assert [event.attempt for event in told if isinstance(event, Ended)] == ["1.0.1"]
    finally:
        executor.close()
