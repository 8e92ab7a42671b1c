"""What ties the Spark jobs of an attempt on the driver to it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from typing_extensions import override

__all__ = ["NoScope", "Scope"]


class Scope(ABC):
    """Ties what a thread does in Spark to a key. Threads: ``enter`` in the attempt's, the others in the executor's."""

    @abstractmethod
    def enter(self, key: str) -> None:
        """From now on the Spark jobs of this thread are of ``key``."""

    @abstractmethod
    def cancel(self, key: str) -> None:
        """Ends the Spark jobs of ``key``; the objective sees them fail."""

    def check(self) -> None:  # noqa: B027  # nothing to look at is fine
        """Looks whether there still is a Spark application; called when an attempt failed.

        Raises:
            SlotsLost: it has ended, so that no attempt is to blame.
        """


class NoScope(Scope):
    """For objectives that do not use Spark."""

    @override
    def enter(self, key: str) -> None:
        pass

    @override
    def cancel(self, key: str) -> None:
        pass
