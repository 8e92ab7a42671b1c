"""The best trials of a sweep with one objective."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable
from typing import Generic, NamedTuple, TypeVar

from sparkml_track.engine.results.summary import Result, Summary
from sparkml_track.goal import Goal
from sparkml_track.trial import State

__all__ = ["Best", "best_numbers", "top_trials"]

T = TypeVar("T")


class _Place(NamedTuple, Generic[T]):
    """A trial in a heap whose first is the worst."""

    gain: float
    minus_number: int
    what: T


class Best(Generic[T]):
    """The best so far and no more, each number once; of equals the lower number.

    Args:
        most: how many.
        goal: says what is better.
    """

    def __init__(self, most: int, goal: Goal) -> None:
        self._most, self._goal = most, goal
        self._heap: list[_Place[T]] = []

    def add(self, number: int, value: float, what: T) -> T | None:
        """Takes a trial; gives back what is not among the best, or not any more. Only finite values can be."""
        if not math.isfinite(value):
            return what
        heapq.heappush(self._heap, _Place(-self._goal.loss(value), -number, what))
        return heapq.heappop(self._heap).what if len(self._heap) > self._most else None

    def take(self) -> list[T]:
        """The best first; afterwards there are none."""
        places, self._heap = self._heap, []
        return [place.what for place in sorted(places, reverse=True)]


def top_trials(summary: Summary, results: Collection[Result], most: int) -> list[Result]:
    """The best trials, best first; of several objectives the Pareto front, by number."""
    if summary.pareto is not None:
        return list(summary.pareto[:most])
    by_number = {one.number: one for one in results}
    return [by_number[number] for number in best_numbers(results, most, summary.goals[0])]


def best_numbers(results: Iterable[Result], most: int, goal: Goal) -> list[int]:
    """The numbers of the best finished trials, the best first; of equals the lower number. Of one objective."""
    best = Best[int](most, goal)
    for one in results:
        if one.state is State.FINISHED and one.value:
            best.add(one.number, one.value[0], one.number)
    return best.take()
