"""Executors: what executes attempts. The contract is in ``_base``; ``open_executor`` chooses a member."""

from __future__ import annotations

import logging
import os
import secrets

from sparkml_track.errors import SetupError, SpecError
from sparkml_track.executors._base import (
    Capabilities,
    Ended,
    Event,
    Executor,
    Lost,
    Reported,
    Resources,
    SlotsChanged,
    Started,
    Work,
)

__all__ = [
    "NAMES",
    "Capabilities",
    "Ended",
    "Event",
    "Executor",
    "Lost",
    "Reported",
    "Resources",
    "SlotsChanged",
    "Started",
    "Work",
    "open_executor",
]

#: What ``executor=`` may be.
NAMES = ("auto", "resident", "jobs", "driver", "inline", "processes")

_log = logging.getLogger(__name__)


def open_executor(name: str, work: Work, session: object | None) -> Executor:
    """Opens an executor.

    Args:
        name: one of ``NAMES``; "processes" has the workers of "resident" as plain processes of this host, without
            Spark.
        work: what all attempts share.
        session: the Spark session; not needed for "inline" and "processes".

    Raises:
        SpecError: the name is unknown, or that member is not there.
        SetupError: a session is needed and there is none.
    """
    token = secrets.token_hex(8)
    if name == "inline":
        from sparkml_track.executors._inline import InlineExecutor

        return InlineExecutor(work, token)
    from sparkml_track.executors._resident import ResidentExecutor

    if name == "processes":
        from sparkml_track.executors._launchers import LocalLauncher

        return ResidentExecutor(work, LocalLauncher(work.parallelism or os.cpu_count() or 1), token)
    if name not in ("auto", "resident"):
        raise SpecError(f"executor {name!r} is not there; allowed are {', '.join(NAMES)}")
    if session is None:
        raise SetupError(f"executor {name!r} needs a Spark session; pass spark=..., or take executor='processes'")
    from sparkml_track.executors._spark import SparkLauncher, door_of

    _log.info("executor: resident, on %s", type(session).__name__)
    launcher = SparkLauncher(session, token, work.resources)
    return ResidentExecutor(work, launcher, token, door=None if launcher.shared_host else door_of(launcher.context))
