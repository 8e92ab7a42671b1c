"""How far a sweep is; what a progress display is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "ProgressListener"]


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
        remaining: seconds to go as far as can be told, else None.
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
