"""The worker: lives in a Spark task, takes attempts from the broker and watches the process that executes them.

    worker -> broker   hello, get (digest, offset), ready, broken, warning, beat, report, done,
                       unbegun (attempt, message), parted
    broker -> worker   welcome | refuse, piece, run, answer, stop, bye

One attempt runs at a time; ``run`` messages beyond it wait here, which hides the way to the driver for short trials.
"""

from __future__ import annotations

import os
import platform
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator

from .attempt.artifacts import pieces
from .attempt.endings import begun, died, killed
from .children import Child, Children, TemplateLost
from .config import Config
from .host.folder import Host
from .wire.address import cipher_of, nobody_listens
from .wire.frames import Message, WireError, connect, pack, unpack
from .wire.load import slowness

__all__ = ["UNREACHABLE", "Config", "Worker", "join", "main"]

#: How the message of a worker begins that did not find the broker.
UNREACHABLE = "the driver cannot be reached"
#: Seconds between signs of life.
BEAT = 2.0
#: Seconds of work after which a recycled child is replaced.
RECYCLE_AFTER = 1.0


def join(host: Host, config: Config, fetch: Callable[[str], Iterator[bytes]]) -> socket.socket:
    """Gets what this host lacks and connects to its template.

    Args:
        host: of the sweep's token.
        config: of the worker.
        fetch: gives the bytes of a blob in pieces.
    """
    for digest in (config.work, *config.code, *config.data):
        host.blob(digest, lambda digest=digest: fetch(digest))  # type: ignore[misc]
    path = [*map(host.blob_path, config.code), *sys.path, *config.path]
    own = f".{config.slot}" if host.apart else ""
    return host.join_template(host.blob_path(config.work), path, dict(config.env), config.linger, own)


class _Bye(Exception):
    """The broker has no more for us, or is gone.

    Attributes:
        over: so is the sweep; else workers may come to this host again.
        rests: there is nothing to do for this one.
    """

    def __init__(self, over: bool, rests: bool = False) -> None:
        super().__init__()
        self.over = over
        self.rests = rests


class Worker:
    """See the module. ``run`` returns when the broker says goodbye or is gone."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sock, self._sealer, self._opener = connect(
            config.address, config.secret, config.connect_timeout * slowness(), cipher_of(config.certificate)
        )
        self._host: Host | None = None
        self._inbox: deque[tuple[Message, bytes]] = deque()
        self._queue: deque[Message] = deque()
        self._current: Message | None = None
        self._deadline: float | None = None
        self._answer: Message | None = None
        self._asked: object = None
        self._children: Children | None = None
        self._child: Child | None = None
        self._spare: Child | None = None
        self._shortage = ""
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}
        self._sent = time.monotonic()

    def run(self) -> None:
        """Takes and executes attempts until goodbye.

        Raises:
            RuntimeError: the driver refused this slot, or the template died; the Spark task fails with it.
        """
        host = self._host = Host(self._config.token)
        shared = True
        try:
            self._hello()
            shared = not host.apart
            self._children = self._join_template()
            self._sources[self._sock.fileno()] = self._read_broker
            self._poll.register(self._sock.fileno(), select.POLLIN)
            while True:
                self._take_inbox()
                self._next()
                self._wait()
        except _Bye as bye:
            if bye.over:
                host.lease.over()
            elif bye.rests and self._children is not None:
                self._children.rests()
            return
        except TemplateLost:
            if shared:  # who killed it cannot be told: the next time, only the attempt that did it is hit
                host.part()
                self._tell({"op": "parted"})
            raise
        finally:
            self._sock.close()
            if self._children is not None:
                self._children.close()
            host.leave()

    # -- the beginning

    def _hello(self) -> None:
        who: Message = {"host": socket.gethostname(), "pid": os.getpid(), "slot": self._config.slot}
        self._tell({"op": "hello", "python": platform.python_version(), **who})
        self._sock.settimeout(None)  # as a copy of another worker we wait until that is gone
        message, _ = self._receive("welcome", "refuse")
        if message["op"] == "refuse":
            assert self._host is not None
            self._host.lease.over()
            raise RuntimeError(str(message["message"]))

    def _join_template(self) -> Children:
        assert self._host is not None
        template = join(self._host, self._config, self._fetch)
        children = Children(template, self._poll, self._sources, self._child_said, self._child_ended)
        self._sources[template.fileno()] = self._read_template
        self._poll.register(template.fileno(), select.POLLIN)
        return children

    def _fetch(self, digest: str) -> Iterator[bytes]:
        offset = 0
        while True:
            self._tell({"op": "get", "digest": digest, "offset": offset})
            message, piece = self._receive("piece")
            yield piece
            offset += len(piece)
            if offset >= int(message["size"]):  # type: ignore[call-overload]
                return

    def _receive(self, *ops: str) -> tuple[Message, bytes]:
        """Waits for one of these; other messages keep their place."""
        while True:
            for i, (message, blob) in enumerate(self._inbox):
                if message["op"] == "bye":
                    raise _Bye(bool(message.get("over")), bool(message.get("rests")))
                if message["op"] in ops:
                    del self._inbox[i]
                    return message, blob
            self._read_broker()

    # -- the broker's side

    def _tell(self, message: Message) -> None:
        self._tell_body(pack(message))

    def _tell_body(self, body: bytes) -> None:
        try:
            self._sock.sendall(self._sealer.seal(body))
        except OSError:
            raise self._cut_off() from None
        self._sent = time.monotonic()

    def _read_broker(self) -> None:
        try:
            data = self._sock.recv(1 << 18)
            if data:
                self._inbox.extend(unpack(body) for body in self._opener.feed(data))
                return
        except (OSError, WireError):
            pass
        raise self._cut_off()

    def _cut_off(self) -> _Bye:
        """A driver that still listens gave up this worker only; its sweep goes on."""
        return _Bye(over=nobody_listens(self._config.address))

    def _take_inbox(self) -> None:
        while self._inbox:
            message, _ = self._inbox.popleft()
            op = message["op"]
            if op == "run":
                self._queue.append(message)
            elif op == "answer":
                if self._runs(message["attempt"]):
                    self._answer = message
                    self._give_answer()
            elif op == "stop":
                self._stop(message["attempt"], str(message["reason"]))
            elif op == "bye":
                raise _Bye(bool(message.get("over")), bool(message.get("rests")))

    def _runs(self, attempt: object) -> bool:
        return self._current is not None and self._current["attempt"] == attempt

    def _stop(self, attempt: object, reason: str) -> None:
        if self._runs(attempt):
            self._kill(reason)
            return
        for waiting in self._queue:
            if waiting["attempt"] == attempt:
                self._queue.remove(waiting)
                self._tell(killed(begun(waiting), reason))
                return

    # -- attempts

    def _next(self) -> None:
        """Starts the next attempt if none runs; a spare child is asked for as soon as this one is at work."""
        if self._current is not None or not self._queue or self._children is None:
            return
        if self._child is None:
            self._child, self._spare = self._spare or self._children.new(), None
        message = self._current = {**begun(self._queue.popleft()), "gpus": self._config.gpus}
        self._answer = self._asked = None
        timeout = message.get("timeout")
        self._deadline = None if timeout is None else time.monotonic() + float(timeout)  # type: ignore[arg-type]
        self._child.send(message)
        if self._spare is None:
            self._spare = self._children.new()

    def _child_said(self, child: Child, message: Message, body: bytes) -> None:
        if child is not self._child or not self._runs(message.get("attempt")):
            return
        if message["op"] == "report":
            self._tell_body(body)
        elif message["op"] == "ask":
            self._asked = message["index"]
            self._give_answer()
        elif message["op"] == "done":
            self._done(child, message, body)

    def _give_answer(self) -> None:
        """Hands the decision on a report to the attempt that waits for it."""
        answer = self._answer
        if self._child is not None and answer is not None and answer["index"] == self._asked:
            self._child.send(answer)
            self._asked = None

    def _done(self, child: Child, message: Message, body: bytes) -> None:
        assert self._children is not None
        child.drain()
        log = child.log.text()
        if log:
            message["log"] = log
            body = pack(message)
        child.worked += float(message["duration"])  # type: ignore[arg-type]
        again = message["clean"] and message["state"] != "failed" and child.worked <= RECYCLE_AFTER
        if again and not self._config.fresh and not child.keeps_files():
            child.log.clear()
        else:
            self._children.retire(child)
            self._child = None
        self._end_with(body)

    def _end_with(self, body: bytes) -> None:
        assert self._current is not None
        attempt = str(self._current["attempt"])
        self._current, self._deadline = None, None
        self._next()  # before the news goes out: the slot works while the driver reads
        assert self._host is not None
        for head, piece in pieces(self._host.folder, attempt):
            self._tell_body(pack(head, piece))
        self._tell_body(body)

    def _kill(self, reason: str) -> None:
        """Ends the current attempt by force; its slot is free at once, a spare takes over."""
        child, message = self._child, self._current
        assert child is not None and message is not None and self._children is not None
        child.drain()
        self._children.kill(child)
        self._child = None
        self._end_with(pack({**killed(message, reason), "log": child.log.text()}))

    def _child_ended(self, child: Child) -> None:
        if child is self._spare:
            self._spare = None
        if child is not self._child:
            return
        self._child = None
        if self._current is not None and child.pid:
            self._end_with(pack({**died(self._current, child.status), "log": child.log.text()}))
        elif self._current is not None:  # never born: the attempt did not begin
            message = f"no process for an attempt: {self._shortage or 'it ended at once'}"
            self._end_with(pack({"op": "unbegun", "attempt": self._current["attempt"], "message": message}))

    def _read_template(self) -> None:
        assert self._children is not None
        for message in self._children.read_template():
            if message["op"] == "nofork":  # the child that was asked for ends without a birth
                if not self._shortage:
                    self._tell({"op": "warning", "message": f"no process to spare: {message['message']}"})
                self._shortage = str(message["message"])
            else:
                self._tell(message)  # ready, broken, warning

    # -- waiting

    def _wait(self) -> None:
        if self._inbox:
            return
        until = self._sent + BEAT
        if self._deadline is not None:
            until = min(until, self._deadline)
        for fd, _ in self._poll.poll(max(0.0, (until - time.monotonic()) * 1000.0)):
            ready = self._sources.get(fd)
            if ready is not None:
                ready()
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            self._kill("timeout")
        if now >= self._sent + BEAT:
            self._tell({"op": "beat"})


def main(config: Config) -> str:
    """What the Spark task calls.

    Returns:
        Why the broker could not be reached, else nothing: no failure of the task, which Spark would only repeat.
    """
    try:
        worker = Worker(config)
    except (OSError, WireError) as error:
        where = ":".join(map(str, config.address[1:]))
        return f"{UNREACHABLE} at {where} from {socket.gethostname()}: {error}"
    worker.run()
    return ""
