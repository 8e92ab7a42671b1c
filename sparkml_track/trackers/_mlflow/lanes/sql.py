"""MLflow in a database: child runs are written to its tables, many in one transaction."""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import Input
from sparkml_track.adapters.mlflow.experiments import KIND, artifact_location
from sparkml_track.adapters.mlflow.uri import below
from sparkml_track.adapters.mlflow.values import Point
from sparkml_track.errors import TrackingError
from sparkml_track.trackers._base import ChildRun, StoredChild
from sparkml_track.trackers._mlflow.lanes import tables
from sparkml_track.trackers._mlflow.lanes.batch import Batch, Data
from sparkml_track.trackers._mlflow.lanes.batch_writer import write_batch, write_data
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.lanes.database import Database, chunks
from sparkml_track.trackers._mlflow.lanes.lane import Entry, Place
from sparkml_track.trackers._mlflow.lanes.tables import Conflict
from sparkml_track.trackers._rows import OF_AN_END, Parent, StoredRow, is_child, stored_child, trial_number
from sparkml_track.trackers._whole import seconds
from sparkml_track.trial import LoggedMetric, State

if TYPE_CHECKING:
    from mlflow.entities import Run

    from sparkml_track.trackers._mlflow.reading import Points

__all__ = ["SqlLane", "child_id", "child_location"]

_LONGEST_NAME = 256  # of an experiment; MLflow refuses longer ones in its own words

# Whoever may write to one experiment can give runs there any tags: only runs of the sweep's own are its.
_CHILDREN = """SELECT r.run_uuid, r.status, n.value FROM tags p
    JOIN runs r ON r.run_uuid = p.run_uuid AND r.lifecycle_stage = 'active'
    AND r.experiment_id = (SELECT q.experiment_id FROM runs q WHERE q.run_uuid = p.value)
    JOIN tags n ON n.run_uuid = p.run_uuid AND n.key = ?
    WHERE p.key = ? AND p.value = ?"""
_NESTED = """SELECT n.value FROM tags n JOIN runs r ON r.run_uuid = n.run_uuid AND r.lifecycle_stage = 'active'
    AND r.experiment_id = ? JOIN tags s ON s.run_uuid = n.run_uuid AND s.key = ? AND s.value = ? WHERE n.key = ?"""
_INSIDE = """SELECT r.run_uuid FROM tags p JOIN runs r ON r.run_uuid = p.run_uuid AND r.lifecycle_stage = 'active'
    JOIN tags k ON k.run_uuid = p.run_uuid AND k.key = ? AND k.value = 'nested' WHERE p.key = ? AND p.value IN ({})"""


def child_id(parent: str, number: int) -> str:
    """The id of a child run: always the same for a trial, so that no race and no repetition makes a second one.

    Ids of one sweep follow each other, which keeps the inserts at one place of each index.
    """
    digest = hashlib.sha256(parent.encode()).hexdigest()
    return f"{digest[:14]}{number:010x}{digest[14:22]}"


def child_location(root: str, run_id: str) -> str:
    """Where the artifacts of a run are, below those of its experiment."""
    return below(root, run_id, "artifacts")


class SqlLane(ClientLane, Database):
    """Runs by SQL, child runs many in one transaction; by the client what is rare.

    The tables are those of the schema revisions in ``KNOWN_REVISIONS``; nothing else may construct this.
    """

    at_once = 10_000

    def __init__(self, uri: str, artifact_root: str | None) -> None:
        super().__init__(uri, artifact_root)
        self._foreign: dict[str, dict[int, str]] = {}

    # What a sweep needs of its parent run; the client takes 5 to 35 ms for each of these.

    @override
    def find_experiment(self, name: str) -> str:
        query = "SELECT experiment_id, lifecycle_stage FROM experiments WHERE name = ? AND workspace = 'default'"
        location = artifact_location(self._root, name) if 0 < len(name) <= _LONGEST_NAME else None
        if location is not None and not self.query(query, name):
            now = int(time.time() * 1000)
            with self.transaction():
                # Another process may have been quicker.
                self.add(tables.EXPERIMENTS, [(name, location, now, now)])
                made = self.query(query, name)[0][0]
                self.add(tables.EXPERIMENT_TAGS, [(*tag, made) for tag in KIND.items()])
        found = self.query(query, name)
        return str(found[0][0]) if len(found) == 1 and found[0][1] == "active" else super().find_experiment(name)

    @override
    def search(self, sweep: str, experiment_id: str | None = None) -> str | None:
        query = """SELECT r.run_uuid, r.experiment_id FROM tags s
            JOIN tags k ON k.run_uuid = s.run_uuid AND k.key = ? AND k.value = 'sweep'
            JOIN runs r ON r.run_uuid = s.run_uuid AND r.lifecycle_stage = 'active'
            WHERE s.key = ? AND s.value = ? ORDER BY r.start_time DESC"""
        found = self.query(query, schema.TAG_KIND, schema.TAG_SWEEP, sweep)
        return next((row[0] for row in found if experiment_id in {None, str(row[1])}), None)

    @override
    def create_run(self, experiment_id: str, started: int, tags: Mapping[str, str]) -> str:
        run_id = uuid.uuid4().hex
        location = child_location(self.root_of(experiment_id), run_id)
        run = (tags["mlflow.runName"], tags["mlflow.user"], "RUNNING", started, None, location, int(experiment_id))
        with self.transaction():
            self.add(tables.RUNS, [(*run, run_id)])
            self.add(tables.TAGS, [(name, value, run_id) for name, value in tags.items()])
        return run_id

    @override
    def log(self, run_id: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> None:
        # What is there already is of an earlier driver of this sweep.
        batch = Batch()
        batch.add_points(list(points), run_id)
        with self.transaction():
            if not self.query("SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'", run_id):
                raise TrackingError(f"There is no run {run_id!r} in {self.uri}, or it was deleted.")
            self.add(tables.TAGS, [(name, value, run_id) for name, value in tags.items()])
            self.add(tables.PARAMS, [(name, value, run_id) for name, value in params.items()])
            self.add(tables.METRICS, batch.metrics, Conflict.IGNORE)
            self.add(tables.LATEST, batch.newest)

    @override
    def log_inputs(self, run_id: str, data: Sequence[Input]) -> None:
        if data:
            batch = Batch(data=[Data(one, run_id) for one in data])
            with self.transaction():
                query = "SELECT experiment_id FROM runs WHERE run_uuid = ?"
                write_data(self, batch, int(self.query(query, run_id)[0][0]))

    @override
    def end(self, run_id: str, status: str, ended: int | None) -> None:
        statement = "UPDATE runs SET status = ?, end_time = coalesce(?, end_time) WHERE run_uuid = ?"
        with self.transaction():
            self.change(statement, status, ended, run_id)

    @override
    def models_root(self, experiment_id: str) -> str:
        return self.root_of(experiment_id)

    @override
    def location(self, run_id: str) -> str:
        return str(self.query("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id)[0][0])

    # ------------------------------------------------------------------------------------------------- child runs

    @override
    def places(self, parent: Parent, children: Sequence[ChildRun]) -> Mapping[int, Place]:
        before, _, after = child_location(self.root_of(parent.experiment_id), "\0").partition("\0")
        ids = {child.number: self._id(parent.run_id, child.number) for child in children}
        query = "SELECT run_uuid, status, lifecycle_stage, artifact_uri FROM runs WHERE run_uuid IN ({})"
        there = {row[0]: row for row in self.query_for(query, ids.values())}
        made = {}
        for number, run_id in ids.items():
            _, status, stage, location = there.get(run_id) or ("", "RUNNING", "active", None)
            gone = stage != "active"
            location = location or f"{before}{run_id}{after}"
            made[number] = Place(run_id, location, gone or status != "RUNNING", gone)
        return made

    @override
    def write(self, parent: Parent, entries: Sequence[Entry]) -> Collection[int]:
        batch = Batch()
        for entry in entries:
            batch.add(parent, entry)
        ended = self.put(parent, batch)
        return [entry.child.number for entry in entries if entry.place.ended or entry.place.run_id not in ended]

    def put(self, parent: Parent, batch: Batch) -> set[str]:
        """Writes a batch in one transaction.

        Args:
            parent: the parent run, which must be active.
            batch: the rows. Runs that have ended, or were deleted, since it was made stay as they are.

        Returns:
            Those that have.
        """
        with self.transaction():
            self._check_parent(parent)
            ended = self._ended([row.run_id for row in batch.runs])
            whole = batch.without(ended) if ended else batch
            write_batch(self, whole, int(parent.experiment_id), self.root_of(parent.experiment_id))
        return ended

    @override
    def runs_of(self, parent: Parent, numbers: Collection[int]) -> Mapping[int, str]:
        ids = {self._id(parent.run_id, number): number for number in numbers}
        query = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' AND run_uuid IN ({})"
        return {ids[row[0]]: row[0] for row in self.query_for(query, ids)}

    @override
    def children(self, parent: Parent) -> Iterator[StoredChild]:
        found = self.query(_CHILDREN, schema.TAG_NUMBER, schema.TAG_PARENT, parent.run_id)
        for some in chunks([row[0] for row in found]):
            yield from self._stored(some)

    @override
    def nested(self, parent: Parent) -> Mapping[str, int]:
        found = self.query(_NESTED, int(parent.experiment_id), schema.TAG_SWEEP, parent.sweep, schema.TAG_NESTED)
        return Counter(row[0] for row in found)

    @override
    def reopen(self, parent: Parent, numbers: Sequence[int]) -> None:
        ids = [self._id(parent.run_id, number) for number in numbers]
        active = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' AND run_uuid IN ({})"
        with self.transaction():
            ids = [row[0] for row in self.query_for(active + self.locking, ids)]
            self.change_for("UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid IN ({})", ids)
            tag = "UPDATE tags SET value = ? WHERE key = ? AND run_uuid IN ({})"
            self.change_for(tag, ids, State.RUNNING.value, schema.TAG_STATE)
            # Runs inside that of the attempt before; the next one has its own.
            inside: list[str] = ids
            while inside := [row[0] for row in self.query_for(_INSIDE, inside, schema.TAG_KIND, schema.TAG_PARENT)]:
                self.change_for("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN ({})", inside)
            for name in OF_AN_END:
                self.change_for("DELETE FROM tags WHERE key = ? AND run_uuid IN ({})", ids, name)

    @override
    def remove(self, parent: Parent) -> int:
        statement = """UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE lifecycle_stage = 'active'
            AND experiment_id = ? AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"""
        about = (int(parent.experiment_id), schema.TAG_SWEEP, parent.sweep)
        with self.transaction():
            return self.change(statement, int(time.time() * 1000), *about)

    @override
    def restore(self, parent: Parent) -> int:
        # At one time all of them were deleted; another time is that of what a person deleted by itself.
        statement = """UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE lifecycle_stage = 'deleted'
            AND deleted_time = (SELECT deleted_time FROM runs WHERE run_uuid = ?)
            AND experiment_id = ? AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"""
        about = (int(parent.experiment_id), schema.TAG_SWEEP, parent.sweep)
        with self.transaction():
            return self.change(statement, parent.run_id, *about)

    # ------------------------------------------------------------------------------------------------------ parts

    def root_of(self, experiment_id: str) -> str:
        """Where an experiment keeps its artifacts."""
        query = "SELECT artifact_location FROM experiments WHERE experiment_id = ?"
        found = self.query(query, int(experiment_id))
        if not found:
            raise TrackingError(f"There is no experiment {experiment_id!r} in {self.uri}.")
        return str(found[0][0])

    def _id(self, run_id: str, number: int) -> str:
        # A sweep begun through a server on the same database has ids that the server made.
        if run_id not in self._foreign:
            found = self.query(_CHILDREN, schema.TAG_NUMBER, schema.TAG_PARENT, run_id)
            numbers = [(trial_number(row[2]), row[0]) for row in found]
            self._foreign[run_id] = {
                other: one for other, one in numbers if other is not None and one != child_id(run_id, other)
            }
        return self._foreign[run_id].get(number) or child_id(run_id, number)

    def _ended(self, ids: Sequence[str]) -> set[str]:
        # One that a person deleted stays deleted: ``verify`` reports it.
        query = "SELECT run_uuid, status, lifecycle_stage FROM runs WHERE run_uuid IN ({})"
        rows = self.query_for(query + self.locking, ids)
        return {run_id for run_id, status, stage in rows if status != "RUNNING" or stage != "active"}

    @override
    def _points(self, runs: Sequence[Run]) -> Points:
        found: dict[str, list[LoggedMetric]] = {}
        query = "SELECT run_uuid, key, value, is_nan, step, timestamp FROM metrics WHERE run_uuid IN ({})"
        for run_id, name, value, is_nan, step, at in self.query_for(query, [run.info.run_id for run in runs]):
            one = LoggedMetric(name, math.nan if is_nan else value, step, seconds(at))
            found.setdefault(run_id, []).append(one)
        return found

    def _check_parent(self, parent: Parent) -> None:
        query = """SELECT 1 FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
            WHERE r.run_uuid = ? AND r.experiment_id = ? AND r.lifecycle_stage = 'active'
            AND e.lifecycle_stage = 'active'"""
        locking = f"{self.keeping} OF r" if self.keeping else ""
        if not self.query(query + locking, parent.run_id, int(parent.experiment_id)):
            raise TrackingError(
                f"The parent run {parent.run_id} or its experiment was deleted from {self.uri} while the sweep ran. "
                "Restore it in MLflow and resume the sweep."
            )

    def _stored(self, ids: Sequence[str]) -> Iterator[StoredChild]:
        tags = self._pairs("SELECT run_uuid, key, value FROM tags WHERE run_uuid IN ({})", ids)
        params = self._pairs("SELECT run_uuid, key, value FROM params WHERE run_uuid IN ({})", ids)
        metrics = self._pairs("SELECT run_uuid, key, value, is_nan FROM latest_metrics WHERE run_uuid IN ({})", ids)
        query = "SELECT run_uuid, status, start_time, end_time FROM runs WHERE run_uuid IN ({})"
        for row in self.query_for(query, ids):
            run_id, shown, started, ended = row
            if is_child(tags[run_id]):
                stored = StoredRow(shown, int(started), int(ended or 0), tags[run_id])
                yield stored_child(run_id, stored, metrics[run_id], params[run_id])

    def _pairs(self, query: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {one: {} for one in ids}
        for run_id, name, value, *is_nan in self.query_for(query, ids):
            found[run_id][name] = float("nan") if any(is_nan) else value
        return found
