"""Whether a Spark Connect server is there: its own client asks one that is away for ten minutes, without a word."""

from __future__ import annotations

import logging
import socket
import time
from urllib.parse import urlsplit

__all__ = ["address_of", "wait_for_server"]

_log = logging.getLogger(__name__)
#: Seconds for which a server may be away before anything begins, and between two tries.
_AWAY = 20.0
_BETWEEN = 0.5
_PORT = 15002


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a URL such as ``sc://host:15002/;token=...``.

    Raises:
        ValueError: the port is not a number, or there is no host.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("the URL names no host; allowed is sc://HOST[:PORT]")
    return parts.hostname, parts.port or _PORT


def wait_for_server(address: tuple[str, int], longest: float = _AWAY) -> None:
    """Waits until something listens there, and logs that it does.

    Raises:
        OSError: nothing does after ``longest`` seconds.
    """
    until = time.monotonic() + longest
    logged = False
    while True:
        try:
            with socket.create_connection(address, 2.0):
                return
        except OSError:
            if time.monotonic() > until:
                raise
        if not logged:
            logged = True
            _log.warning("the Spark Connect server at %s:%d is away; waiting %g s for it", *address, longest)
        time.sleep(_BETWEEN)
