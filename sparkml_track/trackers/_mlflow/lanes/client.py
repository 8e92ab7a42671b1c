"""The lane through MLflow's public client: servers, and databases that have no faster one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from sparkml_track import schema
from sparkml_track.adapters.mlflow import rest
from sparkml_track.adapters.mlflow.datasets import Input, dataset_inputs, logged_inputs
from sparkml_track.adapters.mlflow.errors import hush, tried_again
from sparkml_track.adapters.mlflow.experiments import experiment_ids, find_experiment
from sparkml_track.adapters.mlflow.values import Point, millis, quoted
from sparkml_track.trackers._base import ChildRun, StoredChild
from sparkml_track.trackers._mlflow.lanes.lane import Entry, Lane, Place, StoredRun
from sparkml_track.trackers._mlflow.reading import Points, by_nested_id, points_by_client, whole_runs
from sparkml_track.trackers._rows import (
    OF_AN_END,
    Parent,
    StoredRow,
    child_params,
    child_points,
    child_tags,
    is_child,
    nested_runs,
    status,
    stored_child,
    trial_number,
)
from sparkml_track.trackers._whole import WholeRun
from sparkml_track.trial import State

if TYPE_CHECKING:
    from mlflow.entities import Run

    from sparkml_track.adapters.mlflow.runs import RunWriter

__all__ = ["ClientLane"]

_PAGE = 1000
_ACTIVE_ONLY, _DELETED_ONLY, _ALL = 1, 2, 3  # MLflow's ViewType


class ClientLane(Lane):
    """Writes runs with ``MlflowClient``: 18 to 110 ms for each child run, by the store.

    A child run shows its metrics when it has ended: MLflow cannot take back those of an attempt that was lost.

    Args:
        uri: of the tracking store.
        artifact_root: where new experiments keep their artifacts; None leaves it to the server.
    """

    def __init__(self, uri: str, artifact_root: str | None = None) -> None:
        super().__init__(uri)
        self._root = artifact_root
        self._known: dict[str, dict[int, Place]] = {}

    @cached_property
    def _client(self) -> Any:
        """MLflow's, whose import takes two seconds; lanes that need it for what is rare alone do without for long."""
        from mlflow import MlflowClient

        hush()
        return MlflowClient(tracking_uri=self.full_uri)

    @cached_property
    def _runs(self) -> RunWriter:
        from sparkml_track.adapters.mlflow.runs import RunWriter

        return RunWriter(self.full_uri, self._client)

    @override
    def check(self) -> None:
        if rest.is_server(self.full_uri):
            rest.check(self.full_uri)

    # ------------------------------------------------------------------------------------------------ parent runs

    @override
    def find_experiment(self, name: str) -> str:
        return find_experiment(self._client, name, self._root)

    @override
    def experiment_name(self, experiment_id: str) -> str:
        return str(self._client.get_experiment(experiment_id).name)

    @override
    def search(self, sweep: str, experiment_id: str | None = None) -> str | None:
        experiments = [experiment_id] if experiment_id else experiment_ids(self._client)
        found = self._search(experiments, {schema.TAG_SWEEP: sweep, schema.TAG_KIND: "sweep"})
        return next((run.info.run_id for run in found), None)

    @override
    def create_run(self, experiment_id: str, started: int, tags: Mapping[str, str]) -> str:
        return self._runs.create(experiment_id, started, tags)[0]

    @override
    def run(self, run_id: str) -> StoredRun:
        run = self._runs.get(run_id)
        data = run.data
        return StoredRun(
            experiment_id=run.info.experiment_id,
            status=run.info.status,
            metrics=dict(data.metrics),
            params=dict(data.params),
            tags=dict(data.tags),
        )

    @override
    def log(self, run_id: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> None:
        self._runs.log(run_id, params, points, tags)

    @override
    def log_inputs(self, run_id: str, data: Sequence[Input]) -> None:
        self._runs.log_inputs(run_id, data)

    @override
    def end(self, run_id: str, status: str, ended: int | None) -> None:
        self._runs.end(run_id, status, ended)

    @override
    def location(self, run_id: str) -> str:
        return str(self._runs.get(run_id).info.artifact_uri)

    # ------------------------------------------------------------------------------------------------- child runs

    @override
    def places(self, parent: Parent, children: Sequence[ChildRun]) -> Mapping[int, Place]:
        with self._known_children(parent) as known:
            for child in children:
                place = known.get(child.number)
                if place is None:
                    known[child.number] = self._made(parent, child)
                elif place.ended and child.artifacts is not None and self._is_deleted(place):
                    known[child.number] = place._replace(deleted=True)
            return {child.number: known[child.number] for child in children}

    @override
    def write(self, parent: Parent, entries: Sequence[Entry]) -> Collection[int]:
        from mlflow.exceptions import MlflowException

        written = set()
        with self._known_children(parent) as known:
            for entry in entries:
                number, place = entry.child.number, entry.place
                try:
                    if place.ended:
                        self._write_tags(entry)
                    else:
                        self._write_child(parent, entry)
                except MlflowException:
                    if not self._is_deleted(place):
                        raise
                    known[number] = place._replace(ended=True, deleted=True)
                else:
                    known[number] = place._replace(ended=place.ended or entry.child.state.terminal)
                    written.add(number)
        return written

    @override
    def runs_of(self, parent: Parent, numbers: Collection[int]) -> Mapping[int, str]:
        keys = {number: f"{parent.sweep}/{number}" for number in numbers}
        found = {
            number: next(self._search([parent.experiment_id], {schema.TAG_KEY: each}), None)
            for number, each in keys.items()
        }
        return {number: run.info.run_id for number, run in found.items() if run is not None}

    @override
    def children(self, parent: Parent) -> Iterator[StoredChild]:
        runs = self._search([parent.experiment_id], {schema.TAG_PARENT: parent.run_id})
        return (_stored(run) for run in runs if is_child(run.data.tags))

    @override
    def nested(self, parent: Parent) -> Mapping[str, int]:
        tags = {schema.TAG_SWEEP: parent.sweep, schema.TAG_KIND: "nested"}
        return Counter(run.data.tags.get(schema.TAG_NESTED, "") for run in self._search([parent.experiment_id], tags))

    @override
    def restore_nested(self, parent: Parent, ids: Collection[str]) -> int:
        tags = {schema.TAG_SWEEP: parent.sweep, schema.TAG_KIND: "nested"}
        gone = by_nested_id(self._search([parent.experiment_id], tags, _DELETED_ONLY))
        back = [gone[one] for one in {*ids} - {*self.nested(parent)} if one in gone]
        for run_id in back:
            self._client.restore_run(run_id)
        return len(back)

    @override
    def whole(self, experiment_id: str, tags: Mapping[str, str]) -> Iterator[WholeRun]:
        return whole_runs(self._client, self._search([experiment_id], tags), self._points)

    @override
    def reopen(self, parent: Parent, numbers: Sequence[int]) -> None:
        self._known.pop(parent.run_id, None)
        with self._known_children(parent) as known:
            for number in {*numbers} & {*known}:
                place = known[number]
                if place.ended and not place.deleted:
                    self._reopen(place.run_id)
                    known[number] = place._replace(ended=False)

    @override
    def reconcile(self, parent: Parent) -> int:
        before = sum(1 for _ in self.children(parent))
        self._known.pop(parent.run_id, None)
        with self._known_children(parent) as known:
            return before - sum(not place.deleted for place in known.values())

    @override
    def remove(self, parent: Parent) -> int:
        self._known.pop(parent.run_id, None)
        active = [run.info.run_id for run in self._search([parent.experiment_id], {schema.TAG_SWEEP: parent.sweep})]
        for run_id in sorted(active, key=lambda one: one == parent.run_id):
            self._client.delete_run(run_id)
        return len(active)

    @override
    def restore(self, parent: Parent) -> int:
        tags = {schema.TAG_SWEEP: parent.sweep}
        deleted = [run.info.run_id for run in self._search([parent.experiment_id], tags, _DELETED_ONLY)]
        for run_id in deleted:
            self._client.restore_run(run_id)
        # What was deleted because it was there twice is so again.
        return len(deleted) - self.reconcile(parent)

    @override
    def close(self) -> None:
        self._known.clear()

    def _made(self, parent: Parent, child: ChildRun) -> Place:
        """Where the child run of a trial will be that has none."""
        return Place(*self._runs.create(parent.experiment_id, millis(child.started), child_tags(parent, child)))

    @contextmanager
    def _known_children(self, parent: Parent) -> Iterator[dict[int, Place]]:
        """The child runs of a parent. What the store has is unknown after an error, so it is asked before the next."""
        try:
            if parent.run_id not in self._known:
                self._known[parent.run_id] = self._find_children(parent)
            yield self._known[parent.run_id]
        except Exception:
            self._known.pop(parent.run_id, None)
            raise

    def _find_children(self, parent: Parent) -> dict[int, Place]:
        known: dict[int, Place] = {}
        for run in self._search([parent.experiment_id], {schema.TAG_PARENT: parent.run_id}, _ALL):
            number = trial_number(run.data.tags.get(schema.TAG_NUMBER))
            if number is None:
                continue
            deleted = run.info.lifecycle_stage == "deleted"
            one = Place(run.info.run_id, run.info.artifact_uri, deleted or run.info.status != "RUNNING", deleted)
            other = known.setdefault(number, one)
            if other.deleted or deleted:
                known[number] = one if other.deleted else other
            elif other is not one:  # two answers to one request that was thought lost: one child run stays
                keep, drop = (one, other) if one.ended and not other.ended else (other, one)
                self._client.delete_run(drop.run_id)
                known[number] = keep
        return known

    def _write_child(self, parent: Parent, entry: Entry) -> None:
        child, run_id = entry.child, entry.place.run_id
        terminal = child.state.terminal
        self._runs.log(run_id, child_params(child), child_points(child) if terminal else (), entry.tags)
        if terminal:
            if child.logged.inputs:
                self._client.log_inputs(run_id, datasets=dataset_inputs(logged_inputs(child.logged.inputs)))
            self._write_nested(parent, child, run_id)
            self._runs.end(run_id, status(child.state), millis(child.started + child.duration))

    def _write_nested(self, parent: Parent, child: ChildRun, child_id: str) -> None:
        """The runs inside that of a trial; a repetition finds those that are there."""
        ids, there = {"": child_id}, dict[str, dict[str, str]]()
        for one in nested_runs(parent, child):
            inside = ids[one.parent]
            if inside not in there:
                there[inside] = self._nested_in(parent, inside)
            tags, run = {**one.tags, schema.TAG_PARENT: inside}, one.run
            run_id = there[inside].get(one.id)
            run_id = run_id or self._runs.create(parent.experiment_id, millis(run.started), tags)[0]
            ids[one.id] = run_id
            self._runs.log(run_id, child_params(run), child_points(run), tags)
            if run.logged.inputs:
                self._client.log_inputs(run_id, datasets=dataset_inputs(logged_inputs(run.logged.inputs)))
            self._runs.end(run_id, status(run.state), millis(run.started + run.duration))

    def _nested_in(self, parent: Parent, run_id: str) -> dict[str, str]:
        """Run ids by the ids that they had in the slot."""
        return by_nested_id(self._search([parent.experiment_id], {schema.TAG_PARENT: run_id}))

    def _write_tags(self, entry: Entry) -> None:
        run_id = entry.place.run_id
        if schema.TAG_ARTIFACTS not in entry.tags and schema.TAG_ARTIFACTS in self._runs.get(run_id).data.tags:
            self._client.delete_tag(run_id, schema.TAG_ARTIFACTS)  # an earlier try failed
        if entry.tags:
            self._runs.log(run_id, {}, (), entry.tags)

    def _reopen(self, run_id: str) -> None:
        run = self._runs.get(run_id)
        for inside in self._inside(run):
            self._client.delete_run(inside)
        for name in {*OF_AN_END} & {*run.data.tags}:
            self._client.delete_tag(run_id, name)
        self._client.set_tag(run_id, schema.TAG_STATE, State.RUNNING.value)
        self._runs.end(run_id, "RUNNING", None)

    def _inside(self, run: Run) -> list[str]:
        """The ids of the runs inside one, at any depth."""
        found = [run.info.run_id]
        for one in found:  # which grows meanwhile
            below = self._search([run.info.experiment_id], {schema.TAG_PARENT: one})
            found += [each.info.run_id for each in below if each.info.run_id not in found]
        return found[1:]

    def _is_deleted(self, place: Place) -> bool:
        return bool(self._runs.get(place.run_id).info.lifecycle_stage == "deleted")

    # ----------------------------------------------------------------------------------------------------- search

    def _points(self, runs: Sequence[Run]) -> Points:
        return points_by_client(self._client, runs)

    def _search(self, experiments: Sequence[str], tags: Mapping[str, str], view: int = _ACTIVE_ONLY) -> Iterator[Run]:
        query = " AND ".join(f"tags.`{name}` = {quoted(value)}" for name, value in tags.items())
        token = None
        while experiments:
            page = tried_again(
                partial(self._client.search_runs, list(experiments), query, view, _PAGE, page_token=token)
            )
            if not page and token is None and rest.is_server(self.full_uri):
                # An empty answer is also what something before the server may say once; to believe it makes twins.
                page = self._client.search_runs(list(experiments), query, view, _PAGE)
            yield from page
            token = page.token
            if not token:
                return


def _stored(run: Run) -> StoredChild:
    info, data = run.info, run.data
    row = StoredRow(info.status, info.start_time, info.end_time, data.tags)
    return stored_child(info.run_id, row, dict(data.metrics), dict(data.params))
