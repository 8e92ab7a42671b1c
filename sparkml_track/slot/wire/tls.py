"""TLS 1.3 on a connection whose two sides have proved the secret (see ``wire``), with one certificate pinned.

TLS begins after the proofs, so a stranger at the broker's port costs what it costs without TLS, and never reaches the
TLS library. Bytes go through memory: the socket stays the caller's, who polls, reads and writes it as before, and
nothing can lie inside the library that a poll does not see.
"""

from __future__ import annotations

import socket
import ssl

from .frames import WireError

__all__ = ["Tls", "pinned"]

#: A TLS record holds no more.
_RECORD = 1 << 14


class Tls:
    """One end. After ``shake`` has made it ready it is a ``wire.Cipher``.

    Args:
        context: of this side.
        server: this is the broker.

    Attributes:
        ready: the handshake is over.
    """

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=server)
        self.ready = False

    @property
    def certificate(self) -> bytes:
        """What the other side showed, in DER; empty for none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def shake(self, received: bytes = b"") -> bytes:
        """Goes on with the handshake.

        Returns:
            What must be sent.

        Raises:
            WireError: the other side does not speak TLS 1.3, or shows a certificate that is not trusted.
        """
        self._in.write(received)
        try:
            self._tls.do_handshake()
            self.ready = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise WireError(f"no TLS: {error.reason or error}") from None
        return self._out.read()

    def encrypt(self, data: bytes) -> bytes:
        """What must be sent so that ``data`` arrives."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        return self._out.read()

    def decrypt(self, data: bytes) -> bytes:
        """What arrived with ``data``, which may end in the middle of a record.

        Raises:
            WireError: the other side ended TLS, or it is not what that sent.
        """
        self._in.write(data)
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(_RECORD):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return b"".join(pieces)
        except ssl.SSLError as error:
            raise WireError(f"no TLS: {error.reason or error}") from None
        raise WireError("closed")


def pinned(certificate: str, sock: socket.socket) -> Tls:
    """Goes over to TLS on the worker's side of a connection.

    Args:
        certificate: the only one that is believed, in PEM. Host names and the system's authorities do not count.
        sock: blocks, with a timeout.

    Raises:
        OSError: the broker is gone or too slow.
        WireError: what is there does not have this certificate and its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=certificate)
    tls = Tls(context, server=False)
    sock.sendall(tls.shake())
    while not tls.ready:
        data = sock.recv(_RECORD)
        if not data:
            raise WireError("connection closed during the TLS handshake")
        sock.sendall(tls.shake(data))
    if tls.certificate != ssl.PEM_cert_to_DER_cert(certificate):
        raise WireError("the broker shows another certificate than this task was given")
    return tls
