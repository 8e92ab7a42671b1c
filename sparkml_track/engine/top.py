"""Child runs, or artifacts, of the best trials only: which those are is known at the end of the sweep."""

from __future__ import annotations

import heapq
import math
import shutil
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from sparkml_track.engine.patience import Hurry, never
from sparkml_track.engine.publish import Publisher
from sparkml_track.engine.spec import Tracking, number_in
from sparkml_track.engine.summary import Result
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import State

__all__ = ["Best", "TopPublisher", "Wanted", "best_numbers", "without_files"]

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
        direction: "minimize" or "maximize".
    """

    def __init__(self, most: int, direction: str) -> None:
        self._most = most
        self._sign = 1.0 if direction == "maximize" else -1.0
        self._heap: list[_Place[T]] = []

    def add(self, number: int, value: float, what: T) -> T | None:
        """Takes a trial; gives back what is not among the best, or not any more. Only finite values can be."""
        if not math.isfinite(value):
            return what
        heapq.heappush(self._heap, _Place(self._sign * value, -number, what))
        return heapq.heappop(self._heap).what if len(self._heap) > self._most else None

    def take(self) -> list[T]:
        """The best first; afterwards there are none."""
        places, self._heap = self._heap, []
        return [place.what for place in sorted(places, reverse=True)]


def best_numbers(results: Iterable[Result], most: int, direction: str) -> list[int]:
    """The numbers of the best finished trials, the best first; of equals the lower number. Of one objective."""
    best = Best[int](most, direction)
    for one in results:
        if one.state is State.FINISHED and one.value:
            best.add(one.number, one.value[0], one.number)
    return best.take()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the best trials get at the end of the sweep.

    Attributes:
        runs: how many get a child run; None if all trials have one before.
        files: how many get artifacts, of those that have a child run; None for all of them.
        metric: the objective.
        direction: of it.
    """

    runs: int | None
    files: int | None
    metric: str
    direction: str

    @classmethod
    def of(cls, tracking: Tracking, metric: str, direction: str) -> Wanted | None:
        """None if nothing depends on which trials are the best."""
        runs, files = number_in(tracking.child_runs), number_in(tracking.keep)
        return None if runs is None and files is None else cls(runs, files, metric, direction)


class TopPublisher:
    """Takes every child run, and publishes at the end what only the best get; as a ``Publisher`` otherwise.

    That is the child run with ``child_runs="top:K"``. With ``keep="best:K"`` it is the artifacts: all else of a trial
    goes on at once. What a trial left in its artifact folder is removed once the trial is not among the best.

    Args:
        publisher: does it; closed with this.
        wanted: by the best.
        published: trials that the store has of an earlier driver: they take places and get what artifacts there still
            are; they are left as they are otherwise, also if somebody deleted them.
    """

    def __init__(self, publisher: Publisher, wanted: Wanted, published: AbstractSet[int] = frozenset()) -> None:
        self._publisher = publisher
        self._wanted = wanted
        self._published = published
        self._best = Best[ChildRun](wanted.runs or wanted.files or 0, wanted.direction)

    @property
    def trouble(self) -> str:
        """See ``Publisher``."""
        return self._publisher.trouble

    @property
    def troubled(self) -> bool:
        """See ``Publisher``."""
        return self._publisher.troubled

    def put(self, child: ChildRun) -> None:
        """Takes a child run; those that still run are shown only if all trials have one."""
        if self._wanted.runs is None and child.number not in self._published:
            self._publisher.put(replace(child, artifacts=None))
        if not child.state.terminal:
            return
        finished = child.state is State.FINISHED
        value = child.metrics.get(self._wanted.metric, math.nan) if finished else math.nan
        worse = self._best.add(child.number, value, child)
        if worse is not None:
            without_files(worse)

    def check(self) -> None:
        """See ``Publisher``."""
        self._publisher.check()

    def close(self, patience: float, hurry: Hurry = never) -> int:
        """See ``Publisher``."""
        for child in self._ended():
            # What waits for the store still is replaced by this, so it is whole.
            self._publisher.put(child)
        return self._publisher.close(patience, hurry)

    def _ended(self) -> Iterable[ChildRun]:
        shown = self._published if self._wanted.runs is not None else None
        for place, each in enumerate(self._best.take()):
            keeps = self._wanted.files is None or place < self._wanted.files
            child = each if keeps else without_files(each)
            if child.artifacts is not None or (shown is not None and child.number not in shown):
                yield child


def without_files(child: ChildRun) -> ChildRun:
    """The child run of a trial whose artifacts are not kept; removes them."""
    if child.artifacts is not None:
        shutil.rmtree(child.artifacts, ignore_errors=True)
    return replace(child, artifacts=None)
