"""The host's template, started while the workers still are, so that the objective is imported when they come."""

from __future__ import annotations

import socket
from contextlib import suppress

from sparkml_track.slot.config import Config
from sparkml_track.slot.host.folder import Host
from sparkml_track.slot.joining import template_spec

__all__ = ["EarlyTemplate"]


class EarlyTemplate:
    """Keeps the template from leaving before a worker has come. Threads: one.

    Args:
        host: whose it is.
        config: of the workers; None where they are on other hosts.
    """

    def __init__(self, host: Host, config: Config | None) -> None:
        self._socket: socket.socket | None = None
        if config is None:
            return
        with suppress(OSError):  # the first worker starts one
            self._socket = host.join_template(template_spec(host, config))

    def leave(self) -> None:
        """Workers are there, or will not come. May be called twice."""
        if self._socket is not None:
            self._socket.close()
