"""The in-process twin: runs in a dictionary."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from typing_extensions import override

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import Input, inputs_of, logged_inputs
from sparkml_track.adapters.mlflow.values import Point, clipped, millis
from sparkml_track.errors import TrackingError
from sparkml_track.governance.principals import user
from sparkml_track.refs import DataRef
from sparkml_track.slot.host.trees import remove_tree
from sparkml_track.trackers._base import ChildRun, ParentEnd, ParentRun, StoredChild, StoredParent, Tracker
from sparkml_track.trackers._content import read_content
from sparkml_track.trackers._names import MAX_PARAM, key, renamed
from sparkml_track.trackers._rows import (
    Parent,
    StoredRow,
    child_params,
    child_points,
    child_tags,
    late_tags,
    latest,
    nested_runs,
    parent_points,
    status,
    stored_child,
)
from sparkml_track.trackers._whole import WholeRun, inside_of, seconds, with_nested
from sparkml_track.trial import LoggedMetric, RunLog, State

__all__ = ["MemoryRun", "MemoryTracker"]


@dataclass
class MemoryRun:
    """A run as kept by ``MemoryTracker``."""

    run_id: str
    experiment: str
    status: str = "RUNNING"
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    data: Sequence[DataRef] = ()
    points: Sequence[Point] = ()
    inputs: Sequence[Input] = ()
    started: int = 0
    ended: int | None = None


class MemoryTracker(Tracker):
    """Keeps runs in memory.

    Args:
        runs: shared by trackers on the same store; a new one unless given.
        interrupt: called with "before <method>" and "after <method>" of ``start``, ``publish`` and ``finish``; what it
            raises leaves the tracker, which is how tests make outages and unknown outcomes.
    """

    def __init__(
        self, runs: dict[str, MemoryRun] | None = None, interrupt: Callable[[str], None] | None = None
    ) -> None:
        self.uri = "memory:"
        self.runs: dict[str, MemoryRun] = {} if runs is None else runs
        self._removed: dict[str, list[MemoryRun]] = {}
        self._interrupt = interrupt or (lambda _moment: None)

    @override
    def start(self, parent: ParentRun) -> tuple[str, str]:
        self._interrupt("before start")
        run_id = self.find(parent.sweep) or self._add(parent.experiment, millis(parent.started))
        run = self.runs[run_id]
        run.status, run.data = "RUNNING", parent.data
        run.inputs = [*inputs_of(parent.data), *logged_inputs(parent.inputs)]
        run.params = {key(name): clipped(value, MAX_PARAM) for name, value in parent.params.items()} | run.params
        own = {schema.TAG_KIND: "sweep", schema.TAG_SWEEP: parent.sweep, schema.TAG_STATE: State.RUNNING.value}
        run.artifacts |= {path: read_content(one) for path, one in parent.artifacts.items()}
        run.tags.update({"mlflow.runName": parent.name, "mlflow.user": user(), **parent.tags, **own})
        self._interrupt("after start")
        return run_id, run.experiment

    @override
    def publish(self, run_id: str, children: Sequence[ChildRun]) -> Mapping[int, str]:
        self._interrupt("before publish")
        tags = self._run(run_id).tags
        parent = Parent(run_id, tags[schema.TAG_SWEEP], self._run(run_id).experiment, user=tags["mlflow.user"])
        known = {run.tags[schema.TAG_KEY]: run.run_id for run in self._children(run_id)}
        published = {child.number: self._publish(parent, child, known) for child in children}
        self._interrupt("after publish")
        return published

    @override
    def finish(self, run_id: str, end: ParentEnd) -> None:
        self._interrupt("before finish")
        run = self._run(run_id)
        run.points = [*run.points, *parent_points(end)]
        run.metrics = {name: one.number for name, one in latest(run.points).items()}
        run.tags |= {**end.tags, schema.TAG_STATE: end.state.value, **renamed(end.metrics)}
        run.artifacts |= {path: read_content(one) for path, one in end.artifacts.items()}
        run.status, run.ended = status(end.state), millis(end.ended)
        self._interrupt("after finish")

    @override
    def children(self, run_id: str) -> Iterator[StoredChild]:
        for run in list(self._children(run_id)):
            row = StoredRow(run.status, run.started, run.ended, run.tags)
            yield stored_child(run.run_id, row, dict(run.metrics), dict(run.params))

    @override
    def nested(self, run_id: str) -> Mapping[str, int]:
        return Counter(run.tags[schema.TAG_NESTED] for run in self._of_sweep(run_id) if schema.TAG_NESTED in run.tags)

    @override
    def restore_nested(self, run_id: str, ids: Collection[str]) -> int:
        self._run(run_id)
        return 0  # what is gone from a dictionary is gone

    @override
    def runs_of(self, run_id: str, numbers: Collection[int]) -> Mapping[int, str]:
        found = {int(run.tags[schema.TAG_NUMBER]): run.run_id for run in self._children(run_id)}
        return {number: found[number] for number in numbers if number in found}

    @override
    def find(self, sweep: str) -> str | None:
        wanted = {schema.TAG_SWEEP: sweep, schema.TAG_KIND: "sweep"}.items()
        return next((run.run_id for run in self.runs.values() if wanted <= run.tags.items()), None)

    @override
    def parent(self, run_id: str) -> StoredParent:
        run = self._run(run_id)
        sweep = run.tags[schema.TAG_SWEEP]
        return StoredParent(
            run_id, run.experiment, sweep, run.status, dict(run.metrics), dict(run.params), dict(run.tags)
        )

    @override
    def whole_parent(self, run_id: str) -> WholeRun:
        run = self._run(run_id)
        return replace(_whole(run), experiment=run.experiment)

    @override
    def whole_children(self, run_id: str) -> Iterator[WholeRun]:
        nested = inside_of(map(_whole, self._of_sweep(run_id)))
        return (with_nested(_whole(run), nested) for run in list(self._children(run_id)))

    @override
    def fetch(self, run: WholeRun, folder: Path) -> None:
        remove_tree(str(folder))
        folder.mkdir(parents=True)
        for name, text in self._run(run.run_id).artifacts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @override
    def reopen(self, run_id: str, numbers: Sequence[int]) -> None:
        wanted = set(numbers)
        for run in list(self._children(run_id)):
            if int(run.tags[schema.TAG_NUMBER]) in wanted:
                run.status, run.ended = "RUNNING", None
                run.tags[schema.TAG_STATE] = State.RUNNING.value
                self._remove_inside(run.run_id)

    def reconcile(self, run_id: str) -> int:
        """See ``Tracker.reconcile``; a dictionary loses no answers."""
        self._run(run_id)
        return 0

    @override
    def remove(self, run_id: str) -> int:
        gone = sorted((one.run_id for one in self._of_sweep(run_id)), key=lambda one: one == run_id)
        self._removed[run_id] = [self.runs.pop(one) for one in gone]
        return len(gone)

    @override
    def restore(self, run_id: str) -> int:
        back = self._removed.pop(run_id, [])
        self.runs.update((one.run_id, one) for one in reversed(back))
        self._run(run_id)
        return len(back)

    @override
    def close(self) -> None:
        pass

    def _publish(self, parent: Parent, child: ChildRun, known: dict[str, str]) -> str:
        tags = child_tags(parent, child)
        run_id = known.get(tags[schema.TAG_KEY])
        if run_id is None:
            run_id = known[tags[schema.TAG_KEY]] = self._add(parent.experiment_id, millis(child.started))
        run = self.runs[run_id]
        if run.status == "RUNNING":
            run.tags, run.params = tags, child_params(child)
            _log(run, child)
            run.artifacts = _texts(child)
            run.status = status(child.state)
            run.ended = millis(child.started + child.duration) if child.state.terminal else None
            self._publish_nested(parent, child, run_id)
        elif child.artifacts is not None:
            run.tags |= late_tags(parent, child)
            run.artifacts |= _texts(replace(child, log=""))
        if child.state.terminal and child.artifacts is not None and not child.in_place:
            remove_tree(str(child.artifacts))
        return run_id

    def _publish_nested(self, parent: Parent, child: ChildRun, child_id: str) -> None:
        there = {run.tags.get(schema.TAG_NESTED): run.run_id for run in self.runs.values()}
        ids = {"": child_id}
        for one in nested_runs(parent, child):
            run_id = ids[one.id] = there.get(one.id) or self._add(parent.experiment_id, millis(one.run.started))
            run = self.runs[run_id]
            run.tags, run.params = {**one.tags, schema.TAG_PARENT: ids[one.parent]}, child_params(one.run)
            _log(run, one.run)
            run.status, run.ended = status(one.run.state), millis(one.run.started + one.run.duration)

    def _add(self, experiment: str, started: int) -> str:
        run_id = uuid.uuid4().hex
        self.runs[run_id] = MemoryRun(run_id, experiment, started=started)
        return run_id

    def _run(self, run_id: str) -> MemoryRun:
        if run_id not in self.runs:
            raise TrackingError(f"There is no run {run_id!r} in {self.uri}. Give a run id that start() returned.")
        return self.runs[run_id]

    def _remove_inside(self, run_id: str) -> None:
        for one in [run for run in self.runs.values() if run.tags.get(schema.TAG_PARENT) == run_id]:
            self._remove_inside(one.run_id)
            del self.runs[one.run_id]

    def _of_sweep(self, run_id: str) -> Iterator[MemoryRun]:
        sweep = self._run(run_id).tags[schema.TAG_SWEEP]
        return (run for run in self.runs.values() if run.tags.get(schema.TAG_SWEEP) == sweep)

    def _children(self, run_id: str) -> Iterator[MemoryRun]:
        inside = (run for run in self.runs.values() if run.tags.get(schema.TAG_PARENT) == run_id)
        return (run for run in inside if schema.TAG_NUMBER in run.tags)


def _log(run: MemoryRun, child: ChildRun) -> None:
    run.points, run.inputs = child_points(child), logged_inputs(child.logged.inputs)
    run.metrics = {name: one.number for name, one in latest(run.points).items()}


def _whole(run: MemoryRun) -> WholeRun:
    metrics = [LoggedMetric(one.key, one.number, one.step, seconds(one.timestamp)) for one in run.points]
    inputs = [{**one._asdict(), "tags": dict(one.tags)} for one in run.inputs]
    log = RunLog(dict(run.params), metrics, dict(run.tags), inputs)
    return WholeRun(
        run.run_id, run.tags.get("mlflow.runName", ""), run.status, seconds(run.started), seconds(run.ended), log
    )


def _texts(child: ChildRun) -> dict[str, str]:
    texts = child.log_file
    if child.artifacts is not None and not child.in_place:
        for path in sorted(child.artifacts.rglob("*")):
            if path.is_file():
                texts[path.relative_to(child.artifacts).as_posix()] = path.read_text(errors="replace")
    return texts
