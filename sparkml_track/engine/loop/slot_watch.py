"""What a person reads when trials wait because there are no slots."""

from __future__ import annotations

import time

__all__ = ["SlotWatch"]

#: Seconds without a slot that nobody needs to know of: workers take some to start.
PATIENT = 10.0


class SlotWatch:
    """How many slots there are, and since when there are none.

    Args:
        giver: who gives them, for a person.
    """

    def __init__(self, giver: str) -> None:
        self._giver = giver
        self._there = 0
        self._had = False
        self._since = time.monotonic()

    def changed(self, slots: int) -> None:
        """Takes how many there are now."""
        if self._there and not slots:
            self._since = time.monotonic()
        self._there, self._had = slots, self._had or slots > 0

    def note(self, waiting: int) -> str:
        """What to say while ``waiting`` trials have no slot; empty while there are slots, and in the first seconds."""
        seconds = time.monotonic() - self._since
        if self._there or not waiting or seconds < PATIENT:
            return ""
        if self._had:
            return f"no slot is left, waiting for {self._giver} to give new ones ({seconds:.0f} s)"
        return (
            f"waiting for {self._giver} to give slots ({seconds:.0f} s); other work may have them, or it has too few "
            "cores: see its UI"
        )
