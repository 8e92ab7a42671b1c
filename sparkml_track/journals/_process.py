"""Which process on which machine, so that a dead one is not taken for a live one that got the same pid."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place", "alive", "here", "started"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pid means something.

    Attributes:
        host: the host name; containers and machines may share one.
        boot: the kernel's boot id, "" where it has none.
        pids: the pid namespace, "" where there are none.
    """

    host: str
    boot: str
    pids: str


def here() -> Place:
    """The place of this process."""
    try:
        pids = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        pids = ""
    return Place(socket.gethostname(), _text(Path("/proc/sys/kernel/random/boot_id")), pids)


def started(pid: int) -> str:
    """When a process of this place started, in the kernel's own count; "" if there is none or nobody can say."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def alive(pid: int, start: str) -> bool:
    """Whether the process that had this pid and start time lives, here. A zombie is dead."""
    fields = _stat(pid)
    if len(fields) > 19:
        return fields[0] not in "ZX" and start in {"", fields[19]}
    # No /proc, or one that hides the processes of other users.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not Path("/proc/self/stat").exists()


def _stat(pid: int) -> list[str]:
    """The fields of proc(5)'s stat from the third on; the second, the name, may hold blanks and brackets."""
    return _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
