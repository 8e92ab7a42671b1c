"""The driver as a slot sees it: how to speak to it, and whether it is still there."""

from __future__ import annotations

import socket
from collections.abc import Callable

from .frames import Address, Cipher

__all__ = ["cipher_of", "nobody_listens"]


def cipher_of(certificate: str) -> Callable[[socket.socket], Cipher] | None:
    """What makes a connection to the broker a private one; None without a certificate."""
    if not certificate:
        return None
    from .tls import pinned  # only here: a worker without TLS need not load OpenSSL

    return lambda sock: pinned(certificate, sock)


def nobody_listens(address: Address, timeout: float = 5.0) -> bool:
    """Whether the driver has ended, as far as is known: a network in between may only be down for a while.

    Args:
        address: of its broker.
        timeout: seconds for an answer; a driver that is busy, or speaks TLS, gives none and is taken to live.
    """
    family = socket.AF_UNIX if address[0] == "unix" else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout)
            sock.connect(address[1] if family == socket.AF_UNIX else address[1:])
            # A driver that is just ending may have closed our connection before its listener; one that lives greets.
            return not sock.recv(1)
    except (ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
        return True
    except OSError:
        pass
    return False
