"""The processes of one worker: asked of the template, spoken to over a socket, ended through the template."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from .attempt.log import HeadTail
from .condition import Watch
from .host.temporary import remove_temporary
from .wire.frames import Opener, Sealer, WireError
from .wire.messages import Born, Exit, Fork, Kill, Message, Renew, Rests, decode, encode

__all__ = ["Child", "Children", "TemplateLost"]

#: Bytes kept for a child that does not read, beyond which it gets no further message.
_UNSENT = 1 << 20
#: Reads of its output at one time; a pipe holds 64 KiB, or 1 MiB where it was made larger.
_DRAINS = 16


class TemplateLost(RuntimeError):
    """The template is gone, and with it every child."""


@dataclass(eq=False)
class Child:
    """A forked process, as its worker knows it.

    Attributes:
        sock: to it.
        out: the reading end of its stdout and stderr.
        log: what was kept of them since the last attempt began.
        born: what it was like when it came; None until then.
        pid: 0 until then.
        worked: seconds of attempts so far.
        doomed: it is being ended; what it says no longer counts.
        status: exit code or minus the signal, once known.
        closed: it was let go.
        unsent: what it has not taken yet.
        blocked: called with whether there is any.
        waits: its socket is watched for room.
        garbled: why it is ended: what it sent cannot be read.
        watch: looks at its process; None until that is asked for.
    """

    sock: socket.socket
    out: int
    opener: Opener = field(default_factory=Opener)
    sealer: Sealer = field(default_factory=Sealer)
    log: HeadTail = field(default_factory=HeadTail)
    born: Born | None = None
    worked: float = 0.0
    doomed: bool = False
    status: int | None = None
    closed: bool = False
    unsent: bytearray = field(default_factory=bytearray)
    blocked: Callable[[bool], None] = lambda _: None
    waits: bool = False
    garbled: str = ""
    watch: Watch | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return 0 if self.born is None else self.born.pid

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Sends without ever waiting for the child, which may not read; what it does not take yet is kept.

        A dead child is found out when its socket is read.
        """
        if len(self.unsent) <= _UNSENT:  # a child that asks on and on and never reads needs no more answers
            self.unsent += self.sealer.seal(encode(message, blob))
            self.flush()

    def is_as_born(self, threads: int) -> bool:
        """Whether it may execute the next attempt, as seen from here; ``threads`` were started by opening data."""
        if self.born is None:
            return False
        if self.watch is None:
            self.watch = Watch(self.born, os.fstat(self.out).st_ino)
        return self.watch.is_as_born(threads)

    def flush(self) -> None:
        """Sends what the child takes now of what was kept."""
        while self.unsent:
            try:
                del self.unsent[: self.sock.send(self.unsent, socket.MSG_DONTWAIT)]
            except BlockingIOError:
                break
            except OSError:
                self.unsent.clear()
        self.blocked(bool(self.unsent))

    def drain(self) -> None:
        """Takes what it has printed, no more than a pipe holds: it may print on and on."""
        for _ in range(_DRAINS):
            if self.closed:
                return
            try:
                data = os.read(self.out, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            self.log.add(data)


class Children:
    """The worker's end of the template, and the children it was given.

    Args:
        template: connected socket.
        host: folder of the host.
        poll: of the worker; children are registered with it.
        sources: of the worker; descriptor to what is called when it is ready.
        on_message: called with a child, its message and the message's bytes.
        on_end: called with a child whose process has ended and whose status is known (None if it never will be), and
            with one that is ended because it is garbled.
    """

    def __init__(
        self,
        template: socket.socket,
        host: str,
        poll: select.poll,
        sources: dict[int, Callable[[], None]],
        on_message: Callable[[Child, Message, bytes], None],
        on_end: Callable[[Child], None],
    ) -> None:
        self._template = template
        self._host = host
        self._poll = poll
        self._sources = sources
        self._on_message = on_message
        self._on_end = on_end
        self._opener = Opener()
        self._born: dict[int, Child] = {}
        self._open: set[Child] = set()
        self._exits: dict[int, int] = {}

    def new(self) -> Child:
        """Asks for a child; it can be sent to at once and reads when it is there."""
        ours, theirs = socket.socketpair()
        out, theirs_out = os.pipe()
        os.set_blocking(out, False)
        child = Child(ours, out)
        self._open.add(child)
        try:
            socket.send_fds(self._template, [Sealer().seal(encode(Fork()))], [theirs.fileno(), theirs_out])
        except OSError:
            raise TemplateLost("the template process of this host died") from None
        finally:
            theirs.close()
            os.close(theirs_out)
        self._watch(ours.fileno(), lambda: self._serve(child))
        child.blocked = lambda blocked: self._watch_writes(child, blocked)
        self._watch(out, lambda: self._read_output(child))
        return child

    def kill(self, child: Child) -> None:
        """Ends its process group; through the template, for which the pid cannot be someone else's."""
        child.doomed = True
        if child.pid:
            self._say(Kill(child.pid))

    def retire(self, child: Child) -> None:
        """Lets it go: it leaves when it finds its socket closed."""
        if child.closed:
            return
        child.closed = True
        self._open.discard(child)
        for fd in (child.sock.fileno(), child.out):
            self._forget(fd)
        child.sock.close()
        os.close(child.out)
        if child.watch is not None:
            child.watch.close()

    def read_template(self) -> Iterator[Message]:
        """Takes what the template said; exits are dealt with, the rest is returned.

        Raises:
            TemplateLost: it is gone.
        """
        try:
            data = self._template.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            raise TemplateLost("the template process of this host died")
        for body in self._opener.feed(data):
            message, _ = decode(body)
            if isinstance(message, Exit):
                self._exited(message)
            else:
                yield message

    def rests(self) -> None:
        """Tells the template that, as far as is known, no worker will come after this one."""
        self._say(Rests())

    def _say(self, message: Message) -> None:
        with contextlib.suppress(OSError):  # that it is gone is seen when it is read
            self._template.sendall(Sealer().seal(encode(message)))

    def waits_for_others(self, staying: Iterable[Child], longest: float) -> bool:
        """Whether children beside these are left, and the template has said something of them in time."""
        if not self._born.keys() - {child.pid for child in staying}:
            return False
        return bool(select.select([self._template], [], [], max(0.0, longest))[0])

    def renew(self) -> None:
        """Asks whether the template is still made of what lies in its files."""
        self._say(Renew())

    def close(self) -> None:
        """Leaves the template, which ends our children."""
        for child in list(self._open):
            self.retire(child)
        self._template.close()

    def _watch(self, fd: int, read: Callable[[], None]) -> None:
        self._sources[fd] = read
        self._poll.register(fd, select.POLLIN)

    def _watch_writes(self, child: Child, blocked: bool) -> None:
        if blocked != child.waits and not child.closed:
            child.waits = blocked
            self._poll.modify(child.sock.fileno(), select.POLLIN | (select.POLLOUT if blocked else 0))

    def _serve(self, child: Child) -> None:
        if child.unsent:
            child.flush()
        self._read(child)

    def _forget(self, fd: int) -> None:
        if self._sources.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _read(self, child: Child) -> None:
        if child.closed:
            return
        try:
            data = child.sock.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone(child)
            return
        try:
            for body in child.opener.feed(data):
                self._take(child, body)
        except WireError as error:
            self.refuse(child, str(error))

    def _take(self, child: Child, body: bytes) -> None:
        message, _ = decode(body)
        if child.born is None and isinstance(message, Born):
            self._on_birth(child, message)
        elif not child.doomed:
            self._on_message(child, message, body)

    def refuse(self, child: Child, why: str) -> None:
        """Ends a child for what it sent."""
        if not child.doomed:
            child.garbled = why
            self.kill(child)
            self._on_end(child)

    def _on_birth(self, child: Child, born: Born) -> None:
        child.born = born
        child.status = self._exits.pop(born.pid, None)
        if child.status is None:
            self._born[born.pid] = child
        if child.doomed:
            self.kill(child)

    def _gone(self, child: Child) -> None:
        child.drain()
        self.retire(child)
        if child.status is not None or not child.pid:
            self._on_end(child)

    def _exited(self, exit_: Exit) -> None:
        remove_temporary(self._host, exit_.pid)
        child = self._born.pop(exit_.pid, None)
        if child is None:  # its birth is not read yet
            self._exits[exit_.pid] = exit_.status
            return
        child.status = exit_.status
        if child.closed:
            self._on_end(child)

    def _read_output(self, child: Child) -> None:
        if child.closed:
            return
        try:
            data = os.read(child.out, 1 << 16)
        except BlockingIOError:
            return
        if data:
            child.log.add(data)
        else:  # nobody can write any more; the process itself may live on
            self._forget(child.out)
