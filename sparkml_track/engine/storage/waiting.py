"""Waiting that a signal ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Hurried", "Hurry", "never", "patiently", "pause"]

T = TypeVar("T")
#: Whether whoever waits is to come to an end now.
Hurry = Callable[[], bool]

_LOOK = 0.1  # seconds between looks
_GRACE = 3.0  # seconds that a call has after the signal: one that does not hang needs less


class Hurried(Exception):
    """A call was given up, because its caller is in a hurry. It may still have an effect."""


def never() -> bool:
    """No hurry."""
    return False


def pause(seconds: float, hurry: Hurry) -> None:
    """Sleeps, at most until there is a hurry."""
    until = time.monotonic() + seconds
    while not hurry() and (left := until - time.monotonic()) > 0:
        time.sleep(min(_LOOK, left))


def patiently(call: Callable[[], T], hurry: Hurry) -> T:
    """Makes a call on a thread of its own, because a store that hangs would keep this one from hearing signals.

    Raises:
        Hurried: there was a hurry and the call did not end in the seconds it had then; its thread is left.
        Exception: as the call raises.
    """
    made = _Call(call)
    thread = threading.Thread(target=made.make, name="sparkml-ending", daemon=True)
    thread.start()
    while thread.is_alive() and not hurry():
        thread.join(_LOOK)
    thread.join(_GRACE)
    if thread.is_alive():
        raise Hurried
    if made.error is not None:
        raise made.error
    return made.answer[0]


class _Call(Generic[T]):
    """What a call gave."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self.answer: list[T] = []
        self.error: BaseException | None = None

    def make(self) -> None:
        try:
            self.answer.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            self.error = error
