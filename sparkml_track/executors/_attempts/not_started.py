"""Attempts that found no process to begin in: tried again for nothing, but neither at once nor without end."""

from __future__ import annotations

import time
from collections import deque

from sparkml_track.errors import ExecutorError
from sparkml_track.executors._base import Lost

__all__ = ["HOLD", "NotStarted"]

#: Attempts in a row that may find no process to begin in, and seconds from the first of them: both must be over,
#: since with many slots one bad moment loses many at once.
_NOT_BEGUN = 20
_NONE_BEGAN = 60.0
#: Seconds after which an attempt that did not begin is reported: it is submitted again at once.
HOLD = 1.0


class NotStarted:
    """Keeps such attempts back for a while, each in the room that it took, and counts them."""

    def __init__(self) -> None:
        self._held: deque[tuple[float, Lost]] = deque()
        self._row, self._since = 0, 0.0

    def __len__(self) -> int:
        return len(self._held)

    def began(self) -> None:
        """An attempt found a process."""
        self._row = 0

    def lost(self, attempt: str, why: str) -> None:
        """One found none.

        Raises:
            ExecutorError: too many in a row did not.
        """
        now = time.monotonic()
        self._since = self._since if self._row else now
        self._row += 1
        if self._row > _NOT_BEGUN and now - self._since > _NONE_BEGAN:
            raise ExecutorError(
                f"{self._row} attempts in a row could not begin; the last one: {why}; results so far are kept: let the "
                "hosts have more processes (ulimit -u, the limit of their containers), then resume the sweep"
            )
        self._held.append((now + HOLD, Lost(attempt, why, charged=False)))

    def wait(self, longest: float) -> float:
        """Seconds until the next one is due, at most ``longest``."""
        return max(0.0, min(longest, self._held[0][0] - time.monotonic())) if self._held else longest

    def due(self) -> list[Lost]:
        """Those that were kept back long enough."""
        due: list[Lost] = []
        while self._held and time.monotonic() >= self._held[0][0]:
            due.append(self._held.popleft()[1])
        return due
