"""How many threads a process has, those of native libraries too."""

from __future__ import annotations

import os
import threading

__all__ = ["thread_count"]

#: An allocator's helper, which comes with pyarrow, holds nothing that a fork could miss and comes again by itself.
_HARMLESS = "jemalloc_bg_thd"


def thread_count(process: str = "/proc/self") -> int:
    """Threads of a process, without those known to be harmless to a fork."""
    try:
        tasks = os.listdir(f"{process}/task")
    except OSError:  # not Linux
        return threading.active_count()
    return 1 if len(tasks) == 1 else sum(_name(f"{process}/task/{task}") != _HARMLESS for task in tasks)


def _name(task: str) -> str:
    try:
        with open(f"{task}/comm") as file:
            return file.read().strip()
    except OSError:  # it ended meanwhile
        return _HARMLESS
