"""Values that the ranks of a gang give to each other; nobody here reads them."""

from __future__ import annotations

from collections.abc import Callable

from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.slot.attempt.context import GATHER_LIMIT
from sparkml_track.slot.wire.messages import Gather, Gathered

__all__ = ["Gathering"]


class Gathering:
    """Of one gang: a round is over when each rank has given its value.

    Args:
        attempts: ids of the ranks, in their order.
        send: sends a message, and what is behind it, to a rank.
    """

    def __init__(self, attempts: list[str], send: Callable[[str, Gathered, bytes], object]) -> None:
        self._attempts, self._send = attempts, send
        self._round = 1
        self._given: dict[str, bytes] = {}
        self._gone = ""

    def take(self, gather: Gather, value: bytes) -> None:
        """Takes what a rank gives; all get theirs once it was the last.

        Raises:
            BadMessage: it is too large, or of another round.
        """
        allowed = GATHER_LIMIT // len(self._attempts)
        if len(value) > allowed:
            raise BadMessage(f"a rank gave a value of {len(value):,} bytes to the others; allowed are {allowed:,}")
        if self._gone:
            self._send(gather.attempt, Gathered(gather.attempt, gather.number, [], self._gone), b"")
            return
        if gather.number != self._round or gather.attempt in self._given:
            raise BadMessage(f"a rank gave its value number {gather.number}; allowed is one in round {self._round}")
        self._given[gather.attempt] = value
        if len(self._given) == len(self._attempts):
            self._give()

    def _give(self) -> None:
        parts = [self._given[attempt] for attempt in self._attempts]
        sizes, number, blob = list(map(len, parts)), self._round, b"".join(parts)
        self._given, self._round = {}, self._round + 1
        for attempt in self._attempts:
            self._send(attempt, Gathered(attempt, number, sizes), blob)

    def ended(self, rank: int) -> None:
        """A rank has ended: the others wait for it in vain."""
        self._gone = self._gone or f"rank {rank} has ended, and gives nothing to the others any more"
        for attempt in self._given:
            self._send(attempt, Gathered(attempt, self._round, [], self._gone), b"")
        self._given = {}
