"""One attempt in one Spark task: for slots that cannot keep a connection to the driver.

The same template and children as a worker's, so that an attempt ends as it would there; what it reports comes back
with its outcome, and ``should_stop`` always answers to go on.
"""

from __future__ import annotations

import os
import platform
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping

from .attempt.artifacts import pieces
from .attempt.endings import Begun, died, garbled, killed
from .children import Child, Children, TemplateLost
from .config import Config
from .host.folder import Host
from .joining import join
from .wire.messages import (
    Answer,
    Ask,
    Broken,
    Done,
    Hello,
    Logged,
    Message,
    NoFork,
    Question,
    Ready,
    Reply,
    Report,
    Run,
    Unbegun,
    Warn,
    encode,
)

__all__ = ["ARTIFACTS", "LINGER", "REPORTS", "run_once"]

#: Seconds for which a template stays without any task, so that the next one need not import the objective again.
LINGER = 3.0
#: Reports kept of one attempt.
REPORTS = 100_000
#: Bytes of one attempt's artifacts: they come back as the result of a Spark job, through the memory of the driver.
ARTIFACTS = 64 << 20
_PIECE = 1 << 20
_JOINS = 3


def run_once(config: Config, run: Run, files: Mapping[str, str]) -> list[bytes]:
    """Executes one attempt.

    Args:
        config: of a worker; ``address`` and ``secret`` are not used.
        run: the attempt.
        files: where the blobs lie that the host may lack, by digest.

    Returns:
        Bodies of the messages that a worker would have sent: see ``wire.messages``.
    """

    def fetch(digest: str) -> Iterator[bytes]:
        with open(files[digest], "rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    hello = Hello(platform.python_version(), socket.gethostname(), os.getpid(), config.slot)
    host = Host(config.token, single=True)
    try:
        said = _try(lambda: join(host, config, fetch), host.folder, run, config.gpus)
        left = [encode(head, piece) for head, piece in pieces(host.folder, run.attempt, config.artifacts, ARTIFACTS)]
        return [encode(hello), *left, *map(encode, said)]
    finally:
        host.leave()


def _try(joined: Callable[[], socket.socket], folder: str, run: Run, gpus: str) -> list[Message]:
    for _ in range(_JOINS - 1):
        attempt = _Once(joined(), folder, run, gpus)
        try:
            return attempt.run()
        except TemplateLost:  # it left just when we came
            if attempt.began:
                raise
    return _Once(joined(), folder, run, gpus).run()


class _Once:
    """One attempt, from the template's socket to its end."""

    def __init__(self, template: socket.socket, folder: str, run: Run, gpus: str) -> None:
        self._run = run._replace(gpus=gpus, key=os.urandom(8).hex())
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}
        self._children = Children(template, folder, self._poll, self._sources, self._said, self._ended)
        self._sources[template.fileno()] = self._read_template
        self._poll.register(template.fileno(), select.POLLIN)
        self._child: Child | None = None
        self._begun: Begun | None = None
        self._deadline: float | None = None
        self._messages: list[Message] = []
        self._reports = 0
        self._over = False

    @property
    def began(self) -> bool:
        """Whether the attempt has."""
        return self._begun is not None

    def run(self) -> list[Message]:
        """Waits for the end.

        Raises:
            TemplateLost: the template died; with it went the attempt if it had begun.
        """
        try:
            while not self._over:
                self._wait()
        finally:
            self._children.close()
        return self._messages

    def _wait(self) -> None:
        wait = 2.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        for fd, _ in self._poll.poll(wait * 1000.0):
            ready = self._sources.get(fd)
            if ready is not None:
                ready()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._time_out()

    def _read_template(self) -> None:
        for message in self._children.read_template():
            match message:
                case NoFork(why):  # the host has too many processes: no fault of the attempt, which did not begin
                    self._end(Unbegun(self._run.attempt, f"no process for an attempt: {why}"))
                case Broken():
                    self._end(message)
                case _:
                    self._messages.append(message)
            if isinstance(message, Ready):
                self._begin()

    def _begin(self) -> None:
        self._child = self._children.new()
        self._begun = Begun.now(self._run)
        self._deadline = None if self._run.timeout is None else self._begun.tick + self._run.timeout
        self._child.send(self._run)

    def _said(self, child: Child, message: Message, _: bytes) -> None:
        match message:
            case Report():
                self._reports += 1
                if self._reports <= REPORTS:
                    self._messages.append(message)
            case Logged():
                self._messages.append(message)
            case Ask(attempt, number):
                child.send(Answer(attempt, number, stop=False))
            case Question(attempt, number, waits=True):
                child.send(Reply(attempt, number, ""))
            case Done(key=self._run.key):
                child.drain()
                self._end(message._replace(log=child.log.text()))

    def _time_out(self) -> None:
        child = self._child
        if child is not None and self._begun is not None and not self._over:
            child.drain()
            self._children.kill(child)
            self._end(killed(self._begun, "timeout", child.log.text()))

    def _ended(self, child: Child) -> None:
        assert self._begun is not None
        log = child.log.text()
        self._end(garbled(self._begun, child.garbled, log) if child.garbled else died(self._begun, child.status, log))

    def _end(self, end: Done | Unbegun | Broken) -> None:
        if self._over:
            return
        self._over = True
        if self._reports > REPORTS:
            text = f"attempt {self._run.attempt} reported {self._reports - REPORTS} times too often; those are lost"
            self._messages.append(Warn(text))
        self._messages.append(end)
