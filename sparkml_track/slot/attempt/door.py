"""An attempt's line to the front door that its sweep came through: questions, and replies from the driver."""

from __future__ import annotations

from typing import Protocol

__all__ = ["LONGEST", "Door", "DoorLink", "NoReply", "Pruned"]

#: Characters of a question.
LONGEST = 1 << 20


class DoorLink(Protocol):
    """How questions get to the driver."""

    def question(self, number: int, body: str, waits: bool) -> str:
        """Sends question ``number`` of an attempt; gives the reply, nothing at once if it is not to wait."""

    def hold(self) -> None:
        """Sends the next report together with what comes after it; may do nothing."""


class Pruned(Exception):
    """The front door's own way of pruning: the trial counts as pruned."""


class NoReply(RuntimeError):
    """Nobody replies to the attempts of this sweep."""


class Door:
    """The line of one attempt. Threads: one.

    Attributes:
        along: what the front door gave along with the attempt.
    """

    def __init__(self, along: object, link: DoorLink) -> None:
        self.along = along
        self._link = link
        self._count = 0

    def note(self, body: str) -> None:
        """Sends text, and does not wait.

        Raises:
            ValueError: it is too long.
        """
        self._send(body, waits=False)

    def ask(self, body: str) -> str:
        """Sends text and waits for the reply.

        Raises:
            ValueError: it is too long.
            NoReply: the sweep did not come through a front door.
        """
        reply = self._send(body, waits=True)
        if not reply:
            raise NoReply("this sweep has no front door that replies")
        return reply

    def hold(self) -> None:
        """The next report is sent together with what is sent after it, which is about to come."""
        self._link.hold()

    @staticmethod
    def prune(message: str) -> None:
        """Ends the attempt as pruned.

        Raises:
            Pruned: always.
        """
        raise Pruned(message)

    def _send(self, body: str, *, waits: bool) -> str:
        if len(body) > LONGEST:
            raise ValueError(f"a question has {len(body):,} characters; allowed are {LONGEST:,}")
        self._count += 1
        return self._link.question(self._count, body, waits)
