"""Where the bytes of one sweep's journal lie. Internal: a new place for journals is a new member of this.

Names are those of segments, ``<number>-e<epoch>.seg``: both count from 1, in decimal, with at least 8 and 4 digits.

Two kinds of places:

- files grow: the driver that created a segment appends each group to it and makes it durable, up to ``SEGMENT_BYTES``;
- objects do not (S3 with If-None-Match, GCS with ifGenerationMatch=0, ABFS): each flush is one more whole segment,
  with a header of its own, put if absent. Segments are then as small as a flush; nothing else differs, because the
  header of each says which one it follows. The lease is put if absent too, as ``e0003.lease``; its heartbeat is
  another small object that is put again, since an object's time cannot be touched, and giving it back puts
  ``e0003.released``. Who asks for the end of the sweep puts ``e0003.stop``, in both kinds of places.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["SEGMENT_BYTES", "Lease", "SegmentName", "Store"]

# A segment is read whole, so this bounds the memory of a replay.
SEGMENT_BYTES = 8 << 20

_NAME = re.compile(r"(\d{8,})-e(\d{4,})\.seg")


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """Orders as the segments were made: a later epoch is newer whatever the number."""

    epoch: int
    number: int

    def __str__(self) -> str:
        return f"{self.number:08d}-e{self.epoch:04d}.seg"

    @classmethod
    def parse(cls, name: str) -> SegmentName | None:
        """None for what is not a segment."""
        found = _NAME.fullmatch(name)
        return cls(int(found[2]), int(found[1])) if found else None


class Store(ABC):
    """Segments as bytes.

    Threads: one at a time. Errors: ``JournalError``, nothing foreign.

    Attributes:
        grows: whether ``grow`` works; else each flush is a ``create``.
        quick: whether a flush takes a few milliseconds at most.
        place: for messages.
    """

    grows: bool
    quick: bool = True
    place: str

    @abstractmethod
    def names(self) -> Sequence[SegmentName]:
        """All segments, in any order."""

    @abstractmethod
    def read(self, name: SegmentName, limit: int | None = None, start: int = 0) -> bytes:
        """A segment from byte ``start`` on, or ``limit`` bytes from there; fewer if it has fewer."""

    @abstractmethod
    def create(self, name: SegmentName, data: bytes) -> None:
        """Makes a segment, durable on return. Raises if there is one of that name; overwrites nothing."""

    @abstractmethod
    def grow(self, data: bytes) -> None:
        """Appends to the segment this store created last, durable on return."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the open segment. May be called twice."""


class Lease(ABC):
    """The right to write, held.

    Attributes:
        epoch: of the driver that holds it.
        asked_to_stop: whether somebody asked this driver to end its sweep; seen within some seconds.
    """

    epoch: int
    asked_to_stop: bool = False

    @abstractmethod
    def check(self) -> None:
        """Raises ``LeaseHeld`` if a newer epoch has taken over, ``JournalError`` if the lease cannot be kept alive."""

    @abstractmethod
    def release(self) -> None:
        """Gives it back. May be called twice; never raises. Not to be called in a fork of the driver."""
