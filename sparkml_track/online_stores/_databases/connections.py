"""Connections that threads take and give back, so that no two use one at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

__all__ = ["Closable", "Connections"]


class Closable(Protocol):
    """What a connection has."""

    def close(self) -> None:
        """Ends it."""


C = TypeVar("C", bound=Closable)


class Connections(Generic[C]):
    """As many connections as threads were busy at one time.

    Args:
        connect: makes one.
    """

    def __init__(self, connect: Callable[[], C]) -> None:
        self._connect = connect
        self._free: list[C] = []
        # Kept alive in a forked child, where nobody may use or close what is the parent's.
        self._parents: list[list[C]] = []
        _all.add(self)

    @contextmanager
    def take(self) -> Iterator[C]:
        """A connection for the block; one whose block raised is closed."""
        try:
            one = self._free.pop()
        except IndexError:
            one = self._connect()
        try:
            yield one
        except BaseException:
            with suppress(Exception):
                one.close()
            raise
        self._free.append(one)

    def close(self) -> None:
        """Closes those that nobody has; may be called twice."""
        while self._free:
            self._free.pop().close()

    def forked(self) -> None:
        """Begins anew in a child process."""
        self._parents.append(self._free)
        self._free = []


_all: WeakSet[Connections[Any]] = WeakSet()


def _forked() -> None:
    for each in list(_all):
        each.forked()


os.register_at_fork(after_in_child=_forked)
