"""What was made of something, until that changes: read once for all who look at it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from sparkml_track.dashboards.stamps import Stamp

__all__ = ["Kept"]

_T = TypeVar("_T")


class Kept:
    """A few things that took a while, each with the stamp of what it was made of. Any thread.

    Two that ask for the same at once wait for one of them to make it.

    Args:
        most: how many are kept; the one not asked for the longest goes first.
    """

    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, tuple[Stamp, object]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, stamp: Stamp, make: Callable[[], _T]) -> _T:
        """What ``make`` gave for this stamp; whatever it raises is raised and not kept.

        Args:
            key: names it among what the same module makes: two modules do not know of each other's keys.
            stamp: of what it is made of.
            make: makes it.
        """
        key = (getattr(make, "__module__", ""), key)
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._found and self._found[key][0] == stamp:
                    self._found.move_to_end(key)
                    return cast("_T", self._found[key][1])
            made = self._made(key, make)
            with self._lock:
                self._found[key] = (stamp, made)
                self._found.move_to_end(key)
                while len(self._found) > self._most:
                    gone, _ = self._found.popitem(last=False)
                    self._making.pop(gone, None)
            return made

    def _made(self, key: Hashable, make: Callable[[], _T]) -> _T:
        try:
            return make()
        except BaseException:
            with self._lock:
                if key not in self._found:  # of which nobody would let go
                    self._making.pop(key, None)
            raise
