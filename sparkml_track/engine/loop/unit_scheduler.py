"""Which unit is executed next, and by which attempt: what an earlier driver left comes before new trials."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator

from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.loop.running_trial import Again, RunningTrial
from sparkml_track.engine.records.types import Asked
from sparkml_track.engine.spec.lifecycle import Lifecycle, LifecycleListener
from sparkml_track.trial import Attempt, Unit

__all__ = ["UnitScheduler"]

#: Seconds of asking, after which what was asked is submitted.
_TOGETHER = 0.002


class UnitScheduler:
    """Makes attempts. A trial has one unit.

    Args:
        asker: gives trials; owned by the loop.
        writer: records new ones.
        timeout: of each attempt, in seconds; None for none.
        reached: hears of trials that were asked.
    """

    def __init__(self, asker: Asker, writer: JournalWriter, timeout: float | None, reached: LifecycleListener) -> None:
        self._asker = asker
        self._writer = writer
        self._timeout = timeout
        self._reached = reached
        self._again: deque[Again] = deque()

    def restore(self, again: Iterable[Again]) -> None:
        """Takes what an earlier driver had begun."""
        self._again.extend(again)

    def next(self, most: int) -> Iterator[RunningTrial]:
        """The next trials with their attempts, to be submitted together; none if there are none, or none yet.

        Args:
            most: of them. One alone comes where a sampler takes long, since a slot may wait for it.
        """
        began = time.monotonic()
        for count in range(most):
            trial = None if count and time.monotonic() - began > _TOGETHER else self._one()
            if trial is None:
                return
            yield trial

    def _one(self) -> RunningTrial | None:
        if self._again:
            return self._again.popleft().next(self._timeout)
        trial = self._asker.next()
        if trial is None:
            return None
        self._writer.record(Asked(trial.number, trial.params, trial.seed))
        self._reached(Lifecycle.ASKED)
        return RunningTrial(trial, Attempt(trial, Unit(trial.number), timeout=self._timeout))

    def drop(self) -> Iterator[RunningTrial]:
        """What an earlier driver had begun and nobody executes any more."""
        while self._again:
            live = self._again.popleft().next(self._timeout)
            live.attempts -= 1  # it was not submitted
            yield live
