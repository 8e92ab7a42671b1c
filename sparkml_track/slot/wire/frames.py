"""Frames between driver, worker, template and child.

    frame  = u32 length of the rest | mac (16 bytes, only on keyed channels) | body
    body   = u32 length of head | head (a list in JSON, UTF-8) | blob

The mac is BLAKE2b (RFC 7693) keyed with the direction's key; the frame counter is its salt, so a frame can be neither
altered, dropped, repeated nor moved. Keys come from a handshake of fixed sizes in which each side proves that
it knows the secret before the other decodes anything:

    server -> client   MAGIC, nonce_s
    client -> server   nonce_c, proof("client")
    server -> client   proof("server")

Where the connection is encrypted, too, that begins after the proofs, and everything above lies inside.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
from collections.abc import Callable
from hashlib import blake2b
from struct import Struct
from struct import error as StructError
from typing import Protocol

from .json_text import json_writer

__all__ = [
    "GREETING_SIZE",
    "MAX_FRAME",
    "PART",
    "PAYLOAD_LIMIT",
    "PROOF_SIZE",
    "REPLY_SIZE",
    "Address",
    "Cipher",
    "Head",
    "Keys",
    "Opener",
    "Sealer",
    "WireError",
    "connect",
    "greeting",
    "pack",
    "unpack",
    "verify_reply",
]

#: Of a body: the name of a message, and its fields in order.
Head = list[object]
#: ("unix", path) or ("tcp", host, port)
Address = tuple[str, str] | tuple[str, str, int]

MAGIC = b"sparkml-wire-1\n\0"
NONCE = 16
MAC = 16
GREETING_SIZE = len(MAGIC) + NONCE
REPLY_SIZE = NONCE + 32
PROOF_SIZE = 32
#: The longest frame that is taken, in bytes; longer things travel in pieces.
MAX_FRAME = 8 << 20
#: Bytes of a payload that go in one message; what is larger goes in parts, or lies in a file.
PART = 1 << 20
#: Bytes that an attempt may give back where nobody says otherwise.
PAYLOAD_LIMIT = 64 << 20

_U32 = Struct("<I")


_dumps = json_writer(ascii_only=False)
_read = json.JSONDecoder().raw_decode  # decode() looks for blanks around it by regular expressions


class WireError(Exception):
    """The other side does not speak this protocol, or does not know the secret. The connection must be closed."""


def pack(head: Head, blob: bytes = b"") -> bytes:
    """Makes a body."""
    text = _dumps(head).encode()
    return b"".join((_U32.pack(len(text)), text, blob)) if blob else _U32.pack(len(text)) + text


def unpack(body: bytes) -> tuple[Head, bytes]:
    """Takes a body apart into head and blob.

    Raises:
        WireError: it is not one.
    """
    try:
        end = 4 + _U32.unpack_from(body)[0]
        text = body[4:end].decode()
        head, stop = _read(text)
    except (ValueError, RecursionError, StructError) as error:
        raise WireError(f"frame cannot be read: {error}") from None
    if type(head) is not list or not head or end > len(body) or stop != len(text):
        raise WireError("frame holds no list")
    return head, body[end:]


class Cipher(Protocol):
    """Encrypts one end of a connection, as a stream of bytes. What comes in may be cut anywhere."""

    def encrypt(self, data: bytes) -> bytes:
        """What is to be sent for ``data``."""

    def decrypt(self, data: bytes) -> bytes:
        """What came with ``data``.

        Raises:
            WireError: it is not what the other side sent, or that has ended.
        """


class Sealer:
    """Makes frames of bodies, in one direction of one connection."""

    def __init__(self, key: bytes | None = None, cipher: Cipher | None = None) -> None:
        self._key = key
        self._count = 0
        self._cipher = cipher

    def seal(self, body: bytes) -> bytes:
        """Returns what is to be sent: the frame, encrypted where the connection is."""
        if self._key is None:
            return _U32.pack(len(body)) + body
        mac = _mac(self._key, self._count, body)
        self._count += 1
        frame = b"".join((_U32.pack(len(body) + MAC), mac, body))
        return frame if self._cipher is None else self._cipher.encrypt(frame)


class Opener:
    """Takes bodies out of a stream of bytes, in one direction of one connection."""

    def __init__(self, key: bytes | None = None, cipher: Cipher | None = None) -> None:
        self._key = key
        self._count = 0
        self._cipher = cipher
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Takes what was received.

        Returns:
            The bodies that are complete now.

        Raises:
            WireError: a frame is too long or its mac is wrong.
        """
        buffer = self._buffer
        buffer += data if self._cipher is None else self._cipher.decrypt(data)
        bodies: list[bytes] = []
        start = 0
        while len(buffer) - start >= 4:
            size = _U32.unpack_from(buffer, start)[0]
            if size > MAX_FRAME:
                raise WireError(f"frame of {size} bytes, allowed are {MAX_FRAME}")
            if len(buffer) - start - 4 < size:
                break
            bodies.append(self._open(bytes(buffer[start + 4 : start + 4 + size])))
            start += 4 + size
        if start:
            del buffer[:start]
        return bodies

    def _open(self, frame: bytes) -> bytes:
        if self._key is None:
            return frame
        body = frame[MAC:]
        if len(frame) < MAC or not hmac.compare_digest(frame[:MAC], _mac(self._key, self._count, body)):
            raise WireError("frame is not authentic")
        self._count += 1
        return body


class Keys:
    """The two direction keys of a connection, from the secret and both nonces."""

    def __init__(self, secret: bytes, nonces: bytes) -> None:
        self._secret, self._nonces = secret, nonces
        self.to_server = self._derive(b"to server")
        self.to_client = self._derive(b"to client")

    def proof(self, side: bytes) -> bytes:
        """What shows that ``side`` knows the secret."""
        return self._derive(b"proof " + side)

    def _derive(self, purpose: bytes) -> bytes:
        return blake2b(self._nonces, key=self._secret, digest_size=32, person=purpose).digest()


def _mac(key: bytes, count: int, body: bytes) -> bytes:
    return blake2b(body, key=key, digest_size=MAC, salt=count.to_bytes(16, "little")).digest()


def greeting() -> bytes:
    """What a server sends first; its last bytes are the nonce."""
    return MAGIC + os.urandom(NONCE)


def verify_reply(secret: bytes, sent: bytes, reply: bytes) -> Keys:
    """Checks the client's answer to ``sent`` on the server.

    Raises:
        WireError: the client does not know the secret.
    """
    keys = Keys(secret, sent[-NONCE:] + reply[:NONCE])
    if not hmac.compare_digest(reply[NONCE:], keys.proof(b"client")):
        raise WireError("client does not know the secret")
    return keys


def connect(
    address: Address, secret: bytes, timeout: float, encrypt: Callable[[socket.socket], Cipher] | None = None
) -> tuple[socket.socket, Sealer, Opener]:
    """Connects to a server and proves the secret both ways.

    Args:
        address: of the server.
        secret: shared with it.
        timeout: seconds for each step.
        encrypt: goes over to an encrypted connection once both sides are proved; None leaves it plain.

    Raises:
        OSError: there is nobody, or not in time.
        WireError: whoever is there is not our server.
    """
    sock = _dial(address, timeout)
    try:
        sent = _receive(sock, GREETING_SIZE)
        if not sent.startswith(MAGIC):
            raise WireError("what listens there is no broker of this version")
        nonce = os.urandom(NONCE)
        keys = Keys(secret, sent[-NONCE:] + nonce)
        sock.sendall(nonce + keys.proof(b"client"))
        if not hmac.compare_digest(_receive(sock, PROOF_SIZE), keys.proof(b"server")):
            raise WireError("broker does not know the secret")
        cipher = encrypt(sock) if encrypt is not None else None
    except BaseException:
        sock.close()
        raise
    return sock, Sealer(keys.to_server, cipher), Opener(keys.to_client, cipher)


def _dial(address: Address, timeout: float) -> socket.socket:
    if address[0] == "unix":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(address[1])
        return sock
    sock = socket.create_connection((address[1], int(address[2])), timeout)  # type: ignore[misc]
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise WireError("connection closed during the handshake")
        data += piece
    return data
