"""What a dead child left running in processes of its own: ended, but for those that clean up after it.

Python and loky start a resource tracker beside a process that uses semaphores or shared memory. When all that wrote to
its pipe are gone it removes what they left under /dev/shm and goes; killed with them, it would leave all of that.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress

__all__ = ["Strays", "end_process", "wait_for"]

#: Seconds that a killed process has to go; one that is traced may stay.
LONGEST_WAIT = 1.0
#: Seconds that a resource tracker has, from when it is alone.
_TRACKER = 5.0
#: Whether the system says what comes to the nearest reaper; elsewhere process groups have to do.
_SEEN = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


class Strays:
    """Of one process, which is the reaper of what its children leave."""

    def __init__(self) -> None:
        self._trackers: dict[int, float] = {}

    def end(self, ours: Collection[int]) -> None:
        """Ends what came to us, and what comes when that ends.

        A living child is the reaper of its own descendants, so what is here without being a child was left.

        Args:
            ours: children, which are not strays.
        """
        killed: set[int] = set()
        while strays := _children() - set(ours) - killed - self._trackers.keys():
            for pid in strays:
                if _is_tracker(pid):
                    self._trackers[pid] = time.monotonic() + _TRACKER
                    continue
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    # Never waits long: one that is traced stays until its tracer lets it go. It is reaped later.
                    wait_for(lambda pid=pid: os.waitpid(pid, os.WNOHANG)[0] != 0)  # type: ignore[misc]
            killed |= strays

    def reaped(self, pid: int) -> None:
        """It is gone, and its id may be another's."""
        self._trackers.pop(pid, None)

    def end_overdue(self) -> None:
        """Ends trackers that had time enough."""
        now = time.monotonic()
        for pid in [pid for pid, until in self._trackers.items() if now > until]:
            del self._trackers[pid]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end_process(pid: int) -> None:
    """Ends a child; what it leaves comes to us, or ends with its group where nobody would say."""
    for kill in (os.kill,) if _SEEN else (os.killpg, os.kill):  # the group may not be there yet
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def wait_for(done: Callable[[], bool]) -> None:
    """Waits until it is done, for ``LONGEST_WAIT`` seconds at most."""
    until = time.monotonic() + LONGEST_WAIT
    while not done() and time.monotonic() < until:
        time.sleep(0.001)


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return set(map(int, file.read().split()))
    except OSError:
        return set()


def _is_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"resource_tracker" in file.read(1 << 16)
    except OSError:
        return False
