"""What the Spark task of a worker calls."""

from __future__ import annotations

import socket

from .config import Config
from .wire.frames import WireError
from .worker import Worker

__all__ = ["UNREACHABLE", "Config", "main"]

#: How the message of a worker begins that did not find the broker.
UNREACHABLE = "the driver cannot be reached"


def main(config: Config) -> str:
    """What the Spark task calls.

    Returns:
        Why the broker could not be reached, else nothing: no failure of the task, which Spark would only repeat.
    """
    try:
        worker = Worker(config)
    except (OSError, WireError) as error:
        where = ":".join(map(str, config.address[1:]))
        return f"{UNREACHABLE} at {where} from {socket.gethostname()}: {error}"
    worker.run()
    return ""
