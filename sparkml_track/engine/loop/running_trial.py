"""Trials that have not ended: of this driver, and of an earlier one."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from sparkml_track.executors import Lost
from sparkml_track.trial import Attempt, Report, Trial, Unit

__all__ = ["Again", "Live"]


@dataclass
class Live:
    """A trial that has not ended."""

    trial: Trial
    attempt: Attempt
    started: float = 0.0
    clock: float = 0.0
    charged: int = 0
    attempts: int = 1
    host: str = ""
    shown: bool = False
    pruned: bool = False
    reports: list[Report] = field(default_factory=list)
    losses: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def lost(self, event: Lost) -> dict[str, object]:
        """Takes the loss of its attempt; what the journal is to have of it."""
        now = time.time()
        self.charged += event.charged
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
        where = f" on {self.host}" if self.host else ""
        self.losses.append(f"attempt {self.attempt.number} was lost{where} at {when} UTC: {event.message}")
        return {"a": event.attempt, "why": event.message, "charged": event.charged, "host": self.host, "t": now}

    def told(self, log: str) -> str:
        """The log of the child run: what became of earlier attempts, then that of the last one."""
        return "\n".join([*self.losses, log]).strip() if self.losses else log


@dataclass(frozen=True, slots=True)
class Again:
    """A trial of an earlier driver that is executed again.

    Attributes:
        trial: as it was asked.
        attempts: how many there were.
        charged: losses of them that count against it.
    """

    trial: Trial
    attempts: int
    charged: int

    def next(self, timeout: float | None) -> Live:
        """The next attempt at it."""
        number = self.attempts + 1
        attempt = Attempt(self.trial, Unit(self.trial.number), number, timeout)
        return Live(self.trial, attempt, charged=self.charged, attempts=number)
