"""Events on their way to the loop, and the error that ends everything: attempts that have ended are reported before it.

Else their trials would count as running when the sweep stops, and resume would execute them again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sparkml_track.executors._base import Event

__all__ = ["Outbox"]


class Outbox:
    """Of one executor and its one thread.

    Attributes:
        events: to be handed out, the oldest first.
        error: the first that ``keep`` met.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: Exception | None = None

    def keep(self, step: Callable[..., None], *args: object) -> None:
        """Does a step, and keeps its error if it is the first."""
        try:
            step(*args)
        except Exception as error:
            self.error = self.error or error

    def collect(
        self, wait: Callable[[float], None], last: Callable[[], None], timeout: float | None, check: float
    ) -> Sequence[Event]:
        """What ``Executor.events`` returns.

        Args:
            wait: waits for events for so many seconds at most.
            last: takes what is there without waiting; done once an error is known.
            timeout: in seconds; None for no end.
            check: seconds of one wait at most.

        Raises:
            Exception: what ``wait`` or ``last`` raised; what was collected before is returned first.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not (self.events or self.error):
            left = check if until is None else until - time.monotonic()
            self.keep(wait, max(0.0, min(check, left)))
            if left <= 0:
                break
        if self.error is not None:
            self.keep(last)
            if not self.events:
                raise self.error
        events, self.events = self.events, []
        return events
