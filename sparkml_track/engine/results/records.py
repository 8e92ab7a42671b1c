"""Accepted results, as journal records and as child runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkml_track.engine.records.types import Accepted, Suggested
from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal, losses
from sparkml_track.space import flatten
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Report, RunLog, State, Trial

__all__ = ["accepted", "child_run", "last_reported", "losses_of", "result_of", "suggested", "values_of"]


def last_reported(reports: Sequence[Report], state: State) -> dict[str, float]:
    """A killed or pruned trial that returned nothing keeps what it last reported."""
    return dict(reports[-1].metrics) if reports and state is not State.FINISHED else {}


def accepted(result: Result, log: str, artifacts: str = "") -> Accepted:
    """What the journal has of a result; ``artifacts`` is the folder that the accepted attempt left, if any."""
    return Accepted(
        number=result.number,
        state=result.state,
        metrics=result.metrics,
        attempts=result.attempts,
        started=result.started,
        duration=result.duration,
        host=result.host,
        reason=result.reason,
        message=result.message,
        log=log,
        artifacts=artifacts,
        in_place=bool(result.artifacts),
        busy=result.busy,
        failed_units=result.failed_units,
        usage=result.usage,
    )


def result_of(record: Accepted, trial: Trial, metric: Sequence[str]) -> Result:
    """The result of a record; the inverse of ``accepted``.

    Raises:
        KeyError: the trial finished without one of the metrics.
    """
    return Result(
        number=trial.number,
        params=trial.params,
        state=record.state,
        metrics=record.metrics,
        value=values_of(record.state, record.metrics, metric),
        attempts=record.attempts,
        started=record.started,
        duration=record.duration,
        reason=record.reason,
        message=record.message,
        host=record.host,
        artifacts=record.artifacts if record.in_place else "",
        busy=record.busy,
        failed_units=record.failed_units,
        usage=record.usage,
    )


def suggested(record: Suggested, trial: Trial | None) -> Trial:
    """The trial with the params of a record; one that was never asked has nothing else, and no outcome."""
    trial = trial or Trial(record.number, {})
    return Trial(trial.number, {**trial.params, **record.params}, trial.seed)


def values_of(state: State, metrics: Mapping[str, float], metric: Sequence[str]) -> tuple[float, ...] | None:
    """The values of the objectives; None unless the trial finished."""
    return tuple(metrics[name] for name in metric) if state is State.FINISHED else None


def child_run(
    result: Result, reports: Sequence[Report], log: str, artifacts: str = "", logged: RunLog | None = None
) -> ChildRun:
    """The child run of a trial that ended; ``artifacts`` is the folder that its accepted attempt left, if any."""
    return ChildRun(
        number=result.number,
        params=flatten(result.params),
        state=result.state,
        metrics=result.metrics,
        reports=tuple(reports),
        logged=logged or RunLog(),
        started=result.started,
        duration=result.duration,
        attempts=result.attempts,
        reason=result.reason,
        message=result.message,
        log=log,
        host=result.host,
        artifacts=Path(artifacts) if artifacts else None,
        in_place=bool(result.artifacts),
        usage=result.usage,
    )


def losses_of(result: Result, goals: Sequence[Goal]) -> tuple[float, ...]:
    """What the sampler learns of a result: lower is better; the last reported values of a pruned trial."""
    if result.value:
        return tuple(goal.loss(value) for goal, value in zip(goals, result.value, strict=True))
    reported = result.metrics if result.state is State.PRUNED else {}
    return losses([goal for goal in goals if goal.metric in reported], reported)
