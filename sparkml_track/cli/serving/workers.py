"""Several processes behind one port: started, started again where one dies, ended together.

The parent binds the port, and each worker accepts from it. A worker and the parent hold a pair of sockets: by it the
worker says that it answers, and reads the end of the parent, however that came.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.errors import SetupError

__all__ = ["Inherited", "Workers"]

_LOG = logging.getLogger(__name__)
_LOOK = 0.1
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a worker has from its parent.

    Attributes:
        listening: the descriptor of the bound socket.
        parent: the descriptor of its end of the pair.
        counts: the file of its counts.
    """

    listening: int
    parent: int
    counts: Path

    @classmethod
    def parse(cls, text: str) -> Inherited:
        """The inverse of ``str``."""
        listening, parent, counts = text.split(",", 2)
        return cls(int(listening), int(parent), Path(counts))

    def __str__(self) -> str:
        return f"{self.listening},{self.parent},{self.counts}"

    def ready(self) -> None:
        """Says to the parent that this worker answers."""
        with suppress(OSError), socket.socket(fileno=self.parent) as pair:
            pair.send(b"r")
            pair.detach()

    def watch(self, stop: threading.Event) -> None:
        """Sets ``stop`` when the parent is gone."""

        def wait() -> None:
            with suppress(OSError), socket.socket(fileno=self.parent) as pair:
                pair.recv(1)
            stop.set()

        threading.Thread(target=wait, name="parent", daemon=True).start()


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    pair: socket.socket
    started: float
    ready: bool = False


class Workers:
    """Keeps some workers running until ``stop``.

    Args:
        arguments: of the command, without those that say what is inherited.
        listening: the bound socket.
        count: how many.
        grace: seconds that a worker has to end.
    """

    def __init__(self, arguments: Sequence[str], listening: socket.socket, count: int, grace: float) -> None:
        self._arguments, self._listening, self._count, self._grace = list(arguments), listening, count, grace
        self._workers: dict[int, _Worker] = {}
        self._waits = dict.fromkeys(range(count), _FIRST_WAIT)
        self._again: dict[int, float] = {}
        self._answered = False

    def run(self, stop: threading.Event) -> None:
        """Starts the workers, and returns when they have ended after ``stop``.

        Raises:
            SetupError: a worker ended by itself before any answered; what it printed says why.
        """
        with tempfile.TemporaryDirectory(prefix="sparkml-serving-") as folder:
            try:
                for place in range(self._count):
                    self._start(place, Path(folder))
                while not stop.wait(_LOOK):
                    self._look(Path(folder))
            finally:
                self._end()

    def _start(self, place: int, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        inherited = Inherited(self._listening.fileno(), theirs.fileno(), folder / f"{place}.json")
        words = [sys.executable, "-m", "sparkml_track.cli", *self._arguments, "--inherited", str(inherited)]
        handles = (inherited.listening, inherited.parent)
        process = subprocess.Popen(words, pass_fds=handles, stdin=subprocess.DEVNULL)  # noqa: S603
        theirs.close()
        ours.setblocking(False)
        self._workers[place] = _Worker(process, ours, time.monotonic())

    def _look(self, folder: Path) -> None:
        now = time.monotonic()
        for place, worker in list(self._workers.items()):
            self._note_ready(worker)
            code = worker.process.poll()
            if code is None:
                continue
            worker.pair.close()
            del self._workers[place]
            if code >= 0 and not self._answered:
                raise SetupError("a worker ended before any answered; what it printed above says why")
            if now - worker.started > _LONGEST_WAIT:
                self._waits[place] = _FIRST_WAIT
            _LOG.warning("worker %d ended (%s); it is started again in %g s", place, _how(code), self._waits[place])
            self._again[place] = now + self._waits[place]
            self._waits[place] = min(2 * self._waits[place], _LONGEST_WAIT)
        for place, at in list(self._again.items()):
            if now >= at:
                del self._again[place]
                self._start(place, folder)

    def _note_ready(self, worker: _Worker) -> None:
        if not worker.ready:
            with suppress(OSError):
                worker.ready = worker.pair.recv(1) == b"r"
                self._answered |= worker.ready

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + self._grace
        for worker in self._workers.values():
            try:
                worker.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.pair.close()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
