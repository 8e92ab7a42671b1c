"""Ctrl-C and SIGTERM: the first ends the sweep in good order, the second quits at once, or gives a prompt back."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from sparkml_track.adapters.notebooks.front_end import FrontEnd, front_end

__all__ = ["Interrupts"]

Handler = Callable[[int, FrameType | None], object] | int | None


class Interrupts:
    """While entered on the main thread, keeps the first signal for ``caught``; on other threads it does nothing.

    Attributes:
        caught: the signal's number, 0 if none came.
    """

    def __init__(self) -> None:
        self.caught, self._requested = 0, False
        self._before: dict[int, Handler] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @property
    def name(self) -> str:
        """Of the signal, for a person; empty if none came."""
        if not self.caught:
            return ""
        if self._requested:
            return "a request to stop"
        return "Ctrl-C" if self.caught == signal.SIGINT else signal.Signals(self.caught).name

    def request(self) -> None:
        """Somebody asked for the end by other means: as Ctrl-C."""
        if not self.caught:
            self.caught, self._requested = signal.SIGINT, True

    def later(self) -> Callable[[], bool]:
        """Tells whether a first signal came after now."""
        before = self.caught
        return lambda: self.caught != before

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if self.caught:
            if front_end() is not FrontEnd.SCRIPT:
                # A second one stops the waiting; what a person has in memory is worth more.
                raise KeyboardInterrupt
            os._exit(128 + number)
        self.caught = number

    def raise_if_caught(self) -> None:
        """Goes on as the signal would have.

        Raises:
            KeyboardInterrupt: for Ctrl-C.
            SystemExit: 143, for SIGTERM.
        """
        if self.caught == signal.SIGINT:
            raise KeyboardInterrupt
        if self.caught:
            raise SystemExit(128 + self.caught)
