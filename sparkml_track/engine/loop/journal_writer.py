"""The journal as the loop writes it, and what may leave only once it is durable there: child runs.

A result goes to the tracking store after the journal has it on disk, so a driver that dies has published nothing
that its successor does not know.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import JournalRecord, Late, Published
from sparkml_track.engine.spec.lifecycle import Lifecycle, LifecycleListener, unheard
from sparkml_track.journals import Journal, Record
from sparkml_track.trackers import ChildRun

__all__ = ["JournalWriter"]

# Seconds between looks at a flush that is under way.
_LOOK = 0.02


class Queue(Protocol):
    """Takes child runs to be published."""

    def put(self, child: ChildRun) -> None:
        """Queues one."""


class JournalWriter:
    """Writes records in groups; one thread.

    A group is made durable ``journal.every`` seconds after the one before; results that come meanwhile share it. Where
    that takes long the loop goes on, and what the group holds is published once it is durable.

    Args:
        journal: of the sweep.
        publisher: is handed child runs, None for nobody.
        published: numbers of trials that the tracking store has as terminal, filled by the publisher's thread.
        reached: is called at each point of the sweep's life.
    """

    def __init__(
        self,
        journal: Journal,
        publisher: Queue | None,
        published: deque[Sequence[int]],
        reached: LifecycleListener = unheard,
    ) -> None:
        self._journal = journal
        self._publisher = publisher
        self._published = published
        self._reached = reached
        self._records: list[Record] = []
        self._held: list[ChildRun] = []
        self._leaving: list[ChildRun] = []
        self._flying = False
        self._dirty = False
        self._late = 0
        self._synced = time.monotonic()

    def record(self, record: JournalRecord) -> None:
        """Adds a record."""
        self._records.append(written(record))

    def hold(self, child: ChildRun) -> None:
        """Publishes a child run once all records so far are durable."""
        if self._publisher is not None:
            self._held.append(child)

    def wait(self, longest: float) -> float:
        """Seconds until a flush is due, at most ``longest``."""
        if self._flying:
            return min(longest, _LOOK)
        if not (self._records or self._dirty):
            return longest
        return max(0.0, min(longest, self._synced + self._journal.every - time.monotonic()))

    def write(self) -> None:
        """Passes records on to the journal, which keeps them until the next flush."""
        if self._records:
            records, self._records = self._records, []
            self._journal.append(records)
            self._dirty = True

    def turn(self) -> None:
        """Begins a flush if it is due, and hands over what one before made durable."""
        self.write()
        self._look()
        if self._dirty and not self._flying and time.monotonic() - self._synced >= self._journal.every:
            self._journal.begin_flush()
            self._leaving, self._held = self._held, []
            self._flying, self._dirty, self._synced = True, False, time.monotonic()
            self._look()

    def flush(self) -> None:
        """Makes everything durable, then hands over child runs."""
        self.write()
        if self._dirty or self._flying:
            self._journal.flush()
        self._dirty = self._flying = False
        self._synced = time.monotonic()
        self._leaving, self._held = [*self._leaving, *self._held], []
        self._hand_over()

    def _look(self) -> None:
        if self._flying and not self._journal.flushing():
            self._flying = False
            self._hand_over()

    def _hand_over(self) -> None:
        if self._leaving and self._publisher is not None:
            self._reached(Lifecycle.FLUSHED)
            for child in self._leaving:
                self._publisher.put(child)
        self._leaving = []

    def note_late(self, answers: int) -> None:
        """Writes down how many late answers were refused so far, if there are more: this driver may not end well."""
        if answers > self._late:
            self._late = answers
            self.record(Late(answers))

    def note_published(self) -> None:
        """Writes down which child runs the tracking store has."""
        while self._published:
            self.record(Published(tuple(self._published.popleft())))
        self.write()
