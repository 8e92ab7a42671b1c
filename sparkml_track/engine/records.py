"""Accepted results, as journal records and as child runs."""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.engine.summary import Result
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Report, State

__all__ = ["accepted_body", "child_run", "last_reported"]


def last_reported(reports: Sequence[Report], state: State) -> dict[str, float]:
    """A killed or pruned trial that returned nothing keeps what it last reported."""
    return dict(reports[-1].metrics) if reports and state is not State.FINISHED else {}


def accepted_body(result: Result, log: str) -> dict[str, object]:
    """The body of an ``accepted`` record."""
    body: dict[str, object] = {
        "n": result.number,
        "state": result.state.value,
        "metrics": dict(result.metrics),
        "k": result.attempts,
    }
    body |= {"t": result.started, "d": result.duration, "host": result.host}
    extra = {"why": result.reason, "message": result.message, "log": log}
    return body | {name: value for name, value in extra.items() if value}


def child_run(result: Result, reports: Sequence[Report], log: str) -> ChildRun:
    """The child run of a trial that ended."""
    return ChildRun(
        number=result.number,
        params=flatten(result.params),
        state=result.state,
        metrics=result.metrics,
        reports=tuple(reports),
        started=result.started,
        duration=result.duration,
        attempts=result.attempts,
        reason=result.reason,
        message=result.message,
        log=log,
        host=result.host,
    )
