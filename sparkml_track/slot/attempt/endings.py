"""How an attempt is told to have ended that could not tell it itself."""

from __future__ import annotations

import signal
import time

from ..wire.frames import Message

__all__ = ["begun", "died", "killed"]


def begun(message: Message) -> Message:
    """The ``run`` message of an attempt that begins now: ``since`` by the host's clock, ``tick`` by one nobody sets."""
    return {**message, "since": time.time(), "tick": time.monotonic()}


def killed(message: Message, reason: str) -> Message:
    """The ``done`` message of an attempt that was ended; ``message`` is what ``begun`` made."""
    text = f"over the limit of {message.get('timeout')} s" if reason == "timeout" else f"ended: {reason}"
    return {**_end(message), "state": "killed", "reason": reason, "message": text}


def died(message: Message, status: int | None) -> Message:
    """The ``done`` message of an attempt whose process ended by itself, with an exit code or minus the signal."""
    if status is not None and status < 0:
        reason, text = "signal", f"the process was ended by signal {-status} ({_signal_name(-status)})"
    else:
        reason, text = "exit", f"the process exited by itself with status {status}"
    return {**_end(message), "state": "failed", "reason": reason, "message": text}


def _end(message: Message) -> Message:
    took = time.monotonic() - float(message["tick"])  # type: ignore[arg-type]
    return {"op": "done", "attempt": message["attempt"], "started": message["since"], "duration": took}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
