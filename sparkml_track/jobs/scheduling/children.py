"""Runs that the scheduler starts: each is ``sparkml-track job run`` in a session of its own, and outlives its death."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sparkml_track.config.settings import Settings
from sparkml_track.jobs.processes.launcher import GRACE, LINGER
from sparkml_track.jobs.records.lock import holder
from sparkml_track.jobs.shown import last_lines

__all__ = ["Children", "Ended", "Runner", "Started"]


class Started:
    """A run that was started.

    Attributes:
        settings: of the config file.
        job: its name.
        cause: what started it.
        moment: that it is for.
    """

    def __init__(self, settings: Settings, job: str, cause: str, moment: datetime) -> None:
        self.settings = settings
        self.job = job
        self.cause = cause
        self.moment = moment


class Ended:
    """A run that has ended.

    Attributes:
        started: which.
        code: the exit code of its process.
        said: the last line that it printed.
    """

    def __init__(self, started: Started, code: int, said: str) -> None:
        self.started = started
        self.code = code
        self.said = said


class Runner(Protocol):
    """Starts runs."""

    def start(self, run: Started) -> None:
        """Starts one.

        Raises:
            OSError: this machine cannot.
        """

    def busy(self, settings: Settings, job: str) -> bool:
        """Whether a run of a job is under way, whoever started it."""

    def ended(self) -> list[Ended]:
        """Runs that have ended since the last look."""

    def end_all(self) -> list[Ended]:
        """Ends all, as SIGTERM does, and waits for them."""


class Children:
    """Runs as processes."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], tuple[subprocess.Popen[bytes], Started]] = {}

    def start(self, run: Started) -> None:
        """A process, whose output goes to a file in the home."""
        words = [sys.executable, "-P", "-m", "sparkml_track.cli", "job", "run", run.job]
        config = ["--config", str(run.settings.file.absolute())]
        log = _log(run)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as opened:
            process = subprocess.Popen(  # noqa: S603  # our own command
                [*words, *config, "--cause", run.cause, "--moment", run.moment.isoformat()],
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=opened,
                start_new_session=True,
            )
        self._running[run.settings.name, run.job] = process, run

    def busy(self, settings: Settings, job: str) -> bool:
        """By our own processes, and by the lock of the job."""
        return (settings.name, job) in self._running or holder(settings.home, settings.name, job) is not None

    def ended(self) -> list[Ended]:
        """Those whose processes have ended."""
        over = [key for key, (process, _) in self._running.items() if process.poll() is not None]
        return [self._ended(key) for key in over]

    def end_all(self) -> list[Ended]:
        """They end their tasks and record it."""
        for process, _ in self._running.values():
            process.terminate()
        deadline = time.monotonic() + GRACE + LINGER + 15
        for process, _ in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(deadline - time.monotonic(), 0.1))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        return self.ended()

    def _ended(self, key: tuple[str, str]) -> Ended:
        process, run = self._running.pop(key)
        return Ended(run, process.returncode, " ".join(last_lines(_log(run), 1)))


def _log(run: Started) -> Path:
    return run.settings.home.jobs / f"{run.settings.name}.{run.job}.log"
