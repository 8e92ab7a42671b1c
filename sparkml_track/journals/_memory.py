"""The in-process twin: a journal over a dictionary, with whole small segments as an object store would have them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.journals._base import Holder
from sparkml_track.journals._follow import Appended, Place, follow
from sparkml_track.journals._held import held_message
from sparkml_track.journals._segments import SegmentJournal
from sparkml_track.journals._store import Lease, SegmentName, Store

__all__ = ["MemoryHome", "follow_memory", "open_memory"]


@dataclass(slots=True)
class _Sweep:
    segments: dict[SegmentName, bytes] = field(default_factory=dict)
    holder: Holder | None = None  # the last one
    live: bool = False
    epoch: int = 0


class MemoryHome:
    """Where journals in memory lie; they can be opened again for as long as it lives.

    Attributes:
        sweeps: by sweep id.
    """

    def __init__(self) -> None:
        self.sweeps: dict[str, _Sweep] = {}

    def abandon(self, sweep: str) -> None:
        """Lets the sweep look as if its driver had died."""
        self.sweeps[sweep].live = False


def open_memory(sweep: str, home: MemoryHome | None = None) -> SegmentJournal:
    """Opens a journal in memory.

    Args:
        sweep: the sweep id.
        home: None for one of its own, which nobody can open again.

    Raises:
        LeaseHeld: an open journal has this sweep.
    """
    state = (MemoryHome() if home is None else home).sweeps.setdefault(sweep, _Sweep())
    return SegmentJournal(sweep, _MemoryStore(state), _MemoryLease(sweep, state), durable=False)


def follow_memory(sweep: str, home: MemoryHome, since: Place | None) -> Iterator[Appended]:
    """What was appended after a place, without the lease."""
    return follow(_MemoryStore(home.sweeps[sweep]), sweep, since)


class _MemoryStore(Store):
    """Puts each flush as one object."""

    grows = False
    place = "memory"

    def __init__(self, state: _Sweep) -> None:
        self._segments = state.segments

    def names(self) -> Sequence[SegmentName]:
        return list(self._segments)

    def read(self, name: SegmentName, limit: int | None = None, start: int = 0) -> bytes:
        if name not in self._segments:
            raise JournalError(f"the journal is damaged: segment {name} is missing")
        return self._segments[name][start : None if limit is None else start + limit]

    def create(self, name: SegmentName, data: bytes) -> None:
        if self._segments.setdefault(name, data) is not data:
            raise JournalError(f"segment {name} is there already; another driver wrote it")

    def grow(self, data: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass


class _MemoryLease(Lease):
    """Held by an object of this process."""

    def __init__(self, sweep: str, state: _Sweep) -> None:
        if state.live and state.holder:
            raise LeaseHeld(held_message(sweep, state.holder, state.epoch))
        state.epoch, state.live = state.epoch + 1, True
        state.holder = Holder(socket.gethostname(), os.getpid(), time.time())
        self.epoch, self._sweep, self._state = state.epoch, sweep, state

    def check(self) -> None:
        if self._state.epoch != self.epoch and self._state.holder:
            raise LeaseHeld(held_message(self._sweep, self._state.holder, self._state.epoch))

    def release(self) -> None:
        if self._state.epoch == self.epoch:
            self._state.live = False
