"""Child runs, or artifacts, of the best trials only: which those are is known at the end of the sweep."""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from sparkml_track.engine.publishing.publisher import Publisher
from sparkml_track.engine.results.ranking import Best
from sparkml_track.engine.spec.spec import Tracking, number_in
from sparkml_track.engine.storage.waiting import Hurry, never
from sparkml_track.goal import Goal
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import State

__all__ = ["TopPublisher", "Wanted", "without_files"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the best trials get at the end of the sweep.

    Attributes:
        runs: how many get a child run; None if all trials have one before.
        files: how many get artifacts, of those that have a child run; None for all of them.
        goal: says which are the best.
    """

    runs: int | None
    files: int | None
    goal: Goal

    @classmethod
    def of(cls, tracking: Tracking, goal: Goal) -> Wanted | None:
        """None if nothing depends on which trials are the best."""
        runs, files = number_in(tracking.child_runs), number_in(tracking.keep)
        return None if runs is None and files is None else cls(runs, files, goal)


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
        self._best = Best[ChildRun](wanted.runs or wanted.files or 0, wanted.goal)

    @property
    def trouble(self) -> str:
        """Why the store cannot be written to now; empty while it can."""
        return self._publisher.trouble

    @property
    def troubled(self) -> bool:
        """Whether it could not, at any time."""
        return self._publisher.troubled

    def put(self, child: ChildRun) -> None:
        """Takes a child run; those that still run are shown only if all trials have one."""
        if self._wanted.runs is None and child.number not in self._published:
            self._publisher.put(replace(child, artifacts=None))
        if not child.state.terminal:
            return
        finished = child.state is State.FINISHED
        value = child.metrics.get(self._wanted.goal.metric, math.nan) if finished else math.nan
        worse = self._best.add(child.number, value, child)
        if worse is not None:
            without_files(worse)

    def check(self) -> None:
        """Raises what stopped the publisher."""
        self._publisher.check()

    def close(self, longest_wait: float, hurry: Hurry = never) -> int:
        """Publishes what the best get and all that is queued; how many child runs are missing after it."""
        for child in self._ended():
            # What waits for the store still is replaced by this, so it is whole.
            self._publisher.put(child)
        return self._publisher.close(longest_wait, hurry)

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
        remove_tree(str(child.artifacts))
    return replace(child, artifacts=None)
