"""``child_runs="top:K"``: only the best trials get child runs, at the end of the sweep."""

from __future__ import annotations

import heapq
import math
import shutil
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from sparkml_track.engine.patience import Hurry, never
from sparkml_track.engine.publish import Publisher
from sparkml_track.engine.summary import Result
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import State

__all__ = ["TopPublisher", "best_numbers", "top_of"]


def top_of(child_runs: str) -> int | None:
    """The K of ``top:K``; None for all and none."""
    kind, _, most = child_runs.partition(":")
    return int(most) if kind == "top" else None


def best_numbers(results: Iterable[Result], most: int, direction: str) -> list[int]:
    """The numbers of the best finished trials, the best first; of equals the lower number. Of one objective."""
    sign = -1.0 if direction == "maximize" else 1.0
    finished = [one for one in results if one.state is State.FINISHED and one.value and math.isfinite(one.value[0])]
    best = heapq.nsmallest(most, finished, key=lambda one: (sign * (one.value or (0.0,))[0], one.number))
    return [one.number for one in best]


class _Place(NamedTuple):
    """A child run in a heap whose first is the worst."""

    gain: float
    minus_number: int
    child: ChildRun


class TopPublisher:
    """Takes every child run, keeps the best, and publishes them at the end; as a ``Publisher`` otherwise.

    What a trial left in its artifact folder is removed once the trial is not among the best.

    Args:
        publisher: does it; closed with this.
        most: how many are kept.
        objective: the metric and its direction.
        published: trials that the store has from an earlier end of the sweep: they take places and are left as they
            are, also if somebody deleted them.
    """

    def __init__(
        self, publisher: Publisher, most: int, objective: tuple[str, str], published: AbstractSet[int] = frozenset()
    ) -> None:
        self._publisher = publisher
        self._most = most
        self._metric, self._sign = objective[0], 1.0 if objective[1] == "maximize" else -1.0
        self._published = published
        self._best: list[_Place] = []

    @property
    def trouble(self) -> str:
        """See ``Publisher``."""
        return self._publisher.trouble

    @property
    def troubled(self) -> bool:
        """See ``Publisher``."""
        return self._publisher.troubled

    def put(self, child: ChildRun) -> None:
        """Takes a child run; those that still run are not shown."""
        if not child.state.terminal:
            return
        gain = self._sign * child.metrics.get(self._metric, math.nan)
        if child.state is not State.FINISHED or not math.isfinite(gain):
            _forget([child])
            return
        heapq.heappush(self._best, _Place(gain, -child.number, child))
        if len(self._best) > self._most:
            _forget([heapq.heappop(self._best).child])

    def check(self) -> None:
        """See ``Publisher``."""
        self._publisher.check()

    def close(self, patience: float, hurry: Hurry = never) -> int:
        """See ``Publisher``."""
        for place in sorted(self._best, reverse=True):
            if place.child.number not in self._published:
                self._publisher.put(place.child)
        self._best.clear()
        return self._publisher.close(patience, hurry)


def _forget(children: Sequence[ChildRun]) -> None:
    for child in children:
        if child.artifacts is not None:
            shutil.rmtree(child.artifacts, ignore_errors=True)
