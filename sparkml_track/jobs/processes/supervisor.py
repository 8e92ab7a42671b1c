"""Stands between a run and one task, and ends the task's processes when it is asked to, or when the run is gone.

A script of its own, of the standard library alone: ``supervisor.py SOCKET GRACE LINGER COMMAND...``. It leads the
session and the process group that the task is in. What it says on the socket is the exit code of the task, as
``subprocess`` gives it. The end of what it reads there, by whoever closed it, is the request: SIGTERM to the task's own
process, so that it can end those that it works with (a JVM would be gone before it), and SIGKILL to the group when the
grace is over. What is left of the group when the task has ended has a moment to end by itself, as a JVM does, and is
killed.

It inherits the lock of the run's job, and so keeps it until the last process of the task is gone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Runs the command to its end, or to ours."""
    run, command = socket.socket(fileno=int(arguments[0])), arguments[3:]
    grace, linger = float(arguments[1]), float(arguments[2])
    # A handler, not SIG_IGN, which the task would inherit.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, _nothing)
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        task = subprocess.Popen(command)  # noqa: S603  # the user's own task, without a shell
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror or error}\n")
        code = 127
    else:
        code = _watched(task, run, woken, grace)
        _wait_for_the_rest(task, linger)
    with suppress(OSError):  # nobody may be left to hear it
        run.sendall(str(code).encode())
    os.killpg(0, signal.SIGKILL)


def _watched(task: subprocess.Popen[bytes], run: socket.socket, woken: socket.socket, grace: float) -> int:
    deadline, listened = float("inf"), [run, woken]
    while task.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return -signal.SIGKILL
        heard, _, _ = select.select(listened, [], [], None if left == float("inf") else left)
        if woken in heard:
            woken.recv(4096)
        if run in heard:
            # Nothing is ever sent: this is the end.
            listened.remove(run)
            deadline = time.monotonic() + grace
            task.terminate()
    return int(task.returncode)


def _wait_for_the_rest(task: subprocess.Popen[bytes], linger: float) -> None:
    deadline = time.monotonic() + linger
    while task.returncode is not None and _rest() and time.monotonic() < deadline:
        time.sleep(0.02)


def _rest() -> bool:
    """Whether other processes of our group live."""
    own = os.getpid()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == own != int(stat.parent.name) and fields[0] not in "ZX":
            return True
    return False


def _nothing(number: int, frame: FrameType | None) -> None:
    """Lets the signal wake ``select``."""


if __name__ == "__main__":
    main(sys.argv[1:])
