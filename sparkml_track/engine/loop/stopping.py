"""When the results of a sweep say that it may end: its target is reached, or nothing has become better for long."""

from __future__ import annotations

import math

from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.trial import State

__all__ = ["Stopping"]


class Stopping:
    """Watches accepted results, in the order they come.

    A trial counts for ``patience`` when it finished, was pruned or failed; one that was killed says nothing of its
    parameters. Only a finite value that is better than all before it, of a trial that finished, is an improvement.

    Args:
        goal: of the sweep, the first of several.
        target: the value that is good enough, in the user's direction; None for none.
        patience: how many trials may end one after the other without an improvement; None for any number.
    """

    def __init__(self, goal: Goal, target: float | None, patience: int | None) -> None:
        self._goal, self._target, self._patience = goal, target, patience
        self._best = math.inf
        self._since = 0

    def add(self, result: Result) -> str:
        """Takes a result.

        Returns:
            Why the sweep may end now, for a person; empty while it may not.
        """
        if self._improves(result):
            self._since = 0
        elif result.state is not State.KILLED:
            self._since += 1
        return self._why()

    def _improves(self, result: Result) -> bool:
        if result.state is not State.FINISHED or result.value is None:
            return False
        loss = self._goal.loss(result.value[0])
        if not math.isfinite(loss) or loss >= self._best:
            return False
        self._best = loss
        return True

    def _why(self) -> str:
        best = self._goal.loss(self._best)
        if self._target is not None and self._best <= self._goal.loss(self._target):
            return f"the target {self._target:g} is reached: {best:g}"
        if self._patience is not None and self._since >= self._patience:
            so_far = f"the best value stayed {best:g}" if math.isfinite(best) else "none has a value"
            return f"no improvement in {self._since} trials (patience={self._patience}): {so_far}"
        return ""
