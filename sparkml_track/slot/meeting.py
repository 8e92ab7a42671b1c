"""Where the ranks of a gang meet, and what each finds of it in its environment."""

from __future__ import annotations

import socket

from .wire.messages import Met, Run

__all__ = ["Meeting", "at_its_devices"]


class Meeting:
    """A port of this host that is kept free for the first rank of a gang. Threads: one."""

    def __init__(self) -> None:
        self._held: socket.socket | None = None

    def offer(self, attempt: str, address: str) -> Met:
        """Keeps a port from now on; the one before is let go.

        Args:
            attempt: of the first rank.
            address: by which others reach this host.

        Raises:
            OSError: there is none.
        """
        self.free()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._held = socket.socket(family, socket.SOCK_STREAM)
        self._held.bind(("", 0))  # of all interfaces: what listens there may take any
        return Met(attempt, address, int(self._held.getsockname()[1]))

    def free(self) -> None:
        """Lets the port go, for who was promised it."""
        if self._held is not None:
            self._held.close()
            self._held = None


def at_its_devices(run: Run, gpus: str) -> Run:
    """An attempt that sees the accelerators of its slot alone, counted from 0: it is the only rank of its node."""
    if not gpus:
        return run
    node = {"LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "GROUP_RANK": run.rank, "GROUP_WORLD_SIZE": run.world}
    return run._replace(gpus=gpus, env={**run.env, **node} if run.world > 1 else run.env)
