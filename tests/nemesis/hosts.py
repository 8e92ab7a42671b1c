"""The processes of the cluster's two hosts: who they are, and signals to them by id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.clusters import Cluster, children, command

__all__ = ["HOSTS", "Known", "executors", "of_host", "send", "with_environ", "workers"]

HOSTS = ("worker-1", "worker-2")


@dataclass(frozen=True)
class Known:
    """A process, safe against another one that gets its id later."""

    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Known | None:
        """The process that has this id now, if any."""
        start = _start(pid)
        return cls(pid, start) if start else None

    @property
    def there(self) -> bool:
        """Whether it still is; a zombie is not."""
        return _start(self.pid) == self.start

    def __str__(self) -> str:
        return str(self.pid)


def _start(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def known(pids: Iterator[int] | list[int]) -> list[Known]:
    return [process for pid in sorted(pids) if (process := Known.of(pid))]


def send(process: Known, number: int) -> None:
    """Sends a signal, if the process is still there."""
    if process.there:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def executors(there: Cluster, host: str) -> list[Known]:
    """Spark executors of a host."""
    return known(there.executors(host))


def workers(there: Cluster, host: str) -> list[Known]:
    """Python workers of a host: children of the daemons of its Spark executors."""
    daemons = [pid for jvm in there.executors(host) for pid in children(jvm) if "pyspark.daemon" in command(pid)]
    return known([pid for daemon in daemons for pid in children(daemon)])


def of_host(there: Cluster, host: str) -> list[Known]:
    """All that runs for applications on a host: what has its temporary folder, but the standalone worker itself."""
    worker = there.pid(host)
    folder = next(line for line in _environ(worker) if line.startswith(b"TMPDIR="))
    return known([pid for pid in with_environ(folder) if pid != worker and pid not in _ancestors(worker)])


def with_environ(line: bytes) -> list[int]:
    """Ids of all processes that have this in their environment."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if line in _environ(int(path.name))]


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended
        return []


def _ancestors(pid: int) -> list[int]:
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return []
    return [parent, *_ancestors(parent)] if parent > 1 else []
