"""A process in the background: started, found again and ended. It is known by its id and its start, never by a name."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sparkml_track.errors import SetupError
from sparkml_track.journals import alive, started

__all__ = ["end", "start"]

_GATE = Path(__file__).with_name("gate.py")
_KILLED = 10.0  # seconds in which the kernel ends what was killed


def start(command: Sequence[str], log: Path, environ: Mapping[str, str], record: Callable[[int, str], None]) -> None:
    """Starts a process that outlives this one, in the same folder. It runs only once it is recorded.

    Args:
        command: program and arguments.
        log: takes what it prints; only this account may read it.
        environ: of the process, whole.
        record: called with its id and its start; the process never runs if this raises, or this process dies before.

    Raises:
        SetupError: this machine cannot.
    """
    script = [sys.executable, "-I", "-S", str(_GATE), *command]
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            gate = subprocess.Popen(  # noqa: S603  # our own script, without a shell
                script,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=dict(environ),
                start_new_session=True,
            )
        finally:
            os.close(output)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SetupError(f"a process in the background cannot be started: {reason}") from error
    assert gate.stdin is not None
    assert gate.stdout is not None
    with gate.stdin, gate.stdout:
        said = gate.stdout.readline().strip()
        gate.wait()
        if not said.isdigit():
            raise SetupError(f"a process in the background cannot be started; {log} says why")
        if not (since := started(int(said))):  # without it, another process of this id would be taken for it
            raise SetupError(f"the process in the background ended at once; {log} says why")
        record(int(said), since)
        with suppress(BrokenPipeError):  # it was killed meanwhile, which whoever waits for it finds out
            gate.stdin.write(b"g")
            gate.stdin.flush()


def end(pid: int, start: str, grace: float) -> None:
    """Ends a process if it is the one that had this start: by SIGTERM, and by SIGKILL once its grace is over.

    Raises:
        SetupError: it belongs to another account, or does not end.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # What the handle means cannot be replaced any more by another process of this id.
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILLED)):
            if not alive(pid, start):
                return
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], seconds)[0]:
                return
        raise SetupError(f"process {pid} does not end, not even when it is killed; look what holds it")
    except ProcessLookupError:
        return
    except PermissionError:
        raise SetupError(f"process {pid} belongs to another account; let that one end it: kill {pid}") from None
    finally:
        os.close(handle)
