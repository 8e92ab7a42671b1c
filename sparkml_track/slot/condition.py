"""What a process that executed attempts is like, looked at from outside, where the objective has no say.

The process itself puts back what it can (``child``), but an objective may have replaced the very functions that look:
libraries that make everything asynchronous do, and so do mocks that nobody took away.
"""

from __future__ import annotations

import os

from .wire.messages import Born

__all__ = ["born_here", "is_as_born"]

#: Descriptors that attempts may leave open, beyond which the process is replaced: data and libraries keep some.
_FILES = 64
_LINUX = os.path.isdir("/proc/self/task")


def born_here() -> Born:
    """What this process is like now, before it executes anything."""
    folder = os.stat(".")
    files = len(os.listdir("/proc/self/fd")) if _LINUX else 0
    return Born(os.getpid(), files, [folder.st_dev, folder.st_ino])


def is_as_born(born: Born, pipe: int, threads: int) -> bool:
    """Whether a process may execute the next attempt: no children, the folder and streams it had, nothing piled up.

    Args:
        born: what it was like.
        pipe: inode of the pipe that its stdout and stderr are.
        threads: beside its first one, those that opening data has started.
    """
    if not _LINUX:  # what the process says of itself has to do
        return True
    process = f"/proc/{born.pid}"
    try:
        folder = os.stat(f"{process}/cwd")
        return (
            [folder.st_dev, folder.st_ino] == born.folder
            and all(os.stat(f"{process}/fd/{fd}").st_ino == pipe for fd in (1, 2))
            and os.stat(f"{process}/task").st_nlink - 2 <= 1 + threads
            and not _children(born.pid)
            and len(os.listdir(f"{process}/fd")) <= born.files + _FILES
        )
    except OSError:  # it ended, or closed what it was given
        return False


def _children(pid: int) -> bool:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return bool(file.read(1))
