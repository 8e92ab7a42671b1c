"""The temporary folder of each process that executes attempts: what they leave there goes with the process.

Libraries find it by TMPDIR. What they keep in shared memory is removed by their resource trackers, which the template
lets live until they have done so (``template``).
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import suppress

from .paths import HostPaths
from .trees import remove_tree

__all__ = ["make_temporary", "remove_temporary"]

#: The path of a Unix socket has 107 bytes at most, and multiprocessing's are 33 bytes longer than the folder's.
_LONGEST = 74


def make_temporary(host: str) -> None:
    """Gives this process a folder of its own below that of the host; where it cannot, the system's stays."""
    path = _path(host, os.getpid())
    if len(path) > _LONGEST:
        return
    with suppress(OSError):
        os.mkdir(path, 0o700)
        os.environ["TMPDIR"] = tempfile.tempdir = path


def remove_temporary(host: str, pid: int) -> None:
    """Removes the folder of a process that has ended; a full one on a thread, since that takes a while."""
    path = _path(host, pid)
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return
    except OSError:
        threading.Thread(target=remove_tree, args=(path,), name="sparkml-remove", daemon=True).start()


def _path(host: str, pid: int) -> str:
    return HostPaths(host).temporary(pid)
