"""The contract of journals: what happened, before anything else learns of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Journal", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        kind: one of ``schema.RECORDS``.
        body: JSON-able; numbers that JSON lacks (nan, inf) are allowed.
    """

    kind: str
    body: Mapping[str, object]


class Journal(ABC):
    """The records of one sweep, in the order they were appended.

    Ownership: the one live driver of the sweep, which holds the lease (``LeaseHeld`` for a second one) from opening
    to ``close``. Threads: one thread at a time. Durability: ``append`` buffers; after ``flush`` returned, the records
    survive a killed process and, for members on disk, a lost machine power. Nothing is renamed or changed afterwards.
    A torn tail is cut back to the last good record, with a warning; a damaged middle raises ``JournalError``.
    Errors: ``JournalError``, ``LeaseHeld``.

    Attributes:
        sweep: the sweep id.
        epoch: counts the drivers this sweep had, from 1.
    """

    sweep: str
    epoch: int

    @abstractmethod
    def replay(self) -> Iterator[Record]:
        """All records that were there when the journal was opened, oldest first."""

    @abstractmethod
    def append(self, records: Sequence[Record]) -> None:
        """Adds records; durable after ``flush``."""

    @abstractmethod
    def flush(self) -> None:
        """Makes what was appended durable; one fsync for the group."""

    @abstractmethod
    def close(self) -> None:
        """Flushes and gives the lease back. May be called twice."""
