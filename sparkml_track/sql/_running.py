"""A query in a thread of its own, so that Ctrl-C and a timeout reach it while a foreign library computes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from sparkml_track.errors import QueryError

__all__ = ["interruptible"]

Given = TypeVar("Given")
# Between two looks at signals: a longer wait lets Ctrl-C through only where it wakes the thread that waits.
_LOOK = 0.5


class _Outcome(Generic[Given]):
    value: Given
    error: BaseException | None = None


def interruptible(work: Callable[[], Given], interrupt: Callable[[], None], timeout: float | None) -> Given:
    """Runs ``work`` and gives what it gives.

    Args:
        work: called once, in another thread.
        interrupt: makes ``work`` end soon; called again until it has.
        timeout: seconds; None for no bound.

    Raises:
        QueryError: it took longer.
        KeyboardInterrupt: Ctrl-C, once ``work`` has ended.
    """
    outcome, done = _Outcome[Given](), threading.Event()

    def run() -> None:
        try:
            outcome.value = work()
        except BaseException as error:  # noqa: BLE001  # raised again where the caller waits
            outcome.error = error
        finally:
            done.set()

    threading.Thread(target=run, name="sparkml-query", daemon=True).start()
    try:
        late = not _wait(done, timeout)
    except BaseException:
        _end(done, interrupt)
        raise
    if late:
        _end(done, interrupt)
        raise QueryError(
            f"the query took longer than its timeout of {timeout:g} s and was interrupted; give it more time, or ask "
            "for less"
        )
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _wait(done: threading.Event, timeout: float | None) -> bool:
    until = time.monotonic() + (math.inf if timeout is None else timeout)
    while not done.wait(min(_LOOK, max(0.0, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
    return True


def _end(done: threading.Event, interrupt: Callable[[], None]) -> None:
    # An interrupt that comes before the query has begun is lost on it. Of a second Ctrl-C there is nothing to end: what
    # runs holds what the caller would close.
    ended = False
    while not ended:
        with suppress(KeyboardInterrupt):
            interrupt()
            ended = done.wait(_LOOK)
