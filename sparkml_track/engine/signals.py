"""Ctrl-C and SIGTERM: the first ends the sweep in good order, the second quits at once, or gives a prompt back.

Who asks for the end by other means is heard too, and counts as Ctrl-C; the first signal after that is still the first.
"""

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
    """While entered on the main thread, keeps the first signal for ``caught``; on other threads no signal is heard.

    Attributes:
        caught: the signal's number, 0 if none came; that of Ctrl-C for a request.
    """

    def __init__(self) -> None:
        self.caught, self._count, self._requested = 0, 0, False
        self._sources: list[Callable[[], bool]] = []
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

    def listen_to(self, *asked: Callable[[], bool]) -> None:
        """Somebody may ask for the end by these too; they are called often."""
        self._sources += asked

    def look(self) -> None:
        """Notices who asked; each way counts once."""
        for asked in [asked for asked in self._sources if asked()]:
            self._sources.remove(asked)
            self._count += 1
            if not self.caught:
                self.caught, self._requested = signal.SIGINT, True

    def later(self) -> Callable[[], bool]:
        """Tells whether a signal or a request came after now."""
        before = self._count

        def came() -> bool:
            self.look()
            return self._count != before

        return came

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self.caught and not self._requested:
            if front_end() is not FrontEnd.SCRIPT:
                # A second one stops the waiting; what a person has in memory is worth more.
                raise KeyboardInterrupt
            os._exit(128 + number)
        self.caught, self._requested = number, False

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
