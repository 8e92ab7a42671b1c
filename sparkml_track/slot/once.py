"""One attempt in one Spark task: for slots that cannot keep a connection to the driver.

The same template and children as a worker's, so that an attempt ends as it would there; what it reports comes back
with its outcome, and ``should_stop`` is always told to go on.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping

from .attempt.artifacts import pieces
from .attempt.endings import begun, died, killed
from .children import Child, Children, TemplateLost
from .host.folder import Host
from .wire.frames import Message, pack
from .worker import Config, join

__all__ = ["ARTIFACTS", "LINGER", "REPORTS", "run_once"]

#: Seconds for which a template stays without any task, so that the next one need not import the objective again.
LINGER = 3.0
#: Reports kept of one attempt.
REPORTS = 100_000
#: Bytes of one attempt's artifacts: they come back as the result of a Spark job, through the memory of the driver.
ARTIFACTS = 64 << 20
_PIECE = 1 << 20
_JOINS = 3


def run_once(config: Config, message: Message, files: Mapping[str, str]) -> list[bytes]:
    """Executes one attempt.

    Args:
        config: of a worker; ``address`` and ``secret`` are not used.
        message: the ``run`` message.
        files: where the blobs lie that the host may lack, by digest.

    Returns:
        Bodies of frames: ``file`` for each piece of an artifact, then one with ``host`` and either ``broken``, why the
        objective cannot be loaded, or ``lost``, why the attempt did not begin, with ``charged``, or ``done``,
        ``reports``, ``warnings`` and ``dropped``, how many reports were too many.
    """

    def fetch(digest: str) -> Iterator[bytes]:
        with open(files[digest], "rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    host = Host(config.token, single=True)
    try:
        answer = _try(lambda: join(host, config, fetch), message, config.gpus)
        files_left = [pack(head, piece) for head, piece in pieces(host.folder, str(message["attempt"]), ARTIFACTS)]
        return [*files_left, pack({"host": socket.gethostname(), **answer})]
    finally:
        host.leave()


def _try(joined: Callable[[], socket.socket], message: Message, gpus: str) -> Message:
    for _ in range(_JOINS - 1):
        attempt = _Once(joined(), message, gpus)
        try:
            return attempt.run()
        except TemplateLost:  # it left just when we came
            if attempt.began:
                raise
    return _Once(joined(), message, gpus).run()


class _Once:
    """One attempt, from the template's socket to its end."""

    def __init__(self, template: socket.socket, message: Message, gpus: str) -> None:
        self._message, self._gpus = message, gpus
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}
        self._children = Children(template, self._poll, self._sources, self._said, self._ended)
        self._sources[template.fileno()] = self._read_template
        self._poll.register(template.fileno(), select.POLLIN)
        self._child: Child | None = None
        self._deadline: float | None = None
        self._reports: list[Message] = []
        self._dropped = 0
        self._warnings: list[str] = []
        self._versions: object = None
        self._answer: Message | None = None
        self.began = False

    def run(self) -> Message:
        """Waits for the end.

        Raises:
            TemplateLost: the template died; with it went the attempt if it had begun.
        """
        try:
            while self._answer is None:
                self._wait()
        finally:
            self._children.close()
        return self._answer

    def _wait(self) -> None:
        patience = 2.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        for fd, _ in self._poll.poll(patience * 1000.0):
            ready = self._sources.get(fd)
            if ready is not None:
                ready()
        if self._deadline is not None and time.monotonic() >= self._deadline and self._answer is None:
            self._time_out()

    def _read_template(self) -> None:
        for message in self._children.read_template():
            op = message["op"]
            if op == "ready":
                self._versions = message.get("versions")
                self._begin()
            elif op == "warning":
                self._warnings.append(str(message["message"]))
            elif op == "nofork":  # the host has too many processes: no fault of the attempt, which did not begin
                self._answer = {"lost": f"no process for an attempt: {message['message']}", "charged": False}
            else:
                self._answer = {"broken": message["message"], "cloudpickle": message.get("cloudpickle", "")}

    def _begin(self) -> None:
        self._child = self._children.new()
        self.began = True
        timeout = self._message.get("timeout")
        self._message = {**begun(self._message), "gpus": self._gpus}
        self._deadline = None if timeout is None else time.monotonic() + float(timeout)  # type: ignore[arg-type]
        self._child.send(self._message)

    def _said(self, child: Child, message: Message, _: bytes) -> None:
        if message["op"] == "report":
            if len(self._reports) < REPORTS:
                self._reports.append(message)
            else:
                self._dropped += 1
        elif message["op"] == "ask":
            child.send({"op": "answer", "index": message["index"], "stop": False})
        elif message["op"] == "done":
            child.drain()
            self._end(message, child)

    def _time_out(self) -> None:
        child = self._child
        assert child is not None
        child.drain()
        self._children.kill(child)
        self._end(killed(self._message, "timeout"), child)

    def _ended(self, child: Child) -> None:
        if self._answer is None:
            self._end(died(self._message, child.status), child)

    def _end(self, done: Message, child: Child) -> None:
        done = {**done, "log": child.log.text()}
        self._answer = {"done": done, "reports": self._reports, "dropped": self._dropped, "warnings": self._warnings}
        self._answer["versions"] = self._versions
