"""What the loop connects."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.doorkeeper import Doorkeeper
from sparkml_track.engine.loop.running_trial import RunningTrial
from sparkml_track.engine.loop.slot_watch import SlotWatch
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.lifecycle import LifecycleListener, unheard
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.executors import Executor
from sparkml_track.journals import Journal
from sparkml_track.pruners import Pruner
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Outcome, State

__all__ = ["OutcomeListener", "Parts", "Queue", "SweepState", "Watcher", "goes_on"]


class Queue(Protocol):
    """Takes child runs to be published."""

    @property
    def trouble(self) -> str:
        """What keeps it from publishing now, for a person; else empty."""

    def put(self, child: ChildRun) -> None:
        """Queues one."""

    def check(self) -> None:
        """Raises what ended it."""


class SweepState(Protocol):
    """How far a loop is, for who watches it; ``Loop`` says what its members mean."""

    spec: Spec
    slots: SlotWatch
    results: list[Result]
    live: dict[int, RunningTrial]
    stopping: str

    @property
    def counts(self) -> Counter[State]:
        """Of the results, by state."""

    @property
    def best(self) -> Result | None:
        """Of the results, by the first objective."""

    @property
    def elapsed(self) -> float:
        """Seconds since the sweep began."""

    @property
    def note(self) -> str:
        """What a person should know now, else empty."""

    @property
    def running(self) -> int:
        """Trials that have begun in a slot."""

    @property
    def planned(self) -> int | None:
        """How many trials there will be, as far as is known."""

    def stop(self, why: str) -> None:
        """Starts no more trials and ends those that run."""


#: Called by the loop once each turn, on its thread: progress display, signals.
Watcher = Callable[[SweepState], None]
#: Called by the loop, on its thread, with each accepted trial and how its last attempt ended, before the next is asked.
#: Returns why the sweep ends with it, for a person; empty if it goes on. Must not raise.
OutcomeListener = Callable[[Result, Outcome], str]


def goes_on(_result: Result, _outcome: Outcome) -> str:
    """Listens to nothing."""
    return ""


@dataclass(frozen=True)
class Parts:
    """What the loop connects; it owns none of them."""

    asker: Asker
    pruner: Pruner | None
    executor: Executor
    journal: Journal
    publisher: Queue | None
    watch: Watcher
    published: deque[Sequence[int]] = field(default_factory=deque)
    reached: LifecycleListener = unheard
    accepted: OutcomeListener = goes_on
    door: Doorkeeper | None = None
