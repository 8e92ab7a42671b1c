"""What an attempt took of its host: processor time, and how much memory its process had at its peak."""

from __future__ import annotations

import os
import resource
import sys
import time

__all__ = ["Meter", "thread_usage"]

_PEAK = "/proc/self/clear_refs"
_FORGET_PEAK = b"5"  # proc(5): VmHWM begins anew at what the process has now
_SLACK = 4 << 20  # the kernel counts pages in two ways, which differ a little
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


class Meter:
    """Measures one attempt after the other in a process of their own; about 10 us for each."""

    def __init__(self) -> None:
        # A process that came by exec still has the peak of the one before, beside which its own does not show.
        self._inherits = _forget_peak() and _own_peak() + _SLACK < _used().ru_maxrss * _UNIT

    def begin(self) -> None:
        """An attempt begins."""
        self._anew = _forget_peak()
        self._before = _used()
        self._children = _children_seconds()

    def end(self) -> list[object]:
        """It has ended: its seconds of processors, with child processes that have ended; and bytes at the peak.

        The peak is that of the process, with what the template had imported. Where the kernel does not let it begin
        anew, it is known only of an attempt that needed more than all before; else it is None.
        """
        now = _used()
        seconds = now.ru_utime + now.ru_stime - self._before.ru_utime - self._before.ru_stime
        spent = max(0.0, seconds + _children_seconds() - self._children)
        return [round(spent, 6), self._peak(now.ru_maxrss)]

    def _peak(self, most: int) -> int | None:
        if self._anew:
            return _own_peak() if self._inherits else most * _UNIT
        return most * _UNIT if most > self._before.ru_maxrss else None


def thread_usage(began: float) -> list[object]:
    """The same of an attempt on a thread of a process that others use too: its seconds alone.

    Args:
        began: what ``time.thread_time`` said when it began.
    """
    return [round(time.thread_time() - began, 6), None]


def _forget_peak() -> bool:
    try:
        # Not kept open: an attempt may close what it did not open, and open something else under its number.
        handle = os.open(_PEAK, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(handle, _FORGET_PEAK) > 0
    except OSError:
        return False
    finally:
        os.close(handle)


def _own_peak() -> int:
    """As ``ru_maxrss``, which is quicker to ask for."""
    with open("/proc/self/status", "rb") as status:
        return next((int(line.split()[1]) * 1024 for line in status if line.startswith(b"VmHWM:")), 0)


def _used() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_SELF)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
