"""Accepted results, as journal records and as child runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkml_track.engine.results.summary import Result
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Report, State, Trial

__all__ = ["accepted_body", "child_run", "last_reported", "result_of", "told_values", "values_of"]


def last_reported(reports: Sequence[Report], state: State) -> dict[str, float]:
    """A killed or pruned trial that returned nothing keeps what it last reported."""
    return dict(reports[-1].metrics) if reports and state is not State.FINISHED else {}


def accepted_body(result: Result, log: str, artifacts: str = "") -> dict[str, object]:
    """The body of an ``accepted`` record."""
    body: dict[str, object] = {
        "n": result.number,
        "state": result.state.value,
        "metrics": dict(result.metrics),
        "k": result.attempts,
    }
    body |= {"t": result.started, "d": result.duration, "host": result.host}
    extra: dict[str, object] = {"why": result.reason, "message": result.message, "log": log, "artifacts": artifacts}
    extra["in_place"] = bool(result.artifacts)
    return body | {name: value for name, value in extra.items() if value}


def result_of(body: Mapping[str, Any], trial: Trial, metric: Sequence[str]) -> Result:
    """The result of an ``accepted`` record; the inverse of ``accepted_body``."""
    state = State(body["state"])
    metrics = {name: float(value) for name, value in body["metrics"].items()}
    return Result(
        number=trial.number,
        params=trial.params,
        state=state,
        metrics=metrics,
        value=values_of(state, metrics, metric),
        attempts=int(body["k"]),
        started=float(body["t"]),
        duration=float(body["d"]),
        reason=str(body.get("why", "")),
        message=str(body.get("message", "")),
        host=str(body["host"]),
        artifacts=str(body["artifacts"]) if body.get("in_place") else "",
    )


def values_of(state: State, metrics: Mapping[str, float], metric: Sequence[str]) -> tuple[float, ...] | None:
    """The values of the objectives; None unless the trial finished."""
    return tuple(metrics[name] for name in metric) if state is State.FINISHED else None


def child_run(result: Result, reports: Sequence[Report], log: str, artifacts: str = "") -> ChildRun:
    """The child run of a trial that ended; ``artifacts`` is the folder that its accepted attempt left, if any."""
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
        artifacts=Path(artifacts) if artifacts else None,
        in_place=bool(result.artifacts),
    )


def told_values(result: Result, metric: Sequence[str], direction: Sequence[str]) -> tuple[float, ...]:
    """What the sampler is told of a result: lower is better; the last reported values of a pruned trial."""
    pruned = result.state is State.PRUNED
    values = result.value or tuple(result.metrics[name] for name in metric if pruned and name in result.metrics)
    signs = (1.0 if way == "minimize" else -1.0 for way in direction)
    return tuple(value * sign for value, sign in zip(values, signs, strict=False))
