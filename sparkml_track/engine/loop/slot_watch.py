"""How many slots there are: what a person reads when trials wait for one, and how long slots had nothing to do."""

from __future__ import annotations

import time

__all__ = ["SlotWatch"]

#: Seconds without a slot that nobody needs to know of: workers take some to start.
PATIENT = 10.0


class SlotWatch:
    """How many slots there are, since when there are none, and what they did not use.

    Args:
        giver: who gives them, for a person.
        each: how many an attempt takes.

    Attributes:
        before: slot seconds that were idle under earlier drivers.
        there: how many there are now.
        each: how many an attempt takes.
    """

    def __init__(self, giver: str, each: int = 1) -> None:
        self._giver, self.each = giver, each
        self.there = 0
        self._had = False
        self._since = self._counted = time.monotonic()
        self._there_for = self._worked = self.before = 0.0

    @property
    def idle(self) -> float:
        """Slot seconds so far in which no attempt ran whose outcome was accepted, those of earlier drivers among them.

        A slot counts while it can take attempts. What attempts took that were lost is idle: nobody knows how long they
        worked.
        """
        self._count()
        return self.before + max(0.0, self._there_for - self._worked)

    def worked(self, seconds: float) -> None:
        """Takes how long an accepted attempt was in its slots."""
        self._worked += seconds * self.each

    def _count(self) -> None:
        now = time.monotonic()
        self._there_for += self.there * (now - self._counted)
        self._counted = now

    def changed(self, slots: int) -> None:
        """Takes how many there are now."""
        self._count()
        if self.there and not slots:
            self._since = time.monotonic()
        self.there, self._had = slots, self._had or slots > 0

    def note(self, waiting: int) -> str:
        """What to say while ``waiting`` trials have no slot; empty while there are slots, and in the first seconds."""
        seconds = time.monotonic() - self._since
        if self.there or not waiting or seconds < PATIENT:
            return ""
        if self._had:
            return f"no slot is left, waiting for {self._giver} to give new ones ({seconds:.0f} s)"
        return (
            f"waiting for {self._giver} to give slots ({seconds:.0f} s); other work may have them, or it has too few "
            "cores: see its UI"
        )
