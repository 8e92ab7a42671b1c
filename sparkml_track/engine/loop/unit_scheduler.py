"""Which unit is executed next, and by which attempt: what an earlier driver left comes before new trials."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.journal_writer import Ledger
from sparkml_track.engine.loop.running_trial import Again, Live
from sparkml_track.engine.records.types import Asked
from sparkml_track.engine.spec.lifecycle import Lifecycle, LifecycleListener
from sparkml_track.trial import Attempt, Unit

__all__ = ["UnitScheduler"]


class UnitScheduler:
    """Makes attempts. A trial has one unit.

    Args:
        asker: gives trials; owned by the loop.
        ledger: records new ones.
        timeout: of each attempt, in seconds; None for none.
        reached: hears of trials that were asked.
    """

    def __init__(self, asker: Asker, ledger: Ledger, timeout: float | None, reached: LifecycleListener) -> None:
        self._asker = asker
        self._ledger = ledger
        self._timeout = timeout
        self._reached = reached
        self._again: deque[Again] = deque()

    def restore(self, again: Iterable[Again]) -> None:
        """Takes what an earlier driver had begun."""
        self._again.extend(again)

    def next(self) -> Live | None:
        """The next trial with its attempt; None if there is none, or none yet."""
        if self._again:
            return self._again.popleft().next(self._timeout)
        trial = self._asker.next()
        if trial is None:
            return None
        self._ledger.record(Asked(trial.number, trial.params, trial.seed))
        self._reached(Lifecycle.ASKED)
        return Live(trial, Attempt(trial, Unit(trial.number), timeout=self._timeout))

    def drop(self) -> Iterator[Live]:
        """What an earlier driver had begun and nobody executes any more."""
        while self._again:
            live = self._again.popleft().next(self._timeout)
            live.attempts -= 1  # it was not submitted
            yield live
