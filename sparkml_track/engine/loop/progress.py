"""How far a sweep is; what a progress display is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sparkml_track.engine.loop.ports import SweepState
from sparkml_track.engine.results.unit_results import in_order
from sparkml_track.space import flatten
from sparkml_track.trial import State

__all__ = ["Progress", "ProgressListener", "RunningNow", "progress_of"]

#: Running trials that a look names; more would cost time with many slots.
_NAMED = 8


@dataclass(frozen=True, slots=True)
class RunningNow:
    """A trial that is executed now.

    Attributes:
        number: its.
        params: flattened with dots.
        seconds: since it began in a slot.
        value: of the metric, as it was reported last; None before that.
        step: of that report.
    """

    number: int
    params: Mapping[str, object]
    seconds: float
    value: float | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a running sweep.

    Attributes:
        finished, pruned, failed, killed: trials that ended so.
        running: trials that are executed now.
        planned: how many there will be, None where only time ends the sweep.
        best: the best value so far in the user's direction, None before the first.
        best_number: its trial.
        elapsed: seconds since the sweep began.
        remaining: seconds to go as far as is known, else None.
        note: what the user should know now (tracking down, no slots), else empty.
        waiting: trials that are to be executed and have no slot yet.
        name: of the sweep.
        metric: that ``best`` is of.
        best_params: of the best trial, flattened with dots.
        slots: how many there are now.
        busy: slots that execute something.
        trials: some of those that are executed, the longest first.
        ended: nothing is executed any more, and nothing will be.
    """

    finished: int
    pruned: int
    failed: int
    killed: int
    running: int
    planned: int | None
    best: float | None
    best_number: int | None
    elapsed: float
    remaining: float | None
    note: str = ""
    waiting: int = 0
    name: str = ""
    metric: str = ""
    best_params: Mapping[str, object] | None = None
    slots: int = 0
    busy: int = 0
    trials: tuple[RunningNow, ...] = ()
    ended: bool = False

    @property
    def done(self) -> int:
        """Trials that ended, however."""
        return self.finished + self.pruned + self.failed + self.killed

    @property
    def rate(self) -> float:
        """Trials that ended in a second, over the whole time; 0 before the first."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0


#: Called a few times a second, on the loop's thread; must return at once.
ProgressListener = Callable[[Progress], None]


def progress_of(loop: SweepState, *, ended: bool = False) -> Progress:
    """How far a loop is.

    Args:
        loop: at which one looks.
        ended: it has come to its end.
    """
    counts, best, slots = loop.counts, loop.best, loop.slots
    running = 0 if ended else loop.running
    return Progress(
        finished=counts[State.FINISHED],
        pruned=counts[State.PRUNED],
        failed=counts[State.FAILED],
        killed=counts[State.KILLED],
        running=running,
        waiting=0 if ended else len(loop.live) - running,
        planned=loop.planned,
        best=None if best is None or best.value is None else best.value[0],
        best_number=None if best is None else best.number,
        elapsed=loop.elapsed,
        remaining=0.0 if ended else _remaining(loop),
        note=loop.note,
        name=loop.spec.name,
        metric=loop.spec.goals[0].metric,
        best_params=None if best is None else flatten(best.params),
        slots=slots.there,
        # A retried unit counts until its next attempt begins: never more than there are.
        busy=0 if ended else min(slots.there, slots.each * _executed(loop)),
        trials=() if ended else tuple(islice(_running(loop), _NAMED)),
        ended=ended,
    )


def _remaining(loop: SweepState) -> float | None:
    """By the trials that are done, and by the time that the sweep is given."""
    done, planned, limit = loop.counts.total(), loop.planned, loop.spec.timeout
    guesses = [loop.elapsed * (planned - done) / done] if planned and done else []
    guesses += [max(0.0, limit - loop.elapsed)] if limit is not None else []
    return min(guesses, default=None)


def _executed(loop: SweepState) -> int:
    return sum(unit.started > 0.0 for live in loop.live.values() if live.since for unit in live.units.values())


def _running(loop: SweepState) -> Iterator[RunningNow]:
    now, metric = time.monotonic(), loop.spec.goals[0].metric
    for number, live in loop.live.items():  # in the order in which they were begun
        if live.since:
            reports = in_order(live.reports) or next((unit.reports for unit in live.units.values()), [])
            last = reports[-1] if reports and metric in reports[-1].metrics else None
            value, step = (None, None) if last is None else (last.metrics[metric], last.step)
            yield RunningNow(number, flatten(live.trial.params), now - live.since, value, step)
