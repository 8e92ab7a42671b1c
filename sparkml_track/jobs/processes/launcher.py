"""Starts tasks as processes and learns of their ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sparkml_track.errors import SetupError

__all__ = ["GRACE", "LINGER", "Launch", "Launcher", "Processes"]

#: Seconds between SIGTERM and SIGKILL.
GRACE = 15.0
#: Seconds in which what a task started ends by itself when the task has.
LINGER = 5.0


@dataclass(frozen=True)
class Launch:
    """What is started.

    Attributes:
        command: program and arguments.
        environ: of the process, whole.
        log: where its output goes, appended.
    """

    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path


class Launcher(Protocol):
    """Starts tasks, each under its name, which may be started again when it has ended."""

    def start(self, name: str, launch: Launch) -> None:
        """Starts one.

        Raises:
            SetupError: this machine cannot.
        """

    def end(self, name: str) -> None:
        """Asks a task to end: it has its grace. Of one that ended there is nothing to ask."""

    def kill(self, name: str) -> None:
        """Ends a task now."""

    def wait(self, seconds: float | None) -> dict[str, int]:
        """Waits until a task ends, at most so long; gives the exit codes of those that did, below 0 for a signal."""


class Processes:
    """The launcher of this machine.

    Args:
        kept: a descriptor that stays open as long as a process of a task lives; that of the job's lock.
        grace: seconds between SIGTERM and SIGKILL.
        linger: seconds in which what a task started ends by itself when the task has.
    """

    def __init__(self, kept: int | None = None, grace: float = GRACE, linger: float = LINGER) -> None:
        self._kept = () if kept is None else (kept,)
        self._times = str(grace), str(linger)
        self._running: dict[str, tuple[subprocess.Popen[bytes], socket.socket]] = {}

    def start(self, name: str, launch: Launch) -> None:
        """Starts one, under a supervisor."""
        ours, theirs = socket.socketpair()
        script = [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py"))]
        try:
            with theirs, launch.log.open("ab") as log:
                process = subprocess.Popen(  # noqa: S603  # the user's own task, without a shell
                    [*script, str(theirs.fileno()), *self._times, *launch.command],
                    env=dict(launch.environ),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(theirs.fileno(), *self._kept),
                )
        except (OSError, ValueError) as error:
            ours.close()
            reason = getattr(error, "strerror", None) or error
            raise SetupError(f"task {name!r} cannot be started: {reason}") from error
        self._running[name] = process, ours

    def end(self, name: str) -> None:
        """Says so to the supervisor, by the end of what it reads."""
        if name in self._running:
            with suppress(OSError):
                self._running[name][1].shutdown(socket.SHUT_WR)

    def kill(self, name: str) -> None:
        """SIGKILL to the group."""
        if name in self._running:
            # Its leader has not been waited for, so the group is still its own.
            with suppress(ProcessLookupError):
                os.killpg(self._running[name][0].pid, signal.SIGKILL)

    def wait(self, seconds: float | None) -> dict[str, int]:
        """By what supervisors say, and by their ends."""
        names = {one[1]: name for name, one in self._running.items()}
        heard, _, _ = select.select([*names], [], [], seconds)
        return {names[each]: self._ended(names[each]) for each in heard}

    def _ended(self, name: str) -> int:
        process, supervisor = self._running.pop(name)
        with supervisor:
            try:
                said = supervisor.recv(64)
            except OSError:
                said = b""
        # Whatever of the group is left goes with it; the supervisor itself is killed by this, or was before.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return int(said) if said else -signal.SIGKILL
