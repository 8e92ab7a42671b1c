"""Executors: what executes attempts. ``open_executor`` chooses a member.

    _base      the contract
    _inline    one at a time on a thread of this process; the twin
    _driver    threads of the driver, for objectives that use Spark themselves
    _resident  workers that stay in their slots and pull attempts from a broker
    _jobs      a Spark job for each attempt
    _fallback  resident workers, or jobs where slots cannot reach the driver
    _gangs     attempts of several processes, each at a resident worker
    _spark     what of these knows Spark
    _shipping  objective, data and code on their way to slots; artifacts on their way back
    _attempts  attempts and outcomes as messages, and what became of lost ones

The way of an attempt, with resident workers:

    attempt    _resident/executor.py -> _resident/assignment.py -> _resident/broker.py
    worker     _spark/worker_launcher.py started it in a Spark task: ``slot/worker.py``
    outcome    _attempts/messages.py -> _attempts/outbox.py
    child run  the engine's: ``engine/publishing/publisher.py``
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sparkml_track.errors import SetupError, SpecError
from sparkml_track.executors._base import (
    WITHOUT_GANGS,
    Capabilities,
    Ended,
    Event,
    Executor,
    Logged,
    Lost,
    Questioned,
    Reported,
    Resources,
    SlotsChanged,
    Started,
    Work,
    no_gangs,
    refuse_gangs,
)

__all__ = [
    "NAMES",
    "WITHOUT_GANGS",
    "Capabilities",
    "Ended",
    "Event",
    "Executor",
    "Logged",
    "Lost",
    "Questioned",
    "Reported",
    "Resources",
    "SlotsChanged",
    "Started",
    "Work",
    "by_value_for",
    "no_gangs",
    "open_executor",
    "slots_of",
]

#: Slots that dynamic allocation may bring and that are counted on.
_WAITING = 64
#: What ``executor=`` may be.
NAMES = ("auto", "resident", "jobs", "driver", "inline", "processes")

_log = logging.getLogger(__name__)


def open_executor(name: str, work: Work, session: object | None) -> Executor:
    """Opens an executor.

    "auto" takes "resident" on a session with a SparkContext, "jobs" on Spark Connect, and goes over from "resident" to
    "jobs" when slots on other hosts turn out not to reach the driver; it logs which and why.

    Args:
        name: one of ``NAMES``; "processes" has the workers of "resident" as plain processes of this host, without
            Spark.
        work: what all attempts share.
        session: the Spark session; not needed for "inline" and "processes".

    Raises:
        SpecError: the name is unknown, or no slot can have the resources.
        SetupError: a session is needed and there is none, or not of the kind; or the executor has no gangs.
        PreflightError: a gang needs more slots than there can be.
    """
    if name not in NAMES:
        raise SpecError(f"executor is {name!r}; allowed are {', '.join(NAMES)}")
    try:
        return _open(name, work, session, secrets.token_hex(8))
    except PermissionError as error:
        raise SetupError(f"the driver's temporary folder cannot be used: {error}") from None


def by_value_for(code: Sequence[str]) -> Callable[[], AbstractContextManager[None]]:
    """Makes what must be around each pickling by cloudpickle for slots that do not read the driver's files.

    Args:
        code: folders that slots get; what is defined in other modules that are not installed is pickled by value.
    """
    from sparkml_track.executors._shipping.by_value import modules_by_value, taken_apart

    modules = modules_by_value(code)
    return lambda: taken_apart(modules)


def slots_of(name: str, resources: Resources, session: object | None) -> tuple[int, bool]:
    """How many slots an executor would have now, and whether they read the driver's files; opens nothing.

    Args:
        name: one of ``NAMES``.
        resources: of a slot.
        session: the Spark session, if the executor needs one.

    Raises:
        SpecError: no slot can have the resources.
        SlotsLost: a Spark Connect server does not answer.
    """
    if session is None or name in ("inline", "processes"):
        return (1 if name == "inline" else os.cpu_count() or 1), True
    from sparkml_track.executors._spark.job_submitters import ConnectJobs, is_connect
    from sparkml_track.executors._spark.resources import grant, is_local

    if is_connect(session):
        return ConnectJobs(session, resources).slots(), False
    context = session.sparkContext  # type: ignore[attr-defined]
    granted = grant(context, resources)
    return max(granted.slots(), min(granted.most, _WAITING)), is_local(context)


def _open(name: str, work: Work, session: object | None, token: str) -> Executor:
    if name == "inline":
        from sparkml_track.executors._inline import InlineExecutor

        return InlineExecutor(work, token)
    if name == "processes":
        from sparkml_track.executors._gangs.executor import open_resident
        from sparkml_track.executors._resident.fleet import Fleet
        from sparkml_track.executors._resident.launcher import LocalLauncher

        return open_resident(work, Fleet(LocalLauncher(work.parallelism or os.cpu_count() or 1), token))
    if session is None:
        raise SetupError(f"executor {name!r} needs a Spark session; pass spark=..., or take executor='processes'")
    return _on_spark(name, work, session, token)


def _on_spark(name: str, work: Work, session: object, token: str) -> Executor:
    from sparkml_track.executors._spark.job_submitters import is_connect

    if name == "driver":
        from sparkml_track.executors._driver.executor import DriverExecutor
        from sparkml_track.executors._spark.job_groups import scope_of

        _log.info("executor: driver, threads of this process")
        return DriverExecutor(work, scope_of(session), token)
    if is_connect(session):
        if name == "resident":
            raise SetupError("executor 'resident' needs a session with a SparkContext; Spark Connect has 'jobs'")
        _log.info("executor: jobs, because Spark Connect has no SparkContext; reports arrive only with the outcome")
        return _open_jobs(work, session, token)
    if name == "jobs":
        _log.info("executor: jobs, as asked for; reports arrive only with the outcome")
        return _open_jobs(work, session, token)
    return _open_resident(name, work, session, token)


def _open_resident(name: str, work: Work, session: object, token: str) -> Executor:
    from sparkml_track.executors._gangs.executor import open_resident
    from sparkml_track.executors._spark.fleets import fleet_on

    fleet = fleet_on(session, work.resources, token)
    resident = open_resident(work, fleet)
    if name == "resident" or fleet.launcher.shared_host or work.gang > 1:
        return resident
    from sparkml_track.executors._fallback import FallbackExecutor

    return FallbackExecutor(resident, lambda: _open_jobs(work, session, secrets.token_hex(8)))


def _open_jobs(work: Work, session: object, token: str) -> Executor:
    from sparkml_track.executors._jobs.executor import JobsExecutor
    from sparkml_track.executors._spark.job_submitters import ClassicJobs, ConnectJobs, is_connect

    refuse_gangs("jobs", work)
    submitter = ConnectJobs if is_connect(session) else ClassicJobs
    return JobsExecutor(work, submitter(session, work.resources), token)
