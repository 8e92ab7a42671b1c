"""What time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What time it is; another one in tests."""

    def now(self) -> datetime:
        """The date and time, in UTC."""

    def seconds(self) -> float:
        """Of a clock that does not go back."""


class SystemClock:
    """That of this machine."""

    def now(self) -> datetime:
        """The date and time, in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Of the clock of this boot, that stands still while the machine sleeps."""
        return time.monotonic()
