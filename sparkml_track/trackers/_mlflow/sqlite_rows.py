"""The rows of a batch of child runs in MLflow's tables, as its own store writes them.

The tables are those of the schema revisions in ``KNOWN_REVISIONS``.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator

from mlflow.entities import DatasetInput

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import logged_inputs
from sparkml_track.adapters.mlflow.values import Point, millis
from sparkml_track.trackers._base import ChildRun
from sparkml_track.trackers._mlflow.lane import Entry, Place
from sparkml_track.trackers._mlflow.models import kept_models, model_location
from sparkml_track.trackers._rows import Nested, Parent, child_params, child_points, latest, nested_runs, status

__all__ = [
    "CHUNK",
    "END",
    "LATEST",
    "LEAVE",
    "METRIC",
    "PARAM",
    "REOPEN",
    "RUN",
    "TAG",
    "Rows",
    "by_chunks",
    "metric_row",
    "nested_id",
]

CHUNK = 500  # ids in one statement

RUN = """INSERT OR REPLACE INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
    start_time, end_time, deleted_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
    VALUES (?, ?, 'UNKNOWN', '', '', ?, ?, ?, ?, NULL, '', 'active', ?, ?)"""
REOPEN = "UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ? AND lifecycle_stage = 'active'"
END = "UPDATE runs SET status = ?, end_time = coalesce(?, end_time) WHERE run_uuid = ?"
TAG = "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
PARAM = "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)"
METRIC = "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"
LATEST = "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"

LEAVE = """UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid IN (SELECT p.run_uuid FROM tags p
    JOIN tags k ON k.run_uuid = p.run_uuid WHERE p.key = ? AND p.value = ? AND k.key = ? AND k.value = 'nested')"""
_DATASET = """INSERT OR IGNORE INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
    dataset_source, dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_INPUT = """INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
    SELECT ?, 'DATASET', dataset_uuid, 'RUN', ?, 0 FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"""
_INPUT_TAG = "INSERT OR IGNORE INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)"
_MODEL = """INSERT OR REPLACE INTO logged_models (model_id, experiment_id, name, artifact_location,
    creation_timestamp_ms, last_updated_timestamp_ms, status, model_type, source_run_id, lifecycle_stage)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'active')"""
_OUTPUT = """INSERT OR IGNORE INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
    VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?, 0)"""


class Rows:
    """The rows of one batch, collected first so that each table takes one executemany."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.models: list[tuple[object, ...]] = []
        self.model_values: dict[str, list[tuple[object, ...]]] = {"tag": [], "param": []}
        self.outputs: list[tuple[object, ...]] = []
        self.runs: list[tuple[object, ...]] = []
        self.tags: list[tuple[str, str, str]] = []
        self.params: list[tuple[str, str, str]] = []
        self.metrics: list[tuple[object, ...]] = []
        self.newest: list[tuple[object, ...]] = []
        self.late: list[tuple[str, str]] = []
        self.datasets: list[tuple[object, ...]] = []
        self.inputs: list[tuple[object, ...]] = []
        self.input_tags: list[tuple[str, str, str]] = []

    def add(self, parent: Parent, entry: Entry) -> None:
        """Adds a child run, or the tags of one that has ended."""
        child, run_id = entry.child, entry.place.run_id
        self.tags += [(name, value, run_id) for name, value in entry.tags.items()]
        if child.logged.models and schema.TAG_ARTIFACTS not in entry.tags:
            self._add_models(int(parent.experiment_id), run_id, child)
        if entry.place.ended:
            self.late.append((schema.TAG_ARTIFACTS, run_id))  # an earlier try failed
            return
        self._add_run(parent, (run_id, entry.tags["mlflow.runName"], entry.place.location), child)
        for one in nested_runs(parent, child) if child.logged.nested else ():
            self._add_nested(parent, entry.place, one)

    def _add_nested(self, parent: Parent, place: Place, one: Nested) -> None:
        run_id, inside = (nested_id(place.run_id, each) if each else place.run_id for each in (one.id, one.parent))
        self.tags += [(name, value, run_id) for name, value in {**one.tags, schema.TAG_PARENT: inside}.items()]
        self._add_run(parent, (run_id, one.name, f"{place.location.rstrip('/')}/{one.folder}"), one.run)

    def _add_run(self, parent: Parent, about: tuple[str, str, str], child: ChildRun) -> None:
        run_id, name, location = about
        points = child_points(child)
        ended = millis(child.started + child.duration) if child.state.terminal else None
        run = (name, parent.user, status(child.state), millis(child.started), ended)
        self.runs.append((run_id, *run, location, int(parent.experiment_id)))
        self.params += [(name, value, run_id) for name, value in child_params(child).items()]
        self.metrics += [metric_row(one, run_id) for one in points]
        self.newest += [metric_row(one, run_id) for one in latest(points).values()]
        for one in logged_inputs(child.logged.inputs) if child.logged.inputs else ():
            self._add_input(int(parent.experiment_id), run_id, one)

    def _add_models(self, experiment: int, run_id: str, child: ChildRun) -> None:
        for model in kept_models(child):
            one = model["id"]
            location = model_location(child, one, self._root)
            times = (model["created"], model["updated"], model["status"])
            self.models.append((one, experiment, model["name"], location, *times, model["type"] or None, run_id))
            for kind in ("tag", "param"):
                self.model_values[kind] += [(one, experiment, *each) for each in model[f"{kind}s"].items()]
            self.outputs.append((hashlib.sha256(f"{run_id} {one}".encode()).hexdigest()[:32], run_id, one))

    def _add_input(self, experiment: int, run_id: str, given: DatasetInput) -> None:
        """Ids are made of what they name, so that a repetition makes no second row."""
        data = given.dataset
        dataset, uses = (
            hashlib.sha256(repr((*whose, data.name, data.digest)).encode()).hexdigest()[:32]
            for whose in ((experiment,), (experiment, run_id))
        )
        source = (data.source_type, data.source, data.schema, data.profile)
        self.datasets.append((dataset, experiment, data.name, data.digest, *source))
        self.inputs.append((uses, run_id, experiment, data.name, data.digest))
        self.input_tags += [(uses, tag.key, tag.value) for tag in given.tags]

    def write(self, db: sqlite3.Connection) -> None:
        """Writes all rows; inside a transaction."""
        # What a run had while it was RUNNING may be of an attempt that was lost.
        ids = [str(row[0]) for row in self.runs]
        known = [row[0] for row in by_chunks(db, "SELECT run_uuid FROM runs WHERE run_uuid IN ({})", ids)]
        for table in ("params", "metrics", "latest_metrics"):
            db.executemany(f"DELETE FROM {table} WHERE run_uuid = ?", [(one,) for one in known])  # noqa: S608
        db.executemany("DELETE FROM tags WHERE key = ? AND run_uuid = ?", self.late)
        db.executemany(RUN, self.runs)
        db.executemany(TAG, self.tags)
        db.executemany(PARAM, self.params)
        db.executemany(METRIC, self.metrics)
        db.executemany(LATEST, self.newest)
        db.executemany(_DATASET, self.datasets)
        db.executemany(_INPUT, self.inputs)
        db.executemany(_INPUT_TAG, self.input_tags)
        db.executemany(_MODEL, self.models)
        for kind, rows in self.model_values.items():
            db.executemany(f"INSERT OR REPLACE INTO logged_model_{kind}s VALUES (?, ?, ?, ?)", rows)  # noqa: S608
        db.executemany(_OUTPUT, self.outputs)


def nested_id(child: str, nested: str) -> str:
    """The id of a run inside that of a trial: the same for each repetition."""
    return hashlib.sha256(f"{child} {nested}".encode()).hexdigest()[:32]


def metric_row(one: Point, run_id: str) -> tuple[object, ...]:
    """Of ``metrics`` and of ``latest_metrics``."""
    return (one.key, one.value, one.timestamp, one.step, one.is_nan, run_id)


def by_chunks(db: sqlite3.Connection, query: str, ids: list[str]) -> Iterator[tuple[str, ...]]:
    """Rows of a query over ids, which goes in parts: a statement takes only so many."""
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        yield from db.execute(query.format(",".join("?" * len(chunk))), chunk)
