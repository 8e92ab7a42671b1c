"""The error that the second driver of a sweep gets."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime

from sparkml_track.journals._base import Holder

__all__ = ["held_message"]


def held_message(sweep: str, holder: Holder, epoch: int) -> str:
    """Names the first driver's host and pid, and the way out."""
    since = datetime.fromtimestamp(holder.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"sweep {sweep!r} is held by another live driver: pid {holder.pid} on host {holder.host}, since {since} "
        f"(driver {epoch} of this sweep). A sweep has one driver at a time. {_way_out(holder)}, "
        "or start a new sweep with resume='never'"
    )


def _way_out(holder: Holder) -> str:
    here = holder.host == socket.gethostname()
    if here and holder.pid == os.getpid():
        return "That is this process: let the sweep that runs in it end first"
    where = "" if here else f" on {holder.host}"
    return f"Wait for it to end, or stop it (kill {holder.pid}{where}), and run the same command again"
