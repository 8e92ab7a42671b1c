"""Ports of servers: whether one can be had, before anything is started."""

from __future__ import annotations

import socket

from sparkml_track.errors import SetupError

__all__ = ["check_port"]


def check_port(host: str, port: int, option: str = "--port") -> None:
    """Binds a port and lets it go.

    Args:
        host: an address of this machine, or its name.
        port: to listen on.
        option: by which another one is given.

    Raises:
        SetupError: it is in use, or is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As the server binds: a port in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        raise SetupError(f"the host {host!r} is not known; give an address of this machine with --host") from None
    except OSError as error:
        text = f"port {port} is in use" if error.errno == 98 else f"{host}:{port} cannot be had: {error}"
        raise SetupError(f"{text}; give another one with {option}") from None
