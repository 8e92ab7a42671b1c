"""MLflow in a SQLite file: child runs are written to its tables, many in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlflow.utils.uri import append_to_uri_path
from typing_extensions import override

from sparkml_track import schema
from sparkml_track.adapters.mlflow.values import Point
from sparkml_track.errors import TrackingError
from sparkml_track.trackers._base import ChildRun, StoredChild
from sparkml_track.trackers._mlflow.client_lane import ClientLane
from sparkml_track.trackers._mlflow.lane import Entry, Place
from sparkml_track.trackers._mlflow.sqlite_rows import (
    CHUNK,
    END,
    LATEST,
    LEAVE,
    METRIC,
    PARAM,
    REOPEN,
    RUN,
    TAG,
    Rows,
    by_chunks,
    metric_row,
)
from sparkml_track.trackers._rows import OF_AN_END, Parent, StoredRow, latest, stored_child
from sparkml_track.trial import State

__all__ = ["SqliteLane", "child_id"]

_CACHE_KB = 65_536  # the indexes of 100,000 child runs; SQLite's own 2 MB would go to disk for each row

_CHILDREN = """SELECT r.run_uuid, r.status, n.value FROM tags p
    JOIN runs r ON r.run_uuid = p.run_uuid AND r.lifecycle_stage = 'active'
    JOIN tags n ON n.run_uuid = p.run_uuid AND n.key = ?
    WHERE p.key = ? AND p.value = ?"""


def child_id(parent: str, number: int) -> str:
    """The id of a child run: always the same for a trial, so that no race and no repetition makes a second one.

    Ids of one sweep follow each other, which keeps the inserts at one place of each index.
    """
    digest = hashlib.sha256(parent.encode()).hexdigest()
    return f"{digest[:14]}{number:010x}{digest[14:22]}"


class SqliteLane(ClientLane):
    """Runs by SQL, child runs many in one transaction; by the client what is rare.

    The tables are those of the schema revisions in ``KNOWN_REVISIONS``; nothing else may construct this.

    Args:
        uri: of the database.
        artifact_root: where new experiments keep their artifacts.
        path: the database file.
        longest_wait: seconds to wait for another writer, as MLflow itself does.
    """

    at_once = 10_000

    def __init__(self, uri: str, artifact_root: str | None, path: Path, longest_wait: float = 20.0) -> None:
        super().__init__(uri, artifact_root)
        self._ids: dict[str, dict[int, str]] = {}
        self._waits = False
        with self.translated():
            self._db = sqlite3.connect(path, timeout=longest_wait, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")

    # What a sweep needs of its parent run; the client takes 5 to 35 ms for each of these.

    @override
    def find_experiment(self, name: str) -> str:
        found = self._rows("SELECT experiment_id FROM experiments WHERE name = ? AND lifecycle_stage = 'active'", name)
        return str(found[0][0]) if len(found) == 1 else super().find_experiment(name)

    @override
    def search(self, sweep: str, experiment_id: str | None = None) -> str | None:
        there = self._rows("SELECT 1 FROM tags WHERE key = ? AND value = ? LIMIT 1", schema.TAG_SWEEP, sweep)
        return super().search(sweep, experiment_id) if there else None

    @override
    def create_run(self, experiment_id: str, started: int, tags: Mapping[str, str]) -> str:
        run_id = uuid.uuid4().hex
        location = append_to_uri_path(self._root_of(experiment_id), run_id, "artifacts")
        run = (tags["mlflow.runName"], tags["mlflow.user"], "RUNNING", started, None, location, int(experiment_id))
        with self._transaction():
            self._db.execute(RUN, (run_id, *run))
            self._db.executemany(TAG, [(name, value, run_id) for name, value in tags.items()])
        return run_id

    @override
    def log(self, run_id: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> None:
        # What is there already is of an earlier driver of this sweep.
        points = list(points)
        metrics = [metric_row(one, run_id) for one in points]
        newest = [metric_row(one, run_id) for one in latest(points).values()]
        with self._transaction():
            if not self._rows("SELECT 1 FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'", run_id):
                raise TrackingError(f"There is no run {run_id!r} in {self.uri}, or it was deleted.")
            self._db.executemany(TAG, [(name, value, run_id) for name, value in tags.items()])
            self._db.executemany(PARAM, [(name, value, run_id) for name, value in params.items()])
            self._db.executemany(METRIC.replace("INSERT", "INSERT OR IGNORE"), metrics)
            self._db.executemany(LATEST.replace("INSERT", "INSERT OR REPLACE"), newest)

    @override
    def end(self, run_id: str, status: str, ended: int | None) -> None:
        with self._transaction():
            self._db.execute(END, (status, ended, run_id))

    @override
    def models_root(self, experiment_id: str) -> str:
        return self._root_of(experiment_id)

    @override
    def location(self, run_id: str) -> str:
        return str(self._rows("SELECT artifact_uri FROM runs WHERE run_uuid = ?", run_id)[0][0])

    @override
    def places(self, parent: Parent, children: Sequence[ChildRun]) -> Mapping[int, Place]:
        root = self._root_of(parent.experiment_id)
        ids = {child.number: self._id(parent.run_id, child.number) for child in children}
        query = "SELECT run_uuid, status, lifecycle_stage, artifact_uri FROM runs WHERE run_uuid IN ({})"
        there = {row[0]: row for row in by_chunks(self._db, query, list(ids.values()))}
        before, _, after = str(append_to_uri_path(root, "\0", "artifacts")).partition("\0")
        made = {}
        for number, run_id in ids.items():
            _, status, stage, location = there.get(run_id) or ("", "RUNNING", "active", None)
            gone = stage != "active"
            location = location or f"{before}{run_id}{after}"
            made[number] = Place(run_id, location, gone or status != "RUNNING", gone)
        return made

    @override
    def write(self, parent: Parent, entries: Sequence[Entry]) -> Collection[int]:
        with self._transaction():
            self._check_parent(parent)
            ended = self._ended([entry.place.run_id for entry in entries if not entry.place.ended])
            rows, written = Rows(self._root_of(parent.experiment_id)), []
            for entry in entries:
                if entry.place.run_id not in ended:
                    rows.add(parent, entry)
                    written.append(entry.child.number)
            rows.write(self._db)
        return written

    @override
    def runs_of(self, parent: Parent, numbers: Collection[int]) -> Mapping[int, str]:
        ids = {self._id(parent.run_id, number): number for number in numbers}
        query = "SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active' AND run_uuid IN ({})"
        return {ids[row[0]]: row[0] for row in by_chunks(self._db, query, list(ids))}

    @override
    def children(self, parent: Parent) -> Iterator[StoredChild]:
        found = self._db.execute(_CHILDREN, (schema.TAG_NUMBER, schema.TAG_PARENT, parent.run_id)).fetchall()
        for start in range(0, len(found), CHUNK):
            yield from self._stored({one[0]: int(one[2]) for one in found[start : start + CHUNK]})

    @override
    def reopen(self, parent: Parent, numbers: Sequence[int]) -> None:
        with self._transaction():
            ids = [(self._id(parent.run_id, number),) for number in numbers]
            self._db.executemany(REOPEN, ids)
            tag = "UPDATE tags SET value = ? WHERE key = ? AND run_uuid = ?"
            self._db.executemany(tag, [(State.RUNNING.value, schema.TAG_STATE, *one) for one in ids])
            # Runs inside that of the attempt before; the next one has its own.
            self._db.executemany(LEAVE, [(schema.TAG_PARENT, *one, schema.TAG_KIND) for one in ids])
            gone = [(name, *one) for one in ids for name in OF_AN_END]
            self._db.executemany("DELETE FROM tags WHERE key = ? AND run_uuid = ?", gone)

    @override
    def remove(self, parent: Parent) -> int:
        query = """UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE lifecycle_stage = 'active'
            AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"""
        with self._transaction():
            return self._db.execute(query, (int(time.time() * 1000), schema.TAG_SWEEP, parent.sweep)).rowcount

    @override
    def restore(self, parent: Parent) -> int:
        # At one time all of them were deleted; another time is that of what a person deleted by itself.
        query = """UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE lifecycle_stage = 'deleted'
            AND deleted_time = (SELECT deleted_time FROM runs WHERE run_uuid = ?)
            AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"""
        with self._transaction():
            return self._db.execute(query, (parent.run_id, schema.TAG_SWEEP, parent.sweep)).rowcount

    @override
    def close(self) -> None:
        super().close()
        # A call that was given up may still wait for another writer: to close would wait with it, deaf to signals.
        if not self._waits:
            self._db.close()

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        return self._db.execute(query, values).fetchall()

    def _root_of(self, experiment_id: str) -> str:
        query = "SELECT artifact_location FROM experiments WHERE experiment_id = ?"
        return str(self._rows(query, int(experiment_id))[0][0])

    def _id(self, run_id: str, number: int) -> str:
        # A sweep begun through a server on the same database has ids that the server made.
        if run_id not in self._ids:
            found = self._db.execute(_CHILDREN, (schema.TAG_NUMBER, schema.TAG_PARENT, run_id))
            self._ids[run_id] = {int(one[2]): one[0] for one in found if one[0] != child_id(run_id, int(one[2]))}
        return self._ids[run_id].get(number) or child_id(run_id, number)

    def _ended(self, ids: Sequence[str]) -> set[str]:
        # One that a person deleted stays deleted: ``verify`` reports it.
        query = """SELECT run_uuid FROM runs
            WHERE (status <> 'RUNNING' OR lifecycle_stage <> 'active') AND run_uuid IN ({})"""
        return {row[0] for row in by_chunks(self._db, query, list(ids))}

    def _check_parent(self, parent: Parent) -> None:
        query = """SELECT 1 FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
            WHERE r.run_uuid = ? AND r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'"""
        if self._db.execute(query, (parent.run_id,)).fetchone() is None:
            raise TrackingError(
                f"The parent run {parent.run_id} or its experiment was deleted from {self.uri} while the sweep ran. "
                "Restore it in MLflow and resume the sweep."
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._waits = True
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._waits = False

    def _stored(self, numbers: Mapping[str, int]) -> Iterator[StoredChild]:
        ids = list(numbers)
        tags = _pairs(self._db, "SELECT run_uuid, key, value FROM tags", ids)
        params = _pairs(self._db, "SELECT run_uuid, key, value FROM params", ids)
        query = "SELECT run_uuid, status, start_time, end_time FROM runs WHERE run_uuid IN ({})"
        rows = {row[0]: row for row in by_chunks(self._db, query, ids)}
        metrics = _pairs(
            self._db, "SELECT run_uuid, key, CASE is_nan WHEN 1 THEN 'nan' ELSE value END FROM latest_metrics", ids
        )
        for run_id in numbers:
            _, shown, started, ended = rows[run_id]
            values = {name: float(value) for name, value in metrics[run_id].items()}
            row = StoredRow(shown, int(started), int(ended or 0), tags[run_id])
            yield stored_child(run_id, row, values, params[run_id])


def _pairs(db: sqlite3.Connection, query: str, ids: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {one: {} for one in ids}
    for run_id, name, value in by_chunks(db, query + " WHERE run_uuid IN ({})", ids):
        found[run_id][name] = value
    return found
