"""Workers between two sweeps: they keep their slots for a while, unless somebody else waits for one.

A thread looks after each fleet that stays: it hears of workers that went away, and lets all go when another Spark job
waits, when the time is over, when the application ends, and at the end of this process.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sparkml_track.executors._resident.fleet import Fleet

__all__ = ["Lot"]

#: Seconds between looks for others that wait for slots.
_LOOK = 0.05

#: Seconds that the end of a fleet is waited for.
_LONGEST_END = 5.0

_log = logging.getLogger(__name__)
Kind = TypeVar("Kind", bound=Hashable)


class Lot(Generic[Kind]):
    """The fleets that stay. Any thread."""

    def __init__(self) -> None:
        self._parked: dict[Kind, _Parked] = {}
        self._lock = threading.Lock()
        self._pid = 0

    def park(self, kind: Kind, fleet: Fleet) -> None:
        """Takes a fleet that ``Fleet.park`` has made ready; of two of a kind the newer one stays.

        Args:
            kind: who may have it.
            fleet: owned from now on.
        """
        with self._lock:
            if self._pid != os.getpid():  # also in a process that was forked from one with a lot
                self._pid, self._parked = os.getpid(), {}
                atexit.register(self.close)
            before, self._parked[kind] = self._parked.get(kind), _Parked(fleet)
        if before is not None:
            before.end()

    def take(self, kind: Kind) -> Fleet | None:
        """A fleet of this kind, with workers that wait for work; None if there is none."""
        with self._lock:
            parked = self._parked.pop(kind, None) if self._pid == os.getpid() else None
        return None if parked is None else parked.take()

    def close(self, which: Callable[[Kind], bool] = lambda _: True) -> None:
        """Lets those of some kinds go, by default of all."""
        with self._lock:
            kinds = [kind for kind in self._parked if self._pid == os.getpid() and which(kind)]
            going = [self._parked.pop(kind) for kind in kinds]
        for parked in going:
            parked.end()


class _Parked:
    """One fleet, and the thread that looks after it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet: Fleet | None = fleet
        self._until = time.monotonic() + fleet.limits.stay
        self._changed, self._ended = threading.Condition(), threading.Event()
        threading.Thread(target=self._look_after, name="sparkml-parked", daemon=True).start()

    def take(self) -> Fleet | None:
        with self._changed:
            fleet, self._fleet = self._fleet, None
            self._changed.notify()
        if fleet is None:
            self._ended.wait(_LONGEST_END)
            return None
        try:
            if fleet.wake():
                return fleet
        except Exception as error:  # whatever is wrong with it: there will be a new one
            _log.debug("workers that stayed are not fit: %s", error)
        except BaseException:
            _end(fleet)
            raise
        _end(fleet)
        return None

    def end(self) -> None:
        with self._changed:
            fleet, self._fleet = self._fleet, None
            self._changed.notify()
        if fleet is None:
            self._ended.wait(_LONGEST_END)
        else:
            _end(fleet)
            self._ended.set()

    def _look_after(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(_LOOK)
                if self._fleet is None:
                    return
                if self._is_wanted():
                    continue
                fleet, self._fleet = self._fleet, None
            _end(fleet)
            self._ended.set()
            return

    def _is_wanted(self) -> bool:
        assert self._fleet is not None
        try:
            self._fleet.look_after()
            others = self._fleet.launcher.others()
        except Exception as error:
            _log.debug("workers that stayed are lost: %s", error)
            return False
        if others.waiting or others.sweeps_waiting:
            _log.debug("workers that stayed make way for another Spark job")
            return False
        return time.monotonic() < self._until and bool(self._fleet.at_work)


def _end(fleet: Fleet) -> None:
    try:
        fleet.close()
    except Exception as error:
        _log.debug("workers that stayed could not be ended: %s", error)
