"""Going over to the second executor, with members that do what the test says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sparkml_track.executors import Capabilities, Ended, Event, Executor, Lost
from sparkml_track.executors._fallback import FallbackExecutor
from sparkml_track.executors._resident.worker_pool import Unreachable
from sparkml_track.testing.executors import attempt
from sparkml_track.trial import Attempt, Outcome, State


class Scripted(Executor):
    name = "scripted"
    capabilities = Capabilities(kills=True, streams=True, isolates=True)
    slots = room = 4
    stale = 0

    def __init__(self, *turns: Sequence[Event] | Unreachable) -> None:
        self.turns = list(turns)
        self.submitted: list[str] = []
        self.closed = 0

    def submit(self, *attempts: Attempt) -> None:
        self.submitted += [attempt.id for attempt in attempts]

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        turn = self.turns.pop(0)
        if isinstance(turn, Unreachable):
            raise turn
        return turn

    def answer(self, attempt: str, index: int, stop: bool) -> None: ...

    def stop(self, attempt: str, reason: str) -> None: ...

    def close(self) -> None:
        self.closed += 1


def test_only_attempts_of_which_nothing_was_told_are_moved() -> None:
    ended = Ended("0.0.1", Outcome(State.KILLED, reason="cancelled"))
    first = Scripted([ended, Lost("1.0.1", "its host went", charged=False)], Unreachable("no way"))
    second = Scripted([])
    executor = FallbackExecutor(first, lambda: second)
    for number in range(3):
        executor.submit(attempt(number))
    assert len(executor.events()) == 2
    executor.submit(replace(attempt(1), number=2))
    assert executor.events() == []
    assert (first.closed, second.submitted) == (1, ["2.0.1", "1.0.2"])
