"""How an attempt ended whose process could not say so itself."""

from __future__ import annotations

import signal
import time
from typing import NamedTuple

from ..wire.messages import Done, Run

__all__ = ["Begun", "died", "ended", "garbled", "killed", "too_large"]


class Begun(NamedTuple):
    """An attempt that began: when, by the host's clock, and by one that nobody sets."""

    run: Run
    since: float
    tick: float

    @classmethod
    def now(cls, run: Run) -> Begun:
        """It begins."""
        return cls(run, time.time(), time.monotonic())

    @property
    def took(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self.tick


def killed(begun: Begun, reason: str, log: str = "") -> Done:
    """It was ended by force."""
    text = f"over the limit of {begun.run.timeout} s" if reason == "timeout" else f"ended: {reason}"
    return Done(begun.run.attempt, "killed", begun.since, begun.took, {}, reason, text, log)


def died(begun: Begun, status: int | None, log: str = "") -> Done:
    """Its process ended, with an exit code or minus the signal."""
    if status is not None and status < 0:
        reason, text = "signal", f"the process was ended by signal {-status} ({_signal_name(-status)})"
    else:
        reason, text = "exit", f"the process exited by itself with status {status}"
    return Done(begun.run.attempt, "failed", begun.since, begun.took, {}, reason, text, log)


def ended(begun: Begun, why: str, status: int | None, log: str = "") -> Done:
    """Its process is gone: it was ended for what it sent, if there is a reason, or ended by itself."""
    return garbled(begun, why, log) if why else died(begun, status, log)


def garbled(begun: Begun, why: str, log: str = "") -> Done:
    """Its process sent what is not a message of ours: it, or something in it, wrote into our socket."""
    text = f"its process was ended, since what it sent cannot be read ({why})"
    return Done(begun.run.attempt, "failed", begun.since, begun.took, {}, "result", text, log)


def too_large(limit: int) -> str:
    """Why the process of an attempt is ended that gives back more than it may, which it should have refused."""
    return f"a payload of more than {limit:,} bytes (payload_limit)"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
