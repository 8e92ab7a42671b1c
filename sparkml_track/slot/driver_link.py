"""The way to the driver: what a worker fetches, takes and sends over its connection to the broker."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

from .config import Config
from .wire.address import cipher_of, nobody_listens
from .wire.frames import WireError, connect
from .wire.load import slowness
from .wire.messages import Bye, Get, Hello, Message, Piece, Refuse, Welcome, decode, encode

__all__ = ["DriverLink", "Goodbye"]

M = TypeVar("M", bound=Message)


class Goodbye(Exception):
    """The broker has no more for this worker, or is gone.

    Attributes:
        over: so is the sweep; else workers may come to this host again.
        rests: there is nothing to do for this one.
    """

    def __init__(self, over: bool, rests: bool = False) -> None:
        super().__init__()
        self.over = over
        self.rests = rests


class DriverLink:
    """A connection to the broker. Threads: one.

    Attributes:
        inbox: what came and nobody took.
        sent: when something was sent last, by the monotonic clock.

    Raises:
        OSError: nobody is there.
        WireError: it is not our broker.
    """

    def __init__(self, config: Config) -> None:
        self._address = config.address
        self._sock, self._sealer, self._opener = connect(
            config.address, config.secret, config.connect_timeout * slowness(), cipher_of(config.certificate)
        )
        self.inbox: deque[tuple[Message, bytes]] = deque()
        self.sent = time.monotonic()
        self._kept = bytearray()

    def fileno(self) -> int:
        """Of its socket."""
        return self._sock.fileno()

    @property
    def own_address(self) -> str:
        """The address of this host by which the driver, and so other hosts, reach it."""
        ours = self._sock.getsockname()
        return str(ours[0]) if isinstance(ours, tuple) else "127.0.0.1"

    def close(self) -> None:
        """Ends the connection."""
        self._sock.close()

    def introduce(self, slot: int, refused: Callable[[], None]) -> None:
        """Waits until this worker has its place: a copy of another worker does until that one is gone.

        Raises:
            RuntimeError: it is refused, and ``refused`` was called.
        """
        self.send(Hello(platform.python_version(), socket.gethostname(), os.getpid(), slot))
        self._sock.settimeout(None)
        message, _ = self.receive(Welcome, Refuse)
        if isinstance(message, Refuse):
            refused()
            raise RuntimeError(message.message)

    def send(self, message: Message, blob: bytes = b"") -> None:
        """Sends a message.

        Raises:
            Goodbye: the broker is gone.
        """
        self.send_body(encode(message, blob))

    def send_body(self, body: bytes) -> None:
        """Sends what ``encode`` made, after what was kept."""
        self.keep_body(body)
        self.flush()

    def keep_body(self, body: bytes) -> None:
        """Keeps what ``encode`` made until the next flush: messages that come together wake the driver once."""
        self._kept += self._sealer.seal(body)

    def flush(self) -> None:
        """Sends what was kept.

        Raises:
            Goodbye: the broker is gone.
        """
        if not self._kept:
            return
        try:
            self._sock.sendall(self._kept)
        except OSError:
            raise self._cut_off() from None
        self._kept.clear()
        self.sent = time.monotonic()

    def read(self) -> None:
        """Takes what came into the inbox; waits if nothing did.

        Raises:
            Goodbye: the broker is gone.
        """
        try:
            data = self._sock.recv(1 << 18)
            if data:
                self.inbox.extend(decode(body) for body in self._opener.feed(data))
                return
        except (OSError, WireError):
            pass
        raise self._cut_off()

    def receive(self, *kinds: type[Message]) -> tuple[Message, bytes]:
        """Waits for one of these messages; others keep their place.

        Raises:
            Goodbye: the broker said so, or is gone.
        """
        while True:
            for i, (message, blob) in enumerate(self.inbox):
                if isinstance(message, Bye):
                    raise Goodbye(message.over, message.rests)
                if isinstance(message, kinds):
                    del self.inbox[i]
                    return message, blob
            self.read()

    def taken(self, kind: type[M]) -> list[M]:
        """Takes all messages of one kind that have come."""
        found: list[M] = [message for message, _ in self.inbox if isinstance(message, kind)]
        self.inbox = deque(each for each in self.inbox if not isinstance(each[0], kind))
        return found

    def fetch(self, digest: str) -> Iterator[bytes]:
        """The bytes of a blob, in pieces."""
        offset = 0
        while True:
            self.send(Get(digest, offset))
            message, piece = self.receive(Piece)
            yield piece
            offset += len(piece)
            if isinstance(message, Piece) and offset >= message.size:
                return

    def _cut_off(self) -> Goodbye:
        """A driver that still listens gave up this worker only; its sweep goes on."""
        return Goodbye(over=nobody_listens(self._address))
