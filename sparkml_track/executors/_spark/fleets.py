"""The workers of a Spark application: those that stayed after its last sweep, or new ones.

Settings: see ``worker_launcher``.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from functools import partial
from typing import Any

from sparkml_track.errors import SpecError
from sparkml_track.executors._base import Resources
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.lot import Lot
from sparkml_track.executors._resident.slot import Limits, ListenAddress, own_address
from sparkml_track.executors._spark.resources import conf_of
from sparkml_track.executors._spark.worker_launcher import SparkLauncher

__all__ = ["fleet_on", "let_go", "limits_of", "listen_address_of"]

_log = logging.getLogger(__name__)
#: The application, and what a slot has.
_Kind = tuple[str, Resources]
#: Of this process: an application has one driver.
_LOT: Lot[_Kind] = Lot()


def fleet_on(session: Any, resources: Resources, token: str) -> Fleet:
    """Workers for an executor, which owns them.

    Args:
        session: a ``pyspark.sql.SparkSession`` with a SparkContext.
        resources: of a slot.
        token: names new ones.

    Raises:
        SetupError: the session was stopped.
        SpecError: no slot can have these resources, or a setting is none.
    """
    context = session.sparkContext
    kind = (context.applicationId, resources)
    fleet = _LOT.take(kind)
    if fleet is not None:
        _log.info("executor: resident, on workers that stayed after the last sweep")
        return fleet
    limits, launcher = limits_of(context), SparkLauncher(session, token, resources)
    listen = None if launcher.shared_host else listen_address_of(context)
    if listen is not None and listen.port:
        let_go(context)  # those of another kind have the port
    where = "a Unix socket" if listen is None else f"{'TLS' if listen.tls else 'TCP'}, {listen.advertise}"
    _log.info("executor: resident, on %s by %s", context.master, where)
    return Fleet(launcher, token, limits, listen, partial(_park, context, kind) if limits.stay else None)


def let_go(context: Any) -> None:
    """Ends the workers of an application that stayed after a sweep."""
    _LOT.close(lambda kind: kind[0] == context.applicationId)


def _park(context: Any, kind: _Kind, fleet: Fleet) -> None:
    """Lets workers stay; they leave before the application stops, as Spark prints a trace for each task it ends."""
    _LOT.park(kind, fleet)
    if "stop" in vars(context):
        return

    def stop() -> None:
        vars(context).pop("stop", None)
        let_go(context)
        context.stop()

    context.stop = stop


def listen_address_of(context: Any) -> ListenAddress:
    """Where the broker listens: as Spark's own driver does, unless the settings of the module say otherwise."""
    conf = conf_of(context)
    host = conf.get("spark.driver.host", own_address())
    port = conf.get("spark.sparkml.broker.port", "0")
    if not port.isdigit() or int(port) > 65535:
        raise SpecError(f"spark.sparkml.broker.port is {port!r}; allowed is a port, or 0 for any free one")
    tls = conf.get("spark.sparkml.broker.tls", "false").lower()
    if tls not in {"true", "false"}:
        raise SpecError(f"spark.sparkml.broker.tls is {tls!r}; allowed are true and false")
    bind = conf.get("spark.driver.bindAddress", host)
    return ListenAddress(bind, int(port), conf.get("spark.sparkml.broker.host", host), tls == "true")


def limits_of(context: Any) -> Limits:
    """How long to wait for workers, and they for us.

    Raises:
        SpecError: a setting is not a number of seconds.
    """
    timeout = _seconds(context, "spark.sparkml.slots.timeout", "0 to wait for ever")
    stay = _seconds(context, "spark.sparkml.workers.idle", "0 to let workers go with their sweep")
    limits = Limits(stay=60.0 if stay is None else stay)
    return limits if timeout is None else replace(limits, first=timeout or math.inf, none=timeout or math.inf)


def _seconds(context: Any, name: str, zero: str) -> float | None:
    text = conf_of(context).get(name)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise SpecError(f"{name} is {text!r}; allowed are seconds, or {zero}")
    return seconds
