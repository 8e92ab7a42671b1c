"""Which attempt is where: waiting on the driver, or at a slot, which runs the first of those it was given."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from typing_extensions import override

from sparkml_track.executors._attempts.messages import take_back
from sparkml_track.executors._attempts.outbox import Outbox
from sparkml_track.executors._attempts.payloads import Inputs
from sparkml_track.executors._base import Ended, Started
from sparkml_track.executors._resident.slot import Slot
from sparkml_track.slot.wire.messages import Gather, Meet, Message, Met
from sparkml_track.trial import Attempt, Outcome

__all__ = ["Assignment", "GangAssignment", "Ranks"]

#: Seconds that a trial takes up to which attempts wait at the slots, so that the way to the driver does not show.
_SHORT = 0.02


class Assignment:
    """Gives attempts to slots.

    Args:
        send: messages, each with what is behind it, to the worker that is in a slot.
        out: takes the events.
        inputs: makes the messages.
    """

    def __init__(
        self, send: Callable[[Slot, Sequence[tuple[Message, bytes]]], None], out: Outbox, inputs: Inputs
    ) -> None:
        self._send, self._out, self._inputs = send, out, inputs
        self._pending: deque[Attempt] = deque()
        self._place: dict[str, Slot] = {}
        self._mean = 1.0

    @property
    def waiting(self) -> int:
        """Attempts that no slot has."""
        return len(self._pending)

    def room(self, slots: int) -> int:
        """How many more attempts so many slots take."""
        return slots * self._depth() - len(self._place) - len(self._pending)

    def _depth(self) -> int:
        return 1 if self._mean > _SHORT else min(8, 2 + int(0.002 / max(self._mean, 1e-4)))

    def at(self, attempt: str) -> Slot | None:
        """Where it is, None if it is nowhere."""
        return self._place.get(attempt)

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Takes attempts."""
        self._pending += attempts

    def give(self, slots: Iterable[Slot]) -> None:
        """Gives out what waits, to those first that have least."""
        for slot in sorted((slot for slot in slots if slot.takes), key=lambda slot: len(slot.ahead)):
            if not self._pending:
                return
            self._fill(slot)

    def _fill(self, slot: Slot) -> None:
        room = min(len(self._pending), self._depth() - len(slot.ahead)) if slot.takes else 0
        if room <= 0:
            return
        idle, given = not slot.ahead, [self._pending.popleft() for _ in range(room)]
        slot.ahead += given
        self._place.update((attempt.id, slot) for attempt in given)
        self._send(slot, list(map(self._inputs.message, given)))
        if idle:
            self._begin(slot)

    def _begin(self, slot: Slot) -> None:
        if slot.ahead:
            self._out.events.append(Started(slot.ahead[0].id, slot.host, time.time()))

    def ended(self, slot: Slot, attempt: str, outcome: Outcome) -> None:
        """Reports how the attempt ended that was at this slot."""
        self._mean += 0.2 * (outcome.duration - self._mean)
        self._out.events.append(Ended(attempt, outcome))
        self.off(slot, attempt)

    def off(self, slot: Slot, attempt: str) -> None:
        """Takes an attempt off its slot, which begins the next."""
        del self._place[attempt]
        self._inputs.ended(attempt)
        if slot.ahead and slot.ahead[0].id == attempt:
            slot.ahead.popleft()
        else:
            slot.ahead = deque(each for each in slot.ahead if each.id != attempt)
        self._begin(slot)
        self._fill(slot)

    def lost(self, slot: Slot) -> list[Attempt]:
        """What a slot had, the first at work: it is nowhere now."""
        ahead, slot.ahead = slot.ahead, deque()
        for attempt in ahead:
            del self._place[attempt.id]
            self._inputs.ended(attempt.id)
        return list(ahead)

    def take_back(self, attempt: str, reason: str) -> None:
        """Ends an attempt that waits here."""
        self._out.events += take_back(self._pending, attempt, reason)


class Ranks(Protocol):
    """What hears of the ranks of gangs, while the executor takes messages."""

    def placed(self, ranks: Sequence[Attempt], hosts: Sequence[str]) -> None:
        """A gang has its slots; where it meets is asked for."""

    def met(self, met: Met) -> None:
        """Where it meets."""

    def gather(self, gather: Gather, value: bytes) -> None:
        """A rank gives a value to all.

        Raises:
            BadMessage: it cannot be.
        """


class GangAssignment(Assignment):
    """Gives attempts to slots by gangs: to as many free slots as a gang has ranks, at once, or to none.

    The oldest gang comes first, and nothing waits at a slot. What a slot is to run is sent by ``begin``.

    Args:
        size: ranks of each gang.
        ranks: hears of gangs that have their slots.
        send, out, inputs: as of ``Assignment``.
    """

    def __init__(
        self,
        size: int,
        ranks: Ranks,
        send: Callable[[Slot, Sequence[tuple[Message, bytes]]], None],
        out: Outbox,
        inputs: Inputs,
    ) -> None:
        super().__init__(send, out, inputs)
        self._size, self._ranks = size, ranks

    @override
    def room(self, slots: int) -> int:
        return slots // self._size - -(-(len(self._place) + len(self._pending)) // self._size)

    @override
    def give(self, slots: Iterable[Slot]) -> None:
        free = [slot for slot in slots if slot.takes and not slot.ahead]
        while len(self._pending) >= self._size and len(free) >= self._size:
            chosen = _close_together(free)[: self._size]
            free = [slot for slot in free if slot not in chosen]
            self._place_gang([self._pending.popleft() for _ in chosen], chosen)

    def _place_gang(self, ranks: list[Attempt], slots: list[Slot]) -> None:
        for attempt, slot in zip(ranks, slots, strict=True):
            slot.ahead.append(attempt)
            self._place[attempt.id] = slot
        self._send(slots[0], [(Meet(ranks[0].id), b"")])
        self._ranks.placed(ranks, [slot.host for slot in slots])

    def begin(self, attempt: Attempt, env: dict[str, object]) -> None:
        """Sends a rank to its slot, with what it is to find in its environment; to none if that was lost."""
        slot = self._place.get(attempt.id)
        if slot is not None:
            run, behind = self._inputs.message(attempt)
            self._send(slot, [(run._replace(env=env), behind)])

    def withdraw(self, attempt: str) -> Slot | None:
        """Takes a rank off that was not sent to its slot, or waits for one; the slot that it had."""
        self._pending = deque(each for each in self._pending if each.id != attempt)
        slot = self._place.get(attempt)
        if slot is not None:
            self.off(slot, attempt)
        return slot

    @override
    def _fill(self, slot: Slot) -> None:
        """One slot that is free is not enough."""

    @override
    def _begin(self, slot: Slot) -> None:
        """A gang begins with all of its ranks."""


def _close_together(slots: Sequence[Slot]) -> list[Slot]:
    """Those of one host one after the other, the host with most of them first."""
    count = Counter(slot.host for slot in slots)
    return sorted(slots, key=lambda slot: (-count[slot.host], slot.host, slot.number))
