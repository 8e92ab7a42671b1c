"""How far a sweep is; what a progress display is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparkml_track.engine.loop.ports import SweepState
from sparkml_track.trial import State

__all__ = ["Progress", "ProgressListener", "progress_of"]


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

    @property
    def done(self) -> int:
        """Trials that ended, however."""
        return self.finished + self.pruned + self.failed + self.killed


#: Called a few times a second, on the loop's thread; must return at once.
ProgressListener = Callable[[Progress], None]


def progress_of(loop: SweepState) -> Progress:
    """How far a loop is."""
    counts, planned, best = loop.counts, loop.planned, loop.best
    done = counts.total()
    share = done / planned if planned else 0.0
    return Progress(
        finished=counts[State.FINISHED],
        pruned=counts[State.PRUNED],
        failed=counts[State.FAILED],
        killed=counts[State.KILLED],
        running=loop.running,
        waiting=len(loop.live) - loop.running,
        planned=planned,
        best=None if best is None or best.value is None else best.value[0],
        best_number=None if best is None else best.number,
        elapsed=loop.elapsed,
        remaining=loop.elapsed * (1 - share) / share if share else None,
        note=loop.note,
    )
