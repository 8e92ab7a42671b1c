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
from .attempt.endings import Begun, ended, killed, too_large
from .children import Child, Children, TemplateLost
from .config import Config
from .host.folder import Host
from .host.paths import HostPaths
from .joining import join
from .wire.frames import PART, PAYLOAD_LIMIT
from .wire.messages import (
    Answer,
    Ask,
    Broken,
    Done,
    Hello,
    Logged,
    Message,
    NoFork,
    Part,
    Question,
    Ready,
    Reply,
    Report,
    Run,
    Unbegun,
    Warn,
    decode,
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
#: A message and its blob.
_Said = tuple[Message, bytes]


def run_once(config: Config, run: Run, files: Mapping[str, str], payload: bytes = b"") -> list[bytes]:
    """Executes one attempt.

    Args:
        config: of a worker; ``address`` and ``secret`` are not used.
        run: the attempt.
        files: where the blobs lie that the host may lack, by digest.
        payload: what the attempt is given.

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
        run, payload = _place(host, run._replace(gpus=config.gpus), payload, fetch)
        said = _try(lambda: join(host, config, fetch), host.folder, run, payload, config.payload_limit)
        left = [encode(head, piece) for head, piece in pieces(host.folder, run.attempt, config.artifacts, ARTIFACTS)]
        return [encode(hello), *left, *(encode(message, blob) for message, blob in said)]
    finally:
        if run.payload:
            host.forget_blob(run.payload)
        host.leave()


def _place(host: Host, run: Run, payload: bytes, fetch: Callable[[str], Iterator[bytes]]) -> tuple[Run, bytes]:
    """Puts what the attempt needs into the folder of the host; what is small goes with the message."""
    lacks = host.fetch(run, fetch)
    if lacks:
        raise OSError(lacks)
    if len(payload) <= PART:
        return run, payload
    run = run._replace(payload=HostPaths.payload(run.attempt))
    host.blob(run.payload, lambda: iter([payload]))
    return run, b""


def _try(joined: Callable[[], socket.socket], folder: str, run: Run, payload: bytes, limit: int) -> list[_Said]:
    for _ in range(_JOINS - 1):
        attempt = _Once(joined(), folder, run, payload, limit)
        try:
            return attempt.run()
        except TemplateLost:  # it left just when we came
            if attempt.began:
                raise
    return _Once(joined(), folder, run, payload, limit).run()


class _Once:
    """One attempt, from the template's socket to its end."""

    def __init__(
        self, template: socket.socket, folder: str, run: Run, payload: bytes = b"", limit: int = PAYLOAD_LIMIT
    ) -> None:
        self._run = run._replace(key=os.urandom(8).hex())
        self._payload = payload
        self._limit, self._size = limit, 0
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}
        self._children = Children(template, folder, self._poll, self._sources, self._said, self._ended)
        self._sources[template.fileno()] = self._read_template
        self._poll.register(template.fileno(), select.POLLIN)
        self._child: Child | None = None
        self._begun: Begun | None = None
        self._deadline: float | None = None
        self._messages: list[_Said] = []
        self._reports = 0
        self._over = False

    @property
    def began(self) -> bool:
        """Whether the attempt has."""
        return self._begun is not None

    def run(self) -> list[_Said]:
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
                    self._messages.append((message, b""))
            if isinstance(message, Ready):
                self._begin()

    def _begin(self) -> None:
        self._child = self._children.new()
        self._begun = Begun.now(self._run)
        self._deadline = None if self._run.timeout is None else self._begun.tick + self._run.timeout
        self._child.send(self._run, self._payload)

    def _said(self, child: Child, message: Message, body: bytes) -> None:
        match message:
            case Report():
                self._reports += 1
                if self._reports <= REPORTS:
                    self._messages.append((message, b""))
            case Logged():
                self._messages.append((message, b""))
            case Part(key=self._run.key):
                self._part(child, message, decode(body)[1])
            case Ask(attempt, number):
                child.send(Answer(attempt, number, stop=False))
            case Question(attempt, number, waits=True):
                child.send(Reply(attempt, number, ""))
            case Done(key=self._run.key):
                child.drain()
                self._end(message._replace(log=child.log.text()), decode(body)[1])

    def _part(self, child: Child, part: Part, blob: bytes) -> None:
        """Keeps what the attempt gives back; its process should have refused what is too large."""
        if part.at == 0:
            self._messages = [one for one in self._messages if not isinstance(one[0], Part)]
            self._size = 0
        if part.at == self._size < self._limit:
            self._messages.append((part, blob))
            self._size += len(blob)
        else:
            self._children.refuse(child, too_large(self._limit))

    def _time_out(self) -> None:
        child = self._child
        if child is not None and self._begun is not None and not self._over:
            child.drain()
            self._children.kill(child)
            self._end(killed(self._begun, "timeout", child.log.text()))

    def _ended(self, child: Child) -> None:
        assert self._begun is not None
        self._end(ended(self._begun, child.garbled, child.status, child.log.text()))

    def _end(self, end: Done | Unbegun | Broken, blob: bytes = b"") -> None:
        if self._over:
            return
        self._over = True
        if self._reports > REPORTS:
            text = f"attempt {self._run.attempt} reported {self._reports - REPORTS} times too often; those are lost"
            self._messages.append((Warn(text), b""))
        self._messages.append((end, blob))
