"""The learning curves of a bounded number of trials, chosen while their results come in.

Reports of all trials do not fit into memory. A sweep, and whoever reads its journal, sees the reports of one trial at a
time anyway; here those of the best are kept, and those of others that are drawn evenly.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.trial import Report, State

__all__ = ["BEST", "OTHERS", "POINTS", "Curve", "Curves"]

#: How many of the best trials are kept, how many of the others, and points of each.
BEST, OTHERS, POINTS = 20, 30, 200
# Multiples of the golden ratio, without their whole part, are spread evenly over the numbers (Knuth 1973, 6.4).
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Curve:
    """The reports of a trial; ``values`` are of the objective's metric, one for each of ``steps``."""

    number: int
    state: State
    steps: array[int]
    values: array[float]


class Curves:
    """Takes trials as they end. One thread at a time.

    Args:
        goal: of the first objective.

    """

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        # Heaps whose first is the worst of the best, and the one of the others that goes first.
        self._best: list[tuple[float, int, Curve]] = []
        self._others: list[tuple[float, int, Curve]] = []
        self._reported: set[int] = set()

    @property
    def reported(self) -> int:
        """How many trials had reports of the metric."""
        return len(self._reported)

    def add(self, result: Result, reports: Sequence[Report]) -> None:
        """Takes a trial that ended; one without reports of the metric is passed over."""
        if not reports:
            return
        points = [(one.step, one.metrics[self._goal.metric]) for one in reports if self._goal.metric in one.metrics]
        if points:
            self._reported.add(result.number)
            self._place(result, points)

    def drop(self, number: int) -> None:
        """Lets go of a trial that is executed again."""
        self._reported.discard(number)
        for heap in (self._best, self._others):
            heap[:] = [one for one in heap if one[2].number != number]
            heapq.heapify(heap)

    def best(self) -> list[Curve]:
        """Of the best finished trials, the best first."""
        return [one[2] for one in sorted(self._best, reverse=True)]

    def others(self) -> list[Curve]:
        """Of others, by number."""
        return sorted((one[2] for one in self._others), key=lambda one: one.number)

    def _place(self, result: Result, points: Sequence[tuple[int, float]]) -> None:
        number, value = result.number, result.value[0] if result.value else math.nan
        good = result.state is State.FINISHED and math.isfinite(value)
        place = (-self._goal.loss(value), -number)
        full = len(self._best) == BEST
        if good and not (full and place < self._best[0][:2]):
            heapq.heappush(self._best, (*place, _curve(result, points)))
            if full:
                self._place_other(heapq.heappop(self._best)[2])
        elif len(self._others) < OTHERS or _turn(number) > self._others[0][0]:
            self._place_other(_curve(result, points))

    def _place_other(self, curve: Curve) -> None:
        heapq.heappush(self._others, (_turn(curve.number), -curve.number, curve))
        if len(self._others) > OTHERS:
            heapq.heappop(self._others)


def _turn(number: int) -> float:
    return number * _GOLDEN % 1.0


def _curve(result: Result, points: Sequence[tuple[int, float]]) -> Curve:
    few = list(_thinned(points))
    return Curve(result.number, result.state, array("q", [at for at, _ in few]), array("d", [one for _, one in few]))


def _thinned(points: Sequence[tuple[int, float]]) -> Iterable[tuple[int, float]]:
    """At most ``POINTS``, evenly drawn, the first and the last among them."""
    if len(points) <= POINTS:
        return points
    last = len(points) - 1
    return (points[place * last // (POINTS - 1)] for place in range(POINTS))
