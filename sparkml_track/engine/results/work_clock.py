"""How long drivers worked at a sweep, by their own clocks, from its journal."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WorkClock"]


@dataclass
class WorkClock:
    """Adds up the spans from when a driver began to what it last did.

    Attributes:
        used: seconds of the spans that are over.
    """

    used: float = 0.0
    _began: float = 0.0
    _last: float = 0.0

    def begin(self, at: float) -> None:
        """The next driver began; 0 if it did no work."""
        self.stop()
        self._began = self._last = at

    def seen(self, at: float) -> None:
        """Something was done at this time."""
        self._last = max(self._last, at)

    def stop(self) -> None:
        """The driver does no more."""
        # Clocks may jump back between two drivers.
        self.used += max(0.0, self._last - self._began) if self._began else 0.0
        self._began = 0.0
