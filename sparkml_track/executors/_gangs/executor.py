"""Gangs: an attempt is as many processes as it has ranks, each in a slot, and has one end.

A rank that is lost, dies, raises or is over its time ends the others, and what comes of it is that of the attempt: the
loop tries it again as a whole, or records it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.executors._base import (
    Capabilities,
    Ended,
    Event,
    Executor,
    Lost,
    Questioned,
    SlotsChanged,
    Started,
    Work,
)
from sparkml_track.executors._gangs.gang import PORT_TAKEN, Gang
from sparkml_track.executors._gangs.ranks import RankExecutor
from sparkml_track.executors._gangs.torchrun import environments
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.slot.wire.messages import Gather, Met
from sparkml_track.trial import Attempt, Unit

__all__ = ["GangExecutor", "open_resident"]

#: Times that an attempt of a unit may find its port taken, after which that counts as its own fault.
_TAKEN = 3
#: Seconds of one wait at most.
_CHECK = 0.25


def open_resident(work: Work, fleet: Fleet) -> Executor:
    """Opens the executor for attempts of one process, or of several."""
    return ResidentExecutor(work, fleet) if work.gang == 1 else GangExecutor(work, fleet)


class GangExecutor(Executor):
    """See the module and ``Executor``. Reports, questions and what is logged are those of rank 0.

    Args:
        work: what all attempts share.
        fleet: the workers; owned from now on.

    Raises:
        PreflightError: a gang needs more slots than there can be.
    """

    name = "resident"
    capabilities = Capabilities(kills=True, streams=True, isolates=True, gangs=True)

    def __init__(self, work: Work, fleet: Fleet) -> None:
        self._size = work.gang
        self._gangs: dict[str, Gang] = {}
        self._of: dict[str, tuple[Gang, int]] = {}
        self._taken: Counter[Unit] = Counter()
        self._out: list[Event] = []
        self._ranks = RankExecutor(work, fleet, self)

    @property
    @override
    def stale(self) -> int:  # type: ignore[override]  # late answers of ranks
        return self._ranks.stale

    @property
    @override
    def slots(self) -> int:
        return max(1, self._ranks.slots // self._size)

    @property
    @override
    def room(self) -> int:
        return self.slots - len(self._gangs)

    @override
    def submit(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            gang = self._gangs[attempt.id] = Gang.of(attempt, self._size, self._ranks.pass_on)
            self._of.update((rank.id, (gang, rank.rank)) for rank in gang.ranks)
            self._ranks.submit(*gang.ranks)

    @override
    def events(self, timeout: float | None = None) -> Sequence[Event]:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            now = time.monotonic()
            left = _CHECK if until is None else max(0.0, min(_CHECK, until - now))
            for event in self._ranks.events(left):
                self._take(event)
            self._look()
            if self._out or (until is not None and time.monotonic() >= until):
                events, self._out = self._out, []
                return events

    @override
    def answer(self, attempt: str, index: int, stop: bool) -> None:
        self._ranks.answer(attempt, index, stop)

    @override
    def reply(self, attempt: str, number: int, body: str) -> None:
        self._ranks.reply(attempt, number, body)

    @override
    def stop(self, attempt: str, reason: str) -> None:
        gang = self._gangs.get(attempt)
        if gang is not None:
            gang.stopped = gang.stopped or reason
            self._end_others(gang)

    @override
    def close(self) -> None:
        self._ranks.close()

    # -- what the ranks are heard by, while the executor of the ranks takes messages

    def placed(self, ranks: Sequence[Attempt], hosts: Sequence[str]) -> None:
        """See ``Ranks``."""
        self._of[ranks[0].id][0].hosts = hosts

    def met(self, met: Met) -> None:
        """See ``Ranks``: the gang begins."""
        gang, rank = self._of[met.attempt]
        if rank or gang.begun:
            raise BadMessage("it says where a gang meets; allowed is that before it begins")
        gang.begun = True
        self._ranks.put(Started(gang.attempt.id, gang.host, time.time()))
        found = environments(gang.ranks, gang.hosts, met.address, met.port)
        for attempt, env in zip(gang.ranks, found, strict=True):
            self._ranks.begin(attempt, env)

    def gather(self, gather: Gather, value: bytes) -> None:
        """See ``Ranks``."""
        self._of[gather.attempt][0].gathering.take(gather, value)

    # -- the ends of ranks

    def _take(self, event: Event) -> None:
        if isinstance(event, SlotsChanged):
            self._out.append(event)
            return
        found = self._of.get(event.attempt)
        if found is None:
            return
        gang, rank = found
        if isinstance(event, Ended | Lost):
            if gang.take(rank, event):
                self._end_others(gang)
            self._finish(gang)
        elif rank == 0:
            self._out.append(event)
        elif isinstance(event, Questioned) and event.waits:
            self._ranks.reply(event.attempt, event.number, "")  # front doors speak with the first

    def _look(self) -> None:
        """Ranks that raised some time ago, while no other end has come that would explain it."""
        now = time.monotonic()
        for gang in [gang for gang in self._gangs.values() if gang.due is not None and now >= gang.due]:
            self._end_others(gang)

    def _end_others(self, gang: Gang) -> None:
        """Ends those that have not ended; of a gang that did not begin nothing is left then."""
        if gang.killing:
            return
        gang.killing = True
        for rank in gang.left:
            if gang.begun:
                self._ranks.stop(rank.id, "cancelled")
            else:
                self._ranks.withdraw(rank.id)
        self._finish(gang)

    def _finish(self, gang: Gang) -> None:
        if gang.attempt.id not in self._gangs or (gang.begun and gang.left):
            return
        if not (gang.begun or gang.killing):
            return
        del self._gangs[gang.attempt.id]
        for rank in gang.ranks:
            del self._of[rank.id]
        end = gang.verdict(again=self._taken[gang.attempt.unit] < _TAKEN)
        if isinstance(end, Lost) and end.message == PORT_TAKEN:
            self._taken[gang.attempt.unit] += 1
        self._out.append(end)
