"""A slow sampler on a thread of its own, so that reports and heartbeats do not wait for its proposals."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from sparkml_track.trial import Params

__all__ = ["Aside", "Pace"]

_log = logging.getLogger(__name__)
_LEAVE = 1.0  # seconds that ``close`` waits for a call under way; the thread dies with the process
_SOME = 20  # proposals, before a pace is judged


class Aside:
    """Makes calls one after the other, in the order they are given; at most one of them asks.

    An exception of a call is raised by the next method that is called here; the calls after it are not made.
    """

    def __init__(self) -> None:
        self.asking = False
        self.seconds = 0.0
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._answered = threading.Event()
        self._answer: tuple[int, Params | None] = (-1, None)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="sampler", daemon=True)
        self._thread.start()

    def call(self, call: Callable[[], None]) -> None:
        """Has a call made."""
        self.check()
        self._calls.put(call)

    def ask(self, number: int, propose: Callable[[int], Params | None]) -> None:
        """Has a proposal made; ``take`` gives it."""

        def answer() -> None:
            began = time.perf_counter()
            self._answer = (number, propose(number))
            self.seconds = time.perf_counter() - began
            self._answered.set()

        self.call(answer)
        self.asking = True

    def take(self) -> tuple[int, Params | None] | None:
        """The proposal with its number; None while it is being made."""
        self.check()
        if not self._answered.is_set():
            return None
        self.asking = False
        self._answered.clear()
        return self._answer

    def wait(self, seconds: float) -> None:
        """Returns when there is a proposal or an error, at the latest after so long."""
        self._answered.wait(seconds)

    def check(self) -> None:
        """Raises what a call raised."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Makes no more calls but those that were given."""
        self._calls.put(None)
        self._thread.join(_LEAVE)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 - raised again on the thread of the loop
                error.add_note("raised by the sampler, on a thread of its own")
                self._error = error
                self._answered.set()
                return


class Pace:
    """How long proposals take, and how often one is wanted; moving averages, in seconds.

    Attributes:
        ask: what a proposal takes.
        cycle: from one trial handed out to the next.
    """

    def __init__(self) -> None:
        self.ask = 0.0
        self.cycle = 0.0
        self._handed = 0
        self._last = 0.0
        self._warned = False

    def asked(self, seconds: float) -> None:
        """A proposal was made."""
        self.ask += 0.3 * (seconds - self.ask)

    def handed_out(self) -> None:
        """A trial was started."""
        now = time.perf_counter()
        if self._handed:
            gap = now - self._last
            self.cycle += max(0.1, 1 / self._handed) * (gap - self.cycle)
        self._last = now
        self._handed += 1

    def worth_asking_ahead(self, slots: int) -> bool:
        """Whether a slot would stand idle for a twentieth of its time if it waited for each proposal.

        Never with one slot: its next proposal is to know the last result.
        """
        return slots > 1 and self._handed >= slots and self.ask > 0.05 * self.cycle * slots

    def warn_if_slow(self) -> None:
        """Says once, in the log, that proposals are what the sweep waits for."""
        if self._warned or self._handed < _SOME or self.ask < 0.8 * self.cycle:
            return
        self._warned = True
        _log.warning(
            "the sampler cannot keep up: a proposal takes %.0f ms and slots could take one every %.0f ms, so they wait "
            "for it. Fewer slots (parallelism=...) or a quicker sampler ('random', 'quasi-random') lose nothing then",
            self.ask * 1000,
            self.cycle * 1000,
        )
