"""Attempts, and what an executor reports of them; for the cases of executors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sparkml_track.executors import Ended, Event, Executor, Reported
from sparkml_track.trial import Attempt, Outcome, Trial, Unit

__all__ = ["attempt", "events_until", "outcomes"]


def attempt(number: int, params: Mapping[str, object] | None = None, *, timeout: float | None = None) -> Attempt:
    """The first attempt at a trial."""
    return Attempt(Trial(number, params or {}, seed=number + 7), Unit(number), timeout=timeout)


def outcomes(executor: Executor, wanted: int, seconds: float = 30.0) -> dict[int, Outcome]:
    """Waits for this many ends, answering every report with "go on"; by trial number."""
    return {
        int(event.attempt.partition(".")[0]): event.outcome
        for event in events_until(executor, wanted, seconds)
        if isinstance(event, Ended)
    }


def events_until(
    executor: Executor, wanted: int, seconds: float = 60.0, decide: Callable[[Reported], bool] = lambda _: False
) -> list[Event]:
    """All events until this many attempts have ended."""
    seen: list[Event] = []
    until = time.monotonic() + seconds
    while sum(isinstance(event, Ended) for event in seen) < wanted:
        assert time.monotonic() < until, f"only {seen} within {seconds} s"
        for event in executor.events(0.5):
            seen.append(event)
            if isinstance(event, Reported):
                executor.answer(event.attempt, event.index, decide(event))
    return seen
