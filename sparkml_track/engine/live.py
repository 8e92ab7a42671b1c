"""Trials that have not ended: of this driver, and of an earlier one."""

from __future__ import annotations

from dataclasses import dataclass, field

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
