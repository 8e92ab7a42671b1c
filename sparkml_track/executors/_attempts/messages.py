"""Attempts and outcomes as messages."""

from __future__ import annotations

import platform
import re
from collections import deque

import cloudpickle

from sparkml_track.executors._base import Ended, Event
from sparkml_track.slot.wire.messages import Run
from sparkml_track.trial import Attempt, Outcome, State

__all__ = ["not_loaded", "other_python", "run_message", "take_back"]


def take_back(waiting: deque[Attempt], attempt: str, reason: str) -> list[Event]:
    """Ends an attempt that has not begun; the events of it, none if it does not wait."""
    for one in waiting:
        if one.id == attempt:
            waiting.remove(one)
            outcome = Outcome(State.KILLED, reason=reason, message=f"ended before it began: {reason}")
            return [Ended(attempt, outcome)]
    return []


def run_message(attempt: Attempt) -> Run:
    """What a worker is sent."""
    trial = attempt.trial
    run = Run(attempt.id, trial.number, trial.params, trial.seed, attempt.unit.name, attempt.number, attempt.timeout)
    if attempt.world > 1:
        run = run._replace(rank=attempt.rank, world=attempt.world)
    return run if attempt.along is None else run._replace(along=attempt.along)


def not_loaded(host: str, said: str, theirs: str = "") -> str:
    """Why slots cannot execute the objective, and what helps; ``theirs`` is the version of cloudpickle there."""
    if theirs and theirs != cloudpickle.__version__:
        return (
            f"the objective cannot be loaded on {host}, which has cloudpickle {theirs}; the driver has "
            f"{cloudpickle.__version__}: install the same version on all hosts; {said}"
        )
    shared = re.match(r"NotShared: (.*): (.*)", said)
    if shared is not None:
        return (
            f"slots on {host} cannot write the folder {shared[1]} that the driver made ({shared[2]}): checkpoint_root "
            "and artifact_root must be folders of storage that is mounted at the same path on the driver and on all "
            "hosts of slots, and writable for the user they run as; mount it there, or leave the setting out"
        )
    missing = re.match(r"ModuleNotFoundError: No module named '([^']+)'", said)
    if missing is None:
        return f"the objective cannot be loaded on {host}: {said}"
    return (
        f"slots lack the module {missing[1]!r} that the objective imports (seen on {host}): install it on all hosts, "
        f"or list the folder it lies in under code; {said}"
    )


def other_python(theirs: str, host: str) -> str:
    """Why slots of this Python cannot read what the driver pickles; empty if they can."""
    ours = platform.python_version()
    if theirs.split(".")[:2] == ours.split(".")[:2]:
        return ""
    return (
        f"slots run Python {theirs} (on {host}), the driver Python {ours}; "
        "set PYSPARK_PYTHON to the same interpreter on all hosts"
    )
