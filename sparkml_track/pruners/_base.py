"""The contract of pruners: decided in driver memory, report by report."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["Pruner"]


class Pruner(ABC):
    """Decides whether a trial should stop early.

    Ownership: one sweep. Threads: one thread at a time. Cost: a report costs at most tens of microseconds at
    10,000 trials; the state grows with trials x steps seen, bounded by one number for each.
    Steps may come late, twice (the first one counts) or never. Values are lower is better (the loop turns "maximize"
    round); nan counts as worst.
    Errors: none after construction; wrong settings raise ``SpecError`` there.
    """

    @abstractmethod
    def report(self, trial: int, step: int, value: float) -> bool:
        """Takes a report.

        Returns:
            Whether the trial should stop now.
        """

    @abstractmethod
    def ended(self, trial: int, finished: bool) -> None:
        """The trial ended; ``finished`` means neither pruned nor failed."""

    @abstractmethod
    def restarted(self, trial: int) -> None:
        """A new attempt begins: forget what the lost one reported."""
