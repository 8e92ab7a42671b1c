"""MLflow through its public client: servers, and databases that have no faster member."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from sparkml_track import schema
from sparkml_track.adapters.mlflow import rest
from sparkml_track.adapters.mlflow.datasets import dataset_inputs
from sparkml_track.adapters.mlflow.errors import translated
from sparkml_track.adapters.mlflow.experiments import find_experiment
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.errors import TrackingError
from sparkml_track.trackers._base import ChildRun, ParentEnd, ParentRun, StoredChild, StoredParent, Tracker
from sparkml_track.trackers._mlflow.artifacts import store_child_files, store_files, trouble_with
from sparkml_track.trackers._mlflow.parent import parent_end_tags, parent_tags
from sparkml_track.trackers._names import MAX_PARAM, clipped, key
from sparkml_track.trackers._rows import (
    OF_AN_END,
    Parent,
    Point,
    child_params,
    child_points,
    child_tags,
    late_tags,
    millis,
    point,
    status,
)
from sparkml_track.trial import State

__all__ = ["MlflowTracker"]

_log = logging.getLogger(__name__)
# A request of log_batch takes 1,000 metrics, 100 params, 100 tags and 1 MB; long params in wide characters fill that.
_METRICS, _PARAMS, _PAGE = 500, 25, 1000


class _Known(NamedTuple):
    """A child run that is in the store."""

    run_id: str
    artifacts: str
    terminal: bool
    deleted: bool = False


class MlflowTracker(Tracker):
    """Writes runs with ``MlflowClient``: 18 to 110 ms for each child run, by the store.

    A child run shows its metrics when it has ended: MLflow cannot take back those of an attempt that was lost.

    Args:
        uri: of the tracking store.
        artifact_root: where new experiments keep their artifacts; None leaves it to the server.
    """

    def __init__(self, uri: str, artifact_root: str | None = None) -> None:
        self.uri = redacted(uri)
        self._uri = uri
        self._root = artifact_root
        self._parents: dict[str, Parent] = {}
        self._known: dict[str, dict[int, _Known]] = {}
        with self._door():
            self._client = MlflowClient(tracking_uri=uri)

    # ------------------------------------------------------------------------------------------------ parent

    def start(self, parent: ParentRun) -> tuple[str, str]:
        """See ``Tracker.start``."""
        with self._door():
            experiment = self._experiment(parent.experiment)
            tags = parent_tags(parent)
            run = self._begun(experiment, parent.sweep)
            run_id = run.info.run_id if run else self._create(experiment, millis(parent.started), tags)[0]
            params = {key(name): clipped(value, MAX_PARAM) for name, value in parent.params.items()}
            for name in run.data.params if run else ():  # MLflow refuses to change a param
                params.pop(name, None)
            self._log(run_id, params, (), tags if run else {})
            if parent.data:
                self._client.log_inputs(run_id, datasets=dataset_inputs(parent.data))
            if run and run.info.status != "RUNNING":
                self._client.update_run(run_id, status="RUNNING")
            return run_id, experiment

    def finish(self, run_id: str, end: ParentEnd) -> None:
        """See ``Tracker.finish``."""
        with self._door():
            points = [point(name, value, millis(end.ended), 0) for name, value in end.metrics.items()]
            self._log(run_id, {}, points, parent_end_tags(end))
            if end.artifacts:
                location = self._location(run_id)
                trouble = trouble_with(lambda: store_files(location, self._uri, end.artifacts))
                if trouble:
                    self._log(run_id, {}, (), {schema.TAG_ARTIFACTS: trouble})
            self._end(run_id, status(end.state), millis(end.ended))

    def find(self, sweep: str) -> str | None:
        """See ``Tracker.find``."""
        with self._door():
            experiments = [one.experiment_id for one in self._experiments()]
            found = self._search(experiments, schema.TAG_SWEEP, sweep, schema.TAG_KIND, "sweep")
            return next((run.info.run_id for run in found), None)

    # ---------------------------------------------------------------------------------------------- children

    def publish(self, run_id: str, children: Sequence[ChildRun]) -> Mapping[int, str]:
        """See ``Tracker.publish``."""
        try:
            with self._door():
                parent = self._parent(run_id)
                known = self._known.get(run_id)
                if known is None:
                    known = self._known[run_id] = self._find_children(parent)
                return {child.number: self._publish(parent, child, known) for child in children}
        except TrackingError:
            # What the store has is unknown now; it is asked before the next try.
            self._known.pop(run_id, None)
            raise

    def children(self, run_id: str) -> Iterator[StoredChild]:
        """See ``Tracker.children``."""
        with self._door():
            parent = self._parent(run_id)
            runs = self._search([parent.experiment_id], schema.TAG_PARENT, run_id)
            yield from (_stored(run) for run in runs if schema.TAG_NUMBER in run.data.tags)

    def parent(self, run_id: str) -> StoredParent:
        """See ``Tracker.parent``."""
        with self._door():
            parent, run = self._parent(run_id), self._client.get_run(run_id)
            data = run.data
            return StoredParent(
                run_id=run_id,
                experiment_id=parent.experiment_id,
                sweep=parent.sweep,
                status=run.info.status,
                metrics=dict(data.metrics),
                params=dict(data.params),
                tags=dict(data.tags),
            )

    def reopen(self, run_id: str, numbers: Sequence[int]) -> None:
        """See ``Tracker.reopen``."""
        if not numbers:
            return
        with self._door():
            known = self._known[run_id] = self._find_children(self._parent(run_id))
            for number in {*numbers} & {*known}:
                if known[number].terminal and not known[number].deleted:
                    self._reopen(known[number].run_id)
                    known[number] = known[number]._replace(terminal=False)

    def reconcile(self, run_id: str) -> int:
        """See ``Tracker.reconcile``."""
        with self._door():
            parent = self._parent(run_id)
            runs = self._search([parent.experiment_id], schema.TAG_PARENT, run_id)
            before = sum(schema.TAG_NUMBER in run.data.tags for run in runs)
            known = self._known[run_id] = self._find_children(parent)
            return before - sum(not one.deleted for one in known.values())

    def close(self) -> None:
        """See ``Tracker.close``."""
        self._parents.clear()
        self._known.clear()

    def _publish(self, parent: Parent, child: ChildRun, known: dict[int, _Known]) -> str:
        tags = child_tags(parent, child)
        run = known.get(child.number)
        if run is None:
            run = _Known(*self._create(parent.experiment_id, millis(child.started), tags), terminal=False)
            known[child.number] = run
        if not run.terminal or (child.artifacts is not None and not run.deleted):
            try:
                (self._add_files if run.terminal else self._write_child)(parent, child, run)
            except MlflowException:
                if self._client.get_run(run.run_id).info.lifecycle_stage != "deleted":
                    raise
                _log.warning("the child run of trial %d was deleted while the sweep ran; it stays so", child.number)
            if child.state.terminal:
                known[child.number] = run._replace(terminal=True)
        return run.run_id

    def _write_child(self, parent: Parent, child: ChildRun, run: _Known) -> None:
        tags = child_tags(parent, child)
        if child.state.terminal:
            tags |= store_child_files(child, run.artifacts, self._uri)
        self._log(run.run_id, child_params(child), child_points(child) if child.state.terminal else (), tags)
        if child.state.terminal:
            self._end(run.run_id, status(child.state), millis(child.started + child.duration))

    def _add_files(self, parent: Parent, child: ChildRun, run: _Known) -> None:
        there = self._client.get_run(run.run_id)
        if there.info.lifecycle_stage == "deleted":
            return
        tags = late_tags(parent, child) | store_child_files(replace(child, log=""), run.artifacts, self._uri)
        if schema.TAG_ARTIFACTS in there.data.tags and schema.TAG_ARTIFACTS not in tags:
            self._client.delete_tag(run.run_id, schema.TAG_ARTIFACTS)  # an earlier try failed
        if tags:
            self._log(run.run_id, {}, (), tags)

    def _reopen(self, run_id: str) -> None:
        for name in {*OF_AN_END} & {*self._client.get_run(run_id).data.tags}:
            self._client.delete_tag(run_id, name)
        self._client.set_tag(run_id, schema.TAG_STATE, State.RUNNING.value)
        self._client.update_run(run_id, status="RUNNING")

    def _find_children(self, parent: Parent) -> dict[int, _Known]:
        known: dict[int, _Known] = {}
        # One that a person deleted stays deleted: ``verify`` tells of it.
        for run in self._search([parent.experiment_id], schema.TAG_PARENT, parent.run_id, view=ViewType.ALL):
            number = int(run.data.tags.get(schema.TAG_NUMBER, "-1"))
            deleted = run.info.lifecycle_stage == "deleted"
            one = _Known(run.info.run_id, run.info.artifact_uri, deleted or run.info.status != "RUNNING", deleted)
            other = known.setdefault(number, one)
            if other.deleted or deleted:
                known[number] = one if other.deleted else other
            elif other is not one:  # two answers to one request that was thought lost: one child run stays
                keep, drop = (one, other) if one.terminal and not other.terminal else (other, one)
                self._client.delete_run(drop.run_id)
                known[number] = keep
        known.pop(-1, None)
        return known

    # ------------------------------------------------------------------------------------------------- calls

    @contextmanager
    def _door(self) -> Iterator[None]:
        with translated(self._uri):
            if rest.is_server(self._uri):
                rest.check(self._uri)
            yield

    def _parent(self, run_id: str) -> Parent:
        if run_id not in self._parents:
            run = self._client.get_run(run_id)
            tags = run.data.tags
            if schema.TAG_SWEEP not in tags:
                raise TrackingError(
                    f"The run {run_id!r} in {self.uri} is no sweep: it has no tag {schema.TAG_SWEEP!r}. "
                    "Give the run id that start() returned."
                )
            self._parents[run_id] = Parent(
                run_id=run_id,
                sweep=tags[schema.TAG_SWEEP],
                experiment_id=run.info.experiment_id,
                artifacts=self._client.get_experiment(run.info.experiment_id).artifact_location,
                user=tags.get("mlflow.user", "unknown"),
                source=tags.get("mlflow.source.name", ""),
            )
        return self._parents[run_id]

    def _experiment(self, name: str) -> str:
        return find_experiment(self._client, name, self._root)

    def _begun(self, experiment: str, sweep: str) -> Run | None:
        found = self._search([experiment], schema.TAG_SWEEP, sweep, schema.TAG_KIND, "sweep")
        return next(iter(found), None)

    def _location(self, run_id: str) -> str:
        return str(self._client.get_run(run_id).info.artifact_uri)

    def _create(self, experiment: str, started: int, tags: Mapping[str, str]) -> tuple[str, str]:
        if rest.is_server(self._uri):
            return rest.create_run(self._uri, experiment, started, tags)
        run = self._client.create_run(experiment, started, dict(tags), tags.get("mlflow.runName"))
        return run.info.run_id, run.info.artifact_uri

    def _end(self, run_id: str, how: str, ended: int) -> None:
        if rest.is_server(self._uri):
            rest.end_run(self._uri, run_id, how, ended)
        else:
            self._client.set_terminated(run_id, how, ended)

    def _log(self, run_id: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> None:
        entities = [Param(name, value) for name, value in params.items()]
        metrics = [Metric(one.key, one.number, one.timestamp, one.step) for one in points]
        self._client.log_batch(run_id, metrics[:_METRICS], entities[:_PARAMS], [RunTag(*tag) for tag in tags.items()])
        for start in range(_METRICS, len(metrics), _METRICS):
            self._client.log_batch(run_id, metrics=metrics[start : start + _METRICS])
        for start in range(_PARAMS, len(entities), _PARAMS):
            self._client.log_batch(run_id, params=entities[start : start + _PARAMS])

    def _search(self, experiments: Sequence[str], *tags: str, view: int = ViewType.ACTIVE_ONLY) -> Iterator[Run]:
        pairs = zip(tags[::2], tags[1::2], strict=True)
        query = " AND ".join(f"tags.`{name}` = {_quoted(value)}" for name, value in pairs)
        token = None
        while experiments:
            page = self._client.search_runs(list(experiments), query, view, _PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _experiments(self) -> Iterator[Experiment]:
        token = None
        while True:
            page = self._client.search_experiments(max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def _stored(run: Run) -> StoredChild:
    tags = run.data.tags
    return StoredChild(
        run_id=run.info.run_id,
        number=int(tags[schema.TAG_NUMBER]),
        state=State(tags[schema.TAG_STATE]),
        status=run.info.status,
        metrics=dict(run.data.metrics),
        params=dict(run.data.params),
        attempts=int(tags.get(schema.TAG_ATTEMPTS, "1")),
        reason=tags.get(schema.TAG_REASON, ""),
        artifacts=tags.get(schema.TAG_FOLDER, ""),
    )


def _quoted(value: str) -> str:
    if "'" in value and '"' in value:
        raise TrackingError(f"MLflow cannot search for {value!r}: it has both kinds of quotes. Use another name.")
    return f'"{value}"' if "'" in value else f"'{value}'"
