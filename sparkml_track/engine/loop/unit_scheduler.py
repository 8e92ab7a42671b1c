"""Which unit is executed next, and by which attempt.

Units of trials that were begun come first, then what an earlier driver left, then new trials.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator

from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.loop.running_trial import RunningTrial, RunningUnit
from sparkml_track.engine.records.types import Asked
from sparkml_track.engine.spec.lifecycle import Lifecycle, LifecycleListener
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.trial import AttemptId

__all__ = ["UnitScheduler"]

#: Seconds of asking, after which what was asked is submitted.
_TOGETHER = 0.002


class UnitScheduler:
    """Hands out units, each with an attempt, and knows which of them have not ended.

    Args:
        asker: gives trials; owned by the loop.
        writer: records new ones.
        spec: how many units a trial has, and the timeout of each attempt.
        reached: hears of trials that were asked.

    Attributes:
        live: trials that have not ended, by number.
        handed_out: units that were handed out and have not ended.
    """

    def __init__(self, asker: Asker, writer: JournalWriter, spec: Spec, reached: LifecycleListener) -> None:
        self._asker = asker
        self._writer = writer
        self._plan, self._timeout, self._several = spec.units, spec.trial_timeout, spec.units.several
        self._reached = reached
        self._indices = range(spec.units.count)[::-1]
        self._again: deque[RunningTrial] = deque()
        self._begun: deque[RunningTrial] = deque()
        self.live: dict[int, RunningTrial] = {}
        self.handed_out = 0

    def restore(self, again: Iterable[RunningTrial]) -> None:
        """Takes what an earlier driver had begun."""
        self._again.extend(again)

    def decided(self) -> list[RunningTrial]:
        """Those of them whose units have all ended, so that they can be accepted at once."""
        over = [live for live in self._again if live.over]
        self._again = deque(live for live in self._again if not live.over)
        return [self._begin(live) for live in over]

    def next(self, most: int, *, new: bool = True) -> Iterator[RunningUnit]:
        """The next units with their attempts, to be submitted together; none if there are none, or none yet.

        Args:
            most: of them. One alone comes where a sampler takes long, since a slot may wait for it.
            new: also of trials that have not begun.
        """
        began = time.monotonic()
        for count in range(most):
            unit = None if count and time.monotonic() - began > _TOGETHER else self._one(new)
            if unit is None:
                return
            self.handed_out += 1
            yield unit

    def _one(self, new: bool) -> RunningUnit | None:
        while self._begun and not self._begun[0].left:
            self._begun.popleft()
        if self._begun:
            return self._begun[0].next(self._timeout)
        live = self._trial() if new else None
        if live is None:
            return None
        if self._several:
            self._begun.append(live)
        return self._begin(live).next(self._timeout)

    def _trial(self) -> RunningTrial | None:
        if self._again:
            return self._again.popleft()
        trial = self._asker.next()
        if trial is None:
            return None
        self._writer.record(Asked(trial.number, trial.params, trial.seed))
        self._reached(Lifecycle.ASKED)
        return RunningTrial(trial, self._plan, [*self._indices])

    def _begin(self, live: RunningTrial) -> RunningTrial:
        self.live[live.trial.number] = live  # at once: to ask for the next one may raise
        return live

    def drop(self) -> Iterator[RunningTrial]:
        """What an earlier driver had begun and nobody executes any more."""
        while self._again:
            yield self._begin(self._again.popleft())

    def current(self, attempt: str) -> RunningUnit | None:
        """The unit whose current attempt this is; others are stale."""
        parsed = AttemptId.parse(attempt)
        live = self.live.get(parsed.trial)
        unit = None if live is None else live.units.get(parsed.unit)
        return unit if unit is not None and unit.attempt.id == attempt else None

    def ended(self, live: RunningTrial) -> None:
        """A trial ended, with all of its units."""
        self.handed_out -= len(live.units)
        live.units.clear()  # they refer to it, and collections are rare
        del self.live[live.trial.number]
