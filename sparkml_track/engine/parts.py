"""What the loop connects."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sparkml_track.engine.ask import Asker
from sparkml_track.engine.ledger import Moment, nothing
from sparkml_track.executors import Executor
from sparkml_track.journals import Journal
from sparkml_track.pruners import Pruner
from sparkml_track.trackers import ChildRun

if TYPE_CHECKING:
    from sparkml_track.engine.loop import Loop

__all__ = ["Parts", "Queue", "Watcher"]


class Queue(Protocol):
    """Takes child runs to be published."""

    @property
    def trouble(self) -> str:
        """What keeps it from publishing now, for a person; else empty."""

    def put(self, child: ChildRun) -> None:
        """Queues one."""

    def check(self) -> None:
        """Raises what ended it."""


class Watcher(Protocol):
    """Looks at the loop once each turn: progress display, signals."""

    def __call__(self, loop: Loop) -> None:
        """Looks."""


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
    moment: Moment = nothing
