"""What a process that executed attempts is like, looked at from outside, where the objective has no say.

The process itself puts back what it can (``child``), but an objective may have replaced the very functions that look:
libraries that make everything asynchronous do, and so do mocks that nobody took away.
"""

from __future__ import annotations

import os
from contextlib import suppress

from .attempt.threads import thread_count
from .wire.messages import Born

__all__ = ["LINUX", "Watch", "born_here"]

#: Descriptors that attempts may leave open, beyond which the process is replaced: data and libraries keep some.
_FILES = 64
LINUX = os.path.isdir("/proc/self/task")


def born_here() -> Born:
    """What this process is like now, before it executes anything."""
    folder = os.stat(".")
    files = len(os.listdir("/proc/self/fd")) if LINUX else 0
    return Born(os.getpid(), files, [folder.st_dev, folder.st_ino])


class Watch:
    """Looks at a process again and again. What it opens is closed with it.

    Args:
        born: what the process was like.
        pipe: inode of the pipe that its stdout and stderr are.
    """

    def __init__(self, born: Born, pipe: int) -> None:
        self._born, self._pipe = born, pipe
        self._fds: list[int] = []
        with suppress(OSError):  # it has ended, or this is not Linux
            process = os.open(f"/proc/{born.pid}", os.O_RDONLY | os.O_DIRECTORY)
            self._fds.append(process)
            self._fds.append(os.open(f"task/{born.pid}/children", os.O_RDONLY, dir_fd=process))

    def close(self) -> None:
        """Lets go of it; may be called twice."""
        while self._fds:
            os.close(self._fds.pop())

    def is_as_born(self, threads: int) -> bool:
        """Whether the process may execute the next attempt: no children, its folder and streams, nothing piled up.

        Args:
            threads: beside its first one, those that opening data has started.
        """
        if not LINUX:  # what the process says of itself has to do
            return True
        try:
            process, children = self._fds
            folder = os.stat("cwd", dir_fd=process)
            return (
                [folder.st_dev, folder.st_ino] == self._born.folder
                and all(os.stat(f"fd/{fd}", dir_fd=process).st_ino == self._pipe for fd in (1, 2))
                and self._has_threads(process, 1 + threads)
                and not os.pread(children, 1, 0)
                and _open_files(process) <= self._born.files + _FILES
            )
        except (OSError, ValueError):  # it ended, or closed what it was given
            return False

    def _has_threads(self, process: int, most: int) -> bool:
        # The folder's links are the threads and two; names are looked at only if there are too many.
        return os.stat("task", dir_fd=process).st_nlink - 2 <= most or thread_count(f"/proc/{self._born.pid}") <= most


def _open_files(process: int) -> int:
    # The size of the folder where the kernel counts them (6.2 and later), which takes no list.
    count = os.stat("fd", dir_fd=process).st_size
    return count or len(os.listdir(f"/proc/self/fd/{process}/fd"))
