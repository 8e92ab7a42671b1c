"""The contract of journals: what happened, before anything else learns of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Holder", "Journal", "Record", "SweepEntry"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        kind: one of ``schema.RECORDS``.
        body: JSON-able, keys are text; numbers that JSON lacks (nan, inf) are allowed. Tuples come back as lists.
    """

    kind: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Holder:
    """The driver that holds a sweep.

    Attributes:
        host: its host name, "?" where the lease cannot be read.
        pid: its process id there, 0 where the lease cannot be read.
        since: when it took the lease, seconds since the epoch.
    """

    host: str
    pid: int
    since: float


@dataclass(frozen=True, slots=True)
class SweepEntry:
    """One sweep that has a journal.

    Attributes:
        sweep: its id.
        epoch: how many drivers it had.
        holder: the live one; also one on another host whose heartbeat is fresh. None for nobody.
        modified: when something was last written, seconds since the epoch.
    """

    sweep: str
    epoch: int
    holder: Holder | None
    modified: float


class Journal(ABC):
    """The records of one sweep, in the order they were appended.

    Ownership: the one live driver of the sweep, which holds the lease (``LeaseHeld`` for a second one) from opening
    to ``close``; a dead driver's lease is taken over under the next epoch. A fork of the driver may not write.
    Threads: one thread at a time. Durability: ``append`` buffers; after ``flush`` returned, the records
    survive a killed process and, for members on disk, a lost machine power. Nothing is renamed or changed afterwards.
    Retries: an object store that is away is waited for, some minutes; else none. Once ``append`` or ``flush`` raised,
    every later call raises the same, and what an earlier ``flush`` acknowledged is kept. A driver that lost its lease
    learns it from ``flush``, before anything is acknowledged that its successor did not read.
    A torn tail is cut back to the last good record, with a warning; a damaged middle raises ``JournalError``.
    Errors: ``JournalError``, ``LeaseHeld``; nothing foreign.

    Attributes:
        sweep: the sweep id.
        epoch: counts the drivers this sweep had, from 1.
        durable: whether another process can open it later.
        repaired: what was cut back at opening, for a person; None for nothing.
        every: seconds for which records should be gathered before they are made durable together.
    """

    sweep: str
    epoch: int
    durable: bool
    repaired: str | None
    every: float = 0.05

    @abstractmethod
    def replay(self) -> Iterator[Record]:
        """All records that were there when the journal was opened, oldest first."""

    @abstractmethod
    def append(self, records: Sequence[Record]) -> None:
        """Adds records; durable after ``flush``. None of them is added if one cannot be written as JSON."""

    @abstractmethod
    def flush(self) -> None:
        """Makes what was appended durable; one fsync for the group."""

    def begin_flush(self) -> None:
        """Starts to make durable what was appended; a member whose storage is slow returns before it is.

        While a flush is under way, another is not begun.
        """
        self.flush()

    def flushing(self) -> bool:
        """Whether what was begun is still under way. Raises what ``flush`` would."""
        return False

    @property
    def asked_to_stop(self) -> bool:
        """Whether somebody asked this driver to end its sweep, by ``ask_to_stop``; seen within some seconds."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Flushes and gives the lease back, also when the flush raises. May be called twice."""
