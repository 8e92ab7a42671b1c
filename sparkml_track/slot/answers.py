"""What the driver answers the attempt at work, handed to its process when that waits for it."""

from __future__ import annotations

from .children import Child
from .wire.messages import Answer, Gathered, Reply

__all__ = ["Answers"]


class Answers:
    """Of one attempt. The decision on a report waits here until it is asked for; others were asked for before."""

    def __init__(self) -> None:
        self._decision: Answer | None = None
        self._wanted: int | None = None

    def came(self, answer: Answer | Reply | Gathered, child: Child | None, blob: bytes = b"") -> None:
        """The driver answered."""
        if isinstance(answer, Answer):
            self._decision = answer
            self._give(child)
        elif child is not None:
            child.send(answer, blob)

    def wanted(self, number: int, child: Child) -> None:
        """The attempt waits for the decision on that report."""
        self._wanted = number
        self._give(child)

    def _give(self, child: Child | None) -> None:
        decision = self._decision
        if child is not None and decision is not None and decision.number == self._wanted:
            child.send(decision)
            self._wanted = None
