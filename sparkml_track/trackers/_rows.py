"""A trial as rows of a tracking store; every member writes these, so that all stores say the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sparkml_track import schema
from sparkml_track.adapters.mlflow.values import Point, clipped, millis, point
from sparkml_track.trackers._base import ChildRun, ParentEnd, StoredChild
from sparkml_track.trackers._names import MAX_PARAM, MAX_TAG, key, renamed
from sparkml_track.trial import NestedRun, State, Usage

__all__ = [
    "OF_AN_END",
    "Nested",
    "Parent",
    "StoredRow",
    "child_params",
    "child_points",
    "child_tags",
    "is_child",
    "late_tags",
    "latest",
    "nested_folder",
    "nested_runs",
    "parent_points",
    "status",
    "stored_child",
    "trial_number",
]

#: Tags that say how a trial ended; they go when it is executed again.
OF_AN_END = (
    schema.TAG_REASON,
    schema.TAG_MESSAGE,
    schema.TAG_ARTIFACTS,
    schema.TAG_FOLDER,
    schema.TAG_HOST,
    schema.TAG_CPU,
    schema.TAG_MEMORY,
)

_STATUS = {
    State.RUNNING: "RUNNING",
    State.FINISHED: "FINISHED",
    State.PRUNED: "KILLED",  # MLflow has no pruned state; sparkml.state says so.
    State.FAILED: "FAILED",
    State.KILLED: "KILLED",
}


_STATE_NAMES = frozenset(state.value for state in State)
_STATES = {"FINISHED": State.FINISHED, "FAILED": State.FAILED, "KILLED": State.KILLED}
#: How tags begin that a nested run cannot have of itself: trials are found by them.
_OURS = (schema.PREFIX, schema.TAG_PARENT)


@dataclass(frozen=True, slots=True)
class Parent:
    """What child runs take over from their parent run.

    Attributes:
        run_id: of the parent run.
        sweep: the sweep id.
        experiment_id: where the runs are.
        user: who runs the sweep.
        source: the script that started it.
    """

    run_id: str
    sweep: str
    experiment_id: str
    user: str = "unknown"
    source: str = ""


class StoredRow(NamedTuple):
    """The row of a run, times in milliseconds; ``ended`` is None or 0 for one that runs."""

    status: str
    started: int
    ended: int | None
    tags: Mapping[str, str]


def status(state: State) -> str:
    """The run status MLflow shows."""
    return _STATUS[state]


def latest(points: Iterable[Point]) -> dict[str, Point]:
    """The current value of each metric by MLflow's rule: the largest step, then time, then value."""
    newest: dict[str, Point] = {}
    for one in points:
        old = newest.get(one.key)
        if old is None or (one.step, one.timestamp, one.value) > (old.step, old.timestamp, old.value):
            newest[one.key] = one
    return newest


def child_points(child: ChildRun) -> list[Point]:
    """Every metric value of a trial, each once.

    A final metric that repeats the last report is not written again. One that differs is made the current value: it
    takes the last step and a time not before the end.
    """
    points = dict.fromkeys(
        point(name, value, millis(report.time), report.step)
        for report in child.reports
        for name, value in report.metrics.items()
    )
    points |= dict.fromkeys(point(one.name, one.value, millis(one.time), one.step) for one in child.logged.metrics)
    newest = latest(points)
    end = millis(child.started + child.duration)
    for name, value in child.metrics.items():
        final = point(name, value, end, 0)
        last = newest.get(final.key)
        if last is not None:
            if (last.value, last.is_nan) == (final.value, final.is_nan):
                continue
            final = final._replace(step=last.step, timestamp=max(end, last.timestamp + 1))
        points[final] = None
    return list(points)


def parent_points(end: ParentEnd) -> list[Point]:
    """Every metric value that a parent run gets at its end; what a curve ends with is not written again."""
    points = [
        point(name, value, millis(report.time), report.step)
        for report in end.reports
        for name, value in report.metrics.items()
    ]
    have = {name: (one.value, one.is_nan) for name, one in latest(points).items()}
    finals = [point(name, value, millis(end.ended), 0) for name, value in end.metrics.items()]
    return points + [one for one in finals if have.get(one.key) != (one.value, one.is_nan)]


def child_params(child: ChildRun) -> dict[str, str]:
    """The params as stored."""
    params = {**child.logged.params, **child.params}
    return {key(name): clipped(value, MAX_PARAM) for name, value in params.items()}


def trial_number(text: str | None) -> int | None:
    """The number of a trial; None for what is not one: anybody may give tags to runs."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 13 else None


def is_child(tags: Mapping[str, str]) -> bool:
    """Whether a run can be read as the child run of a trial."""
    whole = trial_number(tags.get(schema.TAG_NUMBER)) is not None and tags.get(schema.TAG_ATTEMPTS, "1").isdigit()
    return whole and tags.get(schema.TAG_STATE) in _STATE_NAMES


def stored_child(run_id: str, run: StoredRow, metrics: Mapping[str, float], params: Mapping[str, str]) -> StoredChild:
    """A child run as it was read."""
    tags, ended = run.tags, run.ended or run.started
    return StoredChild(
        run_id=run_id,
        number=int(tags[schema.TAG_NUMBER]),
        state=State(tags[schema.TAG_STATE]),
        status=run.status,
        metrics=metrics,
        params=params,
        attempts=int(tags.get(schema.TAG_ATTEMPTS, "1")),
        reason=tags.get(schema.TAG_REASON, ""),
        artifacts=tags.get(schema.TAG_FOLDER, ""),
        message=tags.get(schema.TAG_MESSAGE, ""),
        host=tags.get(schema.TAG_HOST, ""),
        started=run.started / 1000,
        duration=max(0, ended - run.started) / 1000,
        usage=_usage_in(tags),
    )


class Nested(NamedTuple):
    """A run inside that of a trial, as it is written.

    Attributes:
        id: as it was in the slot.
        parent: that of the run it is in; empty for the trial's.
        run: written like a trial.
        name: shown in the UI.
        tags: all but those that name other runs.
        folder: of its artifacts, below those of the child run.
    """

    id: str
    parent: str
    run: ChildRun
    name: str
    tags: Mapping[str, str]
    folder: str


def nested_runs(parent: Parent, child: ChildRun) -> list[Nested]:
    """The runs inside that of a trial that has ended; one that did not end, ended with it."""
    runs = child.logged.nested if child.state.terminal else ()
    # Slots say what is inside what: only a run that came before can be around another.
    return [_nested(parent, child, one, {each.id for each in runs[:place]}) for place, one in enumerate(runs)]


def nested_folder(nested: str) -> str:
    """Of the artifacts of a run inside that of a trial, below those of the child run; by its id in the slot."""
    return f"nested/{nested}"


def _nested(parent: Parent, child: ChildRun, one: NestedRun, known: Collection[str]) -> Nested:
    end = one.ended or child.started + child.duration
    state = _STATES.get(one.status, child.state)
    run = ChildRun(child.number, {}, state, logged=one.log, started=one.started, duration=max(0.0, end - one.started))
    logged = {key(name): clipped(value, MAX_TAG) for name, value in one.log.tags.items()}
    tags = {
        **{name: value for name, value in logged.items() if not name.startswith(_OURS)},
        "mlflow.runName": one.name,
        "mlflow.user": parent.user,
        "mlflow.source.name": parent.source,
        "mlflow.source.type": "LOCAL",
        schema.TAG_KIND: "nested",
        schema.TAG_SWEEP: parent.sweep,
        schema.TAG_NESTED: one.id,
        **renamed(metric.name for metric in one.log.metrics),
    }
    inside = one.parent if one.parent in known else ""
    return Nested(
        one.id, inside, run, one.name, {name: value for name, value in tags.items() if value}, nested_folder(one.id)
    )


def late_tags(parent: Parent, child: ChildRun) -> dict[str, str]:
    """Tags that come with artifacts, for a child run that ended before they did."""
    return {name: value for name, value in child_tags(parent, child).items() if name == schema.TAG_FOLDER}


def child_tags(parent: Parent, child: ChildRun) -> dict[str, str]:
    """The tags of a child run."""
    tags = {
        schema.TAG_PARENT: parent.run_id,
        "mlflow.runName": f"trial-{child.number}",
        "mlflow.user": parent.user,
        "mlflow.source.name": parent.source,
        "mlflow.source.type": "LOCAL",
        schema.TAG_KIND: "trial",
        schema.TAG_SWEEP: parent.sweep,
        schema.TAG_KEY: f"{parent.sweep}/{child.number}",
        schema.TAG_NUMBER: str(child.number),
        schema.TAG_STATE: child.state.value,
        schema.TAG_ATTEMPTS: str(child.attempts),
        schema.TAG_REASON: child.reason,
        schema.TAG_MESSAGE: clipped(child.message, MAX_TAG),
        schema.TAG_HOST: child.host,
        schema.TAG_FOLDER: str(child.artifacts) if child.in_place and child.artifacts is not None else "",
        **_usage_tags(child.usage),
        **renamed(_names(child)),
    }
    logged = {key(name): clipped(value, MAX_TAG) for name, value in child.logged.tags.items()}
    return {name: value for name, value in {**logged, **tags}.items() if value}


def _usage_tags(usage: Usage) -> dict[str, str]:
    tags = {} if usage.cpu is None else {schema.TAG_CPU: f"{usage.cpu:.6g}"}
    return tags if usage.memory is None else {**tags, schema.TAG_MEMORY: str(usage.memory)}


def _usage_in(tags: Mapping[str, str]) -> Usage:
    """As tags say it, which anybody may write."""
    cpu, memory = tags.get(schema.TAG_CPU, ""), tags.get(schema.TAG_MEMORY, "")
    plain = re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?(e[+-]?[0-9]{1,2})?", cpu)
    return Usage(float(cpu) if plain else None, trial_number(memory[:12]) if memory else None)


def _names(child: ChildRun) -> Iterator[str]:
    yield from child.metrics
    for report in child.reports:
        yield from report.metrics
    for one in child.logged.metrics:
        yield one.name
