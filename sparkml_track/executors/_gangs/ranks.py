"""The resident executor whose attempts are the ranks of gangs: each gang gets all of its slots at once."""

from __future__ import annotations

from typing_extensions import override

from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.executors._base import Event, Work
from sparkml_track.executors._resident.assignment import Assignment, GangAssignment, Ranks
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.slot import Slot
from sparkml_track.slot.wire import messages as wire
from sparkml_track.trial import Attempt

__all__ = ["RankExecutor"]


class RankExecutor(ResidentExecutor):
    """Executes ranks. They are submitted by gangs, and let begin when they know where they meet.

    Args:
        work: what all attempts share; ``gang`` ranks make one.
        fleet: the workers; owned from now on.
        ranks: hears of gangs that were placed, where they meet and what their ranks give to each other.
    """

    def __init__(self, work: Work, fleet: Fleet, ranks: Ranks) -> None:
        self._size, self._ranks = work.gang, ranks
        super().__init__(work, fleet)

    @override
    def _assigned(self) -> Assignment:
        self._gangs = GangAssignment(self._size, self._ranks, self._send, self._out, self._inputs)
        return self._gangs

    def put(self, event: Event) -> None:
        """Hands out an event with the others."""
        self._out.events.append(event)

    def begin(self, rank: Attempt, env: dict[str, object]) -> None:
        """Lets a rank begin whose gang was placed."""
        self._gangs.begin(rank, env)

    def withdraw(self, rank: str) -> None:
        """Takes back a rank that was not let begin; nothing is reported of it."""
        slot = self._gangs.withdraw(rank)
        if slot is not None:
            self._freed(slot)

    @override
    def _hear(self, slot: Slot, message: wire.Message, blob: bytes) -> None:
        if not isinstance(message, wire.Met | wire.Gather):
            super()._hear(slot, message, blob)
        elif self._assignment.at(message.attempt) is slot:  # else it was withdrawn, or has ended
            self._hear_rank(slot, message, blob)

    def _hear_rank(self, slot: Slot, message: wire.Met | wire.Gather, blob: bytes) -> None:
        try:
            if isinstance(message, wire.Met):
                self._ranks.met(message)
            else:
                self._ranks.gather(message, blob)
        except BadMessage as error:
            self._refuse_attempt(slot, message.attempt, error)
