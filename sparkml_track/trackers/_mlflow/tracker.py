"""MLflow as the tracker: what a sweep writes, by whichever lane leads to its store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from typing_extensions import override

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import inputs_of, logged_inputs
from sparkml_track.adapters.mlflow.errors import tried_again
from sparkml_track.adapters.mlflow.values import MAX_PARAM, clipped, millis
from sparkml_track.errors import TrackingError
from sparkml_track.trackers._base import ChildRun, ParentEnd, ParentRun, StoredChild, StoredParent, Tracker
from sparkml_track.trackers._content import Content
from sparkml_track.trackers._mlflow.artifacts import store_child_files, store_files, trouble_with
from sparkml_track.trackers._mlflow.lanes.lane import Entry, Lane, Place
from sparkml_track.trackers._mlflow.models import store_models
from sparkml_track.trackers._mlflow.opening import open_lane
from sparkml_track.trackers._mlflow.parent import parent_end_tags, parent_tags
from sparkml_track.trackers._mlflow.reading import fetch_files
from sparkml_track.trackers._names import key
from sparkml_track.trackers._rows import Parent, child_tags, is_child, late_tags, parent_points, status
from sparkml_track.trackers._whole import WholeRun, inside_of, with_nested

__all__ = ["MlflowTracker", "open_mlflow"]

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


def open_mlflow(uri: str, artifact_root: str | None) -> MlflowTracker:
    """The tracker for a store, by the fastest lane there is to it.

    Raises:
        TrackingError: or one of its kinds; see ``open_tracker``.
    """
    return MlflowTracker(open_lane(uri, artifact_root))


class MlflowTracker(Tracker):
    """Writes runs through a lane, which it closes."""

    def __init__(self, lane: Lane) -> None:
        self.uri = lane.uri
        self._lane = lane
        self._parents: dict[str, Parent] = {}

    # ------------------------------------------------------------------------------------------------ parent

    @override
    def start(self, parent: ParentRun) -> tuple[str, str]:
        return self._asked(lambda: self._start(parent))

    @override
    def finish(self, run_id: str, end: ParentEnd) -> None:
        self._asked(lambda: self._finish(run_id, end))

    @override
    def find(self, sweep: str) -> str | None:
        return self._asked(lambda: self._lane.search(sweep))

    @override
    def parent(self, run_id: str) -> StoredParent:
        return self._asked(lambda: self._stored_parent(run_id))

    # ---------------------------------------------------------------------------------------------- children

    @override
    def publish(self, run_id: str, children: Sequence[ChildRun]) -> Mapping[int, str]:
        return self._asked(lambda: self._publish(run_id, children))

    @override
    def children(self, run_id: str) -> Iterator[StoredChild]:
        with self._lane.translated():
            yield from self._lane.children(self._parent(run_id))

    @override
    def nested(self, run_id: str) -> Mapping[str, int]:
        return self._asked(lambda: self._lane.nested(self._parent(run_id)))

    @override
    def restore_nested(self, run_id: str, ids: Collection[str]) -> int:
        return self._asked(lambda: self._lane.restore_nested(self._parent(run_id), ids))

    @override
    def runs_of(self, run_id: str, numbers: Collection[int]) -> Mapping[int, str]:
        return self._asked(lambda: self._lane.runs_of(self._parent(run_id), numbers))

    @override
    def whole_parent(self, run_id: str) -> WholeRun:
        return self._asked(lambda: self._whole_parent(run_id))

    @override
    def whole_children(self, run_id: str) -> Iterator[WholeRun]:
        with self._lane.translated():
            parent = self._parent(run_id)
            tags = {schema.TAG_SWEEP: parent.sweep, schema.TAG_KIND: "nested"}
            nested = inside_of(self._lane.whole(parent.experiment_id, tags))
            for run in self._lane.whole(parent.experiment_id, {schema.TAG_PARENT: run_id}):
                if is_child(run.log.tags):
                    yield with_nested(run, nested)

    @override
    def fetch(self, run: WholeRun, folder: Path) -> None:
        lane = self._lane
        self._asked(lambda: fetch_files(run, lane.location(run.run_id), lane.full_uri, folder))

    @override
    def reopen(self, run_id: str, numbers: Sequence[int]) -> None:
        if numbers:
            self._asked(lambda: self._lane.reopen(self._parent(run_id), numbers))

    @override
    def reconcile(self, run_id: str) -> int:
        return self._asked(lambda: self._lane.reconcile(self._parent(run_id)))

    @override
    def remove(self, run_id: str) -> int:
        return self._asked(lambda: self._lane.remove(self._parent(run_id)))

    @override
    def restore(self, run_id: str) -> int:
        return self._asked(lambda: self._lane.restore(self._parent(run_id)))

    @override
    def close(self) -> None:
        self._parents.clear()
        self._lane.close()

    # ------------------------------------------------------------------------------------------------- calls

    def _asked(self, call: Callable[[], Answer]) -> Answer:
        """What a call gives; all that a tracker does may be repeated, and is where the store's answer was odd."""

        def checked() -> Answer:
            self._lane.check()
            return call()

        with self._lane.translated():
            return tried_again(checked)

    def _start(self, parent: ParentRun) -> tuple[str, str]:
        lane = self._lane
        experiment = lane.find_experiment(parent.experiment)
        tags = parent_tags(parent)
        found = lane.search(parent.sweep, experiment)
        run = lane.run(found) if found else None
        run_id = found or lane.create_run(experiment, millis(parent.started), tags)
        params = {key(name): clipped(value, MAX_PARAM) for name, value in parent.params.items()}
        for name in run.params if run else ():  # MLflow refuses to change a param
            params.pop(name, None)
        lane.log(run_id, params, (), tags if run else {})
        lane.log_inputs(run_id, [*inputs_of(parent.data), *logged_inputs(parent.inputs)])
        self._store(run_id, parent.artifacts)
        if run and run.status != "RUNNING":
            lane.end(run_id, "RUNNING", None)
        self._parents[run_id] = _parent_of(run_id, experiment, tags)
        return run_id, experiment

    def _finish(self, run_id: str, end: ParentEnd) -> None:
        lane = self._lane
        lane.log(run_id, {}, parent_points(end), parent_end_tags(end))
        self._store(run_id, end.artifacts)
        lane.end(run_id, status(end.state), millis(end.ended))

    def _store(self, run_id: str, artifacts: Mapping[str, Content]) -> None:
        """Keeps files of a parent run; where that cannot be, a tag says why."""
        lane = self._lane
        if artifacts:
            location = lane.location(run_id)
            trouble = trouble_with(lambda: store_files(location, lane.full_uri, artifacts))
            if trouble:
                lane.log(run_id, {}, (), {schema.TAG_ARTIFACTS: trouble})

    def _stored_parent(self, run_id: str) -> StoredParent:
        parent, run = self._parent(run_id), self._lane.run(run_id)
        return StoredParent(
            run_id=run_id,
            experiment_id=parent.experiment_id,
            sweep=parent.sweep,
            status=run.status,
            metrics=run.metrics,
            params=run.params,
            tags=run.tags,
        )

    def _whole_parent(self, run_id: str) -> WholeRun:
        parent = self._parent(run_id)
        tags = {schema.TAG_SWEEP: parent.sweep, schema.TAG_KIND: "sweep"}
        found = [run for run in self._lane.whole(parent.experiment_id, tags) if run.run_id == run_id]
        if not found:
            raise TrackingError(f"The parent run {run_id} in {self.uri} was deleted. Restore it in MLflow.")
        return replace(found[0], experiment=self._lane.experiment_name(parent.experiment_id))

    def _parent(self, run_id: str) -> Parent:
        if run_id not in self._parents:
            run = self._lane.run(run_id)
            if schema.TAG_SWEEP not in run.tags:
                raise TrackingError(
                    f"The run {run_id!r} in {self.uri} is not a sweep: it has no tag {schema.TAG_SWEEP!r}. "
                    "Give the run id that start() returned."
                )
            self._parents[run_id] = _parent_of(run_id, run.experiment_id, run.tags)
        return self._parents[run_id]

    def _publish(self, run_id: str, children: Sequence[ChildRun]) -> Mapping[int, str]:
        parent = self._parent(run_id)
        newest = {child.number: child for child in children}
        ids: dict[int, str] = {}
        for batch in _batches(list(newest.values()), self._lane.at_once):
            places = self._lane.places(parent, batch)
            entries = [self._entry(parent, child, places[child.number]) for child in batch]
            wanted = [entry for entry in entries if entry is not None]
            written = self._lane.write(parent, wanted)
            if missed := [entry.child.number for entry in wanted if entry.child.number not in written]:
                _log.warning("child runs of trials %s ended or were deleted meanwhile; they stay so", missed)
            ids |= {number: place.run_id for number, place in places.items()}
        return ids

    def _entry(self, parent: Parent, child: ChildRun, place: Place) -> Entry | None:
        """What is to be written of a child, its files kept before; None for nothing."""
        if not place.ended:
            # Files first: a child run that is terminal in the store is complete.
            files = self._files(parent, child, place) if child.state.terminal else {}
            return Entry(child, place, child_tags(parent, child) | files)
        if place.deleted or child.artifacts is None:
            return None
        files = self._files(parent, replace(child, log=""), place)
        return Entry(child, place, late_tags(parent, child) | files)

    def _files(self, parent: Parent, child: ChildRun, place: Place) -> dict[str, str]:
        uri = self._lane.full_uri
        root = self._lane.models_root(parent.experiment_id) if child.logged.models else None
        if root is None:
            return store_child_files(child, place.location, uri)
        models = partial(store_models, child, place.run_id, root, uri)
        return store_child_files(child, place.location, uri, models)


def _parent_of(run_id: str, experiment_id: str, tags: Mapping[str, str]) -> Parent:
    return Parent(
        run_id=run_id,
        sweep=tags[schema.TAG_SWEEP],
        experiment_id=experiment_id,
        user=tags.get("mlflow.user", "unknown"),
        source=tags.get("mlflow.source.name", ""),
    )


def _batches(children: Sequence[ChildRun], size: int) -> Iterator[Sequence[ChildRun]]:
    return (children[start : start + size] for start in range(0, len(children), size))
