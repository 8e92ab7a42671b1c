"""One run of a job at a time: a file lock that its process holds, and those of its tasks after its death.

The kernel takes it back when the last of them has ended, so a run that is recorded as running is lost when the lock of
its job is free, or names another run.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.errors import JobRunning, SetupError
from sparkml_track.home import Home

__all__ = ["Holder", "JobLock", "holder", "job_lock", "scheduler_holder", "scheduler_lock"]

#: Seconds for which a lock may look taken because somebody asks who has it.
_ASKED = 0.25
_PAUSE = 0.02


@dataclass(frozen=True)
class Holder:
    """Who has the lock of a job.

    Attributes:
        run: that is under way, empty between runs of a backfill.
        pid: of its process.
        host: of its process.
        start: when the process started, in the kernel's own count: another one may have got its pid.
    """

    run: str
    pid: int
    host: str
    start: str = ""

    @property
    def dead(self) -> bool:
        """Whether its process has ended, so that only tasks have the lock still."""
        start = _start_of(self.pid)
        return self.host == socket.gethostname() and (not start or self.start not in ("", start))


@dataclass(frozen=True)
class JobLock:
    """The lock, held.

    Attributes:
        descriptor: of the file; whoever inherits it holds the lock too.
    """

    descriptor: int

    def name(self, run: str) -> None:
        """Says which run is under way."""
        pid = os.getpid()
        said = {"run": run, "pid": pid, "host": socket.gethostname(), "start": _start_of(pid)}
        text = json.dumps(said).encode()
        # On a full disk the lock still holds; who has it is not said.
        with suppress(OSError):
            os.pwrite(self.descriptor, text, 0)
            os.ftruncate(self.descriptor, len(text))


@contextmanager
def job_lock(home: Home, project: str, job: str, patience: float = 0.0) -> Iterator[JobLock]:
    """Holds the lock of a job.

    Args:
        home: of all state.
        project: of the job.
        job: its name.
        patience: seconds to wait for the tasks of a run whose process died.

    Raises:
        JobRunning: another run has it.
        SetupError: the file cannot be written.
    """
    with _held(_path(home, project, job), patience, lambda by: _running(job, by)) as lock:
        yield lock


@contextmanager
def scheduler_lock(home: Home) -> Iterator[None]:
    """Holds the lock of the one scheduler of a home.

    Raises:
        JobRunning: another has it.
        SetupError: the file cannot be written.
    """
    refused = "a scheduler of {} is running already (pid {} on {}); end it first, or give it this config file, too"
    with _held(_scheduler(home), 0.0, lambda by: refused.format(home.root, by.pid, by.host)) as lock:
        lock.name("")
        yield


@contextmanager
def _held(path: Path, patience: float, refused: Callable[[Holder], str]) -> Iterator[JobLock]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SetupError(f"the lock {path} cannot be opened: {error.strerror or error}") from error
    try:
        _wait(lambda: _taken(descriptor), lambda: patience if _read(path).dead else _ASKED)
        if not _taken(descriptor):
            raise JobRunning(refused(_read(path)))
        yield JobLock(descriptor)
    finally:
        os.close(descriptor)


def holder(home: Home, project: str, job: str) -> Holder | None:
    """Who holds the lock of a job, None if it is free."""
    return _holder(_path(home, project, job))


def scheduler_holder(home: Home) -> Holder | None:
    """Who holds the lock of the scheduler, None if there is none."""
    return _holder(_scheduler(home))


def _holder(path: Path) -> Holder | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _wait(done: Callable[[], bool], patience: Callable[[], float]) -> None:
    start = time.monotonic()
    while not done() and time.monotonic() - start < patience():
        time.sleep(_PAUSE)


def _path(home: Home, project: str, job: str) -> Path:
    return home.jobs / f"{project}.{job}.lock"


def _scheduler(home: Home) -> Path:
    return home.jobs / "scheduler.lock"


def _read(path: Path) -> Holder:
    try:
        said = json.loads(path.read_text())
        return Holder(str(said["run"]), int(said["pid"]), str(said["host"]), str(said["start"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder("", 0, "")


def _start_of(pid: int) -> str:
    """Empty where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _running(job: str, by: Holder) -> str:
    if by.dead:
        return f"tasks of run {by.run} of job {job!r}, whose process died, are still ending; try again in a few seconds"
    return (
        f"job {job!r} is running (run {by.run or '?'}, pid {by.pid} on {by.host or '?'}), and one run at a time is "
        "allowed; wait for its end, or end that process"
    )
