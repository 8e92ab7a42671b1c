"""The broker: the driver's end of all worker connections, served by whoever calls ``poll``.

One thread, one selector, no lock: the loop that waits for results is the one that reads them, so a result or a
report costs no hand-over between threads. Nothing is decoded before both sides proved the secret; until then a
connection may send 48 bytes and take five seconds. Where there is a certificate, TLS follows the proofs, within the
same five seconds: handshakes cost a hundred times what a stranger does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sparkml_track.slot.wire.frames import (
    REPLY_SIZE,
    Address,
    Keys,
    Opener,
    Sealer,
    WireError,
    greeting,
    verify_reply,
)
from sparkml_track.slot.wire.load import slowness
from sparkml_track.slot.wire.messages import Message, Piece, decode, encode
from sparkml_track.slot.wire.tls import Tls

__all__ = ["Broker", "Connection", "Received"]

#: Seconds a stranger has for the handshake on an idle machine.
HANDSHAKE = 5.0
#: Strangers at one time; for one more the oldest goes, since who knows the secret answers at once.
STRANGERS = 256
#: Seconds that a stranger stays whoever else comes, so that a crowd does not push a worker out before it can answer.
GRACE = 1.0
#: Bytes that may wait for a worker that does not read.
BACKLOG = 64 << 20
_ENDED = "its connection ended"
#: Bytes of a blob in one message.
PIECE = 1 << 20


@dataclass(eq=False)
class Connection:
    """One worker's connection."""

    sock: socket.socket
    greeting: bytes
    since: float
    reply: bytes = b""
    keys: Keys | None = None
    tls: Tls | None = None
    opener: Opener | None = None
    sealer: Sealer | None = None
    waiting: deque[bytes] = field(default_factory=deque)
    backlog: int = 0
    closed: bool = False
    heard: float = 0.0


@dataclass(frozen=True, slots=True)
class Received:
    """What came: a message, or None and why for the end of the connection."""

    connection: Connection
    message: Message | None
    blob: bytes = b""
    why: str = ""


def _short_folder() -> str | None:
    """The path of a Unix socket may have 107 bytes; a long TMPDIR leaves too few."""
    return "/tmp" if len(tempfile.gettempdir()) > 60 else None  # noqa: S108


class Broker:
    """Listens, authenticates, takes messages in and sends them out. Not for more than one thread."""

    def __init__(
        self,
        secret: bytes,
        host: str | None = None,
        port: int = 0,
        advertise: str | None = None,
        folder: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Starts to listen.

        Args:
            secret: what workers must know.
            host: address to bind TCP to, None for a Unix socket in a private folder.
            port: 0 for any free one.
            advertise: name or address that workers connect to, if not ``host``.
            folder: the private one, which its owner removes; None for one of its own.
            tls: this side of TLS, with the certificate that workers are given; None for plain connections.

        Raises:
            OSError: the port is taken.
        """
        self._secret = secret
        self._tls = tls
        self._folder: str | None = None
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._strangers: set[Connection] = set()
        # Between the proofs and the end of the TLS handshake: no strangers, so however many do not keep others out.
        self._shaking: set[Connection] = set()
        self.refused = 0
        self._listener, self.address = self._listen(folder) if host is None else self._serve(host, port, advertise)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)

    def _listen(self, folder: str | None) -> tuple[socket.socket, Address]:
        if folder is None:
            folder = self._folder = tempfile.mkdtemp(prefix="sparkml-", dir=_short_folder())
        path = os.path.join(folder, "broker")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        os.chmod(path, 0o700)
        listener.listen(1024)
        return listener, ("unix", path)

    def _serve(self, host: str, port: int, advertise: str | None) -> tuple[socket.socket, Address]:
        listener = socket.create_server((host, port), backlog=1024)
        return listener, ("tcp", advertise or host, listener.getsockname()[1])

    def poll(self, timeout: float) -> list[Received]:
        """Waits up to ``timeout`` seconds and returns what came."""
        received: list[Received] = []
        for key, mask in self._selector.select(timeout):
            connection = key.data
            if connection is None:
                self._accept()
                continue
            if mask & selectors.EVENT_WRITE:
                self._flush(connection)
            if mask & selectors.EVENT_READ and not connection.closed:
                self._read(connection, received)
        if self._strangers or self._shaking:
            self._drop_slow()
        return received

    def send(self, connection: Connection, message: Message, blob: bytes = b"") -> None:
        """Sends without waiting; what the socket does not take is sent by later polls."""
        if not connection.closed and connection.sealer is not None:
            self._put(connection, connection.sealer.seal(encode(message, blob)))

    def send_all(self, connection: Connection, messages: Iterable[tuple[Message, bytes]]) -> None:
        """As ``send``; together, since each call to the system wakes the worker."""
        if not connection.closed and connection.sealer is not None:
            seal = connection.sealer.seal
            self._put(connection, b"".join([seal(encode(message, blob)) for message, blob in messages]))

    def send_piece(self, connection: Connection, digest: str, path: str, offset: int) -> None:
        """Sends what lies in a blob's file from ``offset`` on, up to 1 MiB."""
        with open(path, "rb") as file:
            file.seek(offset)
            piece = file.read(PIECE)
        self.send(connection, Piece(digest, offset, os.path.getsize(path)), piece)

    def _put(self, connection: Connection, data: bytes) -> None:
        if not connection.waiting:
            data = data[self._try_send(connection, data) :]
        if data and not connection.closed:
            connection.waiting.append(data)
            connection.backlog += len(data)
            self._selector.modify(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
            if connection.backlog > BACKLOG:
                self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Closes a connection; nothing more comes from it."""
        if connection.closed:
            return
        connection.closed = True
        for group in (self._strangers, self._shaking, self._connections):
            group.discard(connection)
        self._selector.unregister(connection.sock)
        connection.sock.close()

    def close(self) -> None:
        """Closes everything."""
        for connection in [*self._connections, *self._shaking, *self._strangers]:
            self.drop(connection)
        if self._selector.get_map() is None:
            return
        self._selector.close()
        self._listener.close()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._folder, "broker"))
                os.rmdir(self._folder)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._strangers) >= STRANGERS and not self._make_way():
            self.refused += 1
            self._turn_away(sock)
            return
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, greeting(), time.monotonic())
        self._strangers.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._try_send(connection, connection.greeting)

    def _make_way(self) -> bool:
        """Drops the stranger that has been silent for longest, if it had time to speak."""
        oldest = min(self._strangers, key=lambda each: each.since, default=None)
        if oldest is None or time.monotonic() - oldest.since < GRACE:
            return False
        self.refused += 1
        self.drop(oldest)
        return True

    def _turn_away(self, sock: socket.socket) -> None:
        """Greets all the same: a worker that was cut off takes a silent close for the end of the sweep."""
        with sock, contextlib.suppress(OSError):
            sock.setblocking(False)
            sock.send(greeting())

    def _read(self, connection: Connection, received: list[Received]) -> None:
        try:
            data = connection.sock.recv(1 << 18 if connection.keys else REPLY_SIZE - len(connection.reply))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        try:
            if data:
                for body in self._take(connection, data):
                    received.append(Received(connection, *decode(body)))
                return
            why = _ENDED
        except WireError as error:
            why = f"it sent what cannot be read: {error}"
        self._end(connection, why, received)

    def _end(self, connection: Connection, why: str, received: list[Received]) -> None:
        known = connection in self._connections
        self.refused += not known
        self.drop(connection)
        if known:
            received.append(Received(connection, None, why=why))

    def _take(self, connection: Connection, data: bytes) -> list[bytes]:
        """What ``data`` completes: a step of the handshake, or bodies of messages.

        Raises:
            WireError: it is not what the other side must send.
        """
        if connection.keys is None:
            self._authenticate(connection, data)
            return []
        if connection.opener is None:
            data = self._shake(connection, data)
            if connection.opener is None:
                return []
        connection.heard = time.monotonic()
        return connection.opener.feed(data)

    def _authenticate(self, connection: Connection, data: bytes) -> None:
        connection.reply += data
        if len(connection.reply) < REPLY_SIZE:
            return
        keys = connection.keys = verify_reply(self._secret, connection.greeting, connection.reply)
        self._strangers.discard(connection)
        self._put(connection, keys.proof(b"server"))
        if self._tls is None:
            self._admit(connection, keys)
        else:
            connection.tls = Tls(self._tls, server=True)
            self._shaking.add(connection)

    def _shake(self, connection: Connection, data: bytes) -> bytes:
        """Goes on with TLS; what came behind its handshake lies in it, so nothing is left of ``data``."""
        assert connection.tls is not None and connection.keys is not None
        self._put(connection, connection.tls.shake(data))
        if connection.tls.ready:
            self._admit(connection, connection.keys)
        return b""

    def _admit(self, connection: Connection, keys: Keys) -> None:
        connection.opener = Opener(keys.to_server, connection.tls)
        connection.sealer = Sealer(keys.to_client, connection.tls)
        connection.heard = time.monotonic()
        self._shaking.discard(connection)
        self._connections.add(connection)

    def _try_send(self, connection: Connection, data: bytes) -> int:
        try:
            return connection.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return len(data)  # its end is seen when the socket is read

    def _flush(self, connection: Connection) -> None:
        while connection.waiting:
            frame = connection.waiting.popleft()
            sent = self._try_send(connection, frame)
            connection.backlog -= sent
            if sent < len(frame):
                connection.waiting.appendleft(frame[sent:])
                return
        self._selector.modify(connection.sock, selectors.EVENT_READ, connection)

    def _drop_slow(self) -> None:
        since = time.monotonic() - HANDSHAKE * slowness()
        for connection in [c for c in self._strangers | self._shaking if c.since < since]:
            self.refused += 1
            self.drop(connection)
