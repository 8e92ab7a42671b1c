"""Writes a batch into the tables, inside a transaction that is open."""

from __future__ import annotations

import hashlib

from sparkml_track import schema
from sparkml_track.trackers._mlflow.lanes import tables
from sparkml_track.trackers._mlflow.lanes.batch import Batch
from sparkml_track.trackers._mlflow.lanes.database import Database
from sparkml_track.trackers._mlflow.lanes.tables import Conflict
from sparkml_track.trackers._mlflow.models import model_location

__all__ = ["write_batch", "write_data"]


def write_batch(db: Database, batch: Batch, experiment: int, root: str) -> None:
    """Writes all rows.

    Args:
        db: where.
        batch: the rows.
        experiment: of all runs.
        root: where the experiment keeps its artifacts.
    """
    ids = [row.run_id for row in batch.runs]
    known = [row[0] for row in db.query_for("SELECT run_uuid FROM runs WHERE run_uuid IN ({})", ids)]
    for table in ("params", "metrics", "latest_metrics"):
        # What a run had while it was RUNNING may be of an attempt that was lost.
        db.change_for(f"DELETE FROM {table} WHERE run_uuid IN ({{}})", known)  # noqa: S608
    db.change_for("DELETE FROM tags WHERE key = ? AND run_uuid IN ({})", batch.late, schema.TAG_ARTIFACTS)
    db.add(tables.RUNS, [(*row[:-1], experiment, row.run_id) for row in batch.runs])
    # A run that was made here has no rows yet, and nobody else can add any before the transaction ends.
    new = set(ids).difference(known)
    for kind, rows in ((tables.TAGS, batch.tags), (tables.LATEST, batch.newest)):
        db.add(kind, [row for row in rows if row[-1] in new], Conflict.REFUSE)
        db.add(kind, [row for row in rows if row[-1] not in new])
    db.add(tables.PARAMS, batch.params)
    db.add(tables.METRICS, batch.metrics)
    if batch.data:
        write_data(db, batch, experiment)
    if batch.models:
        _write_models(db, batch, experiment, root)


def write_data(db: Database, batch: Batch, experiment: int) -> None:
    """Writes data sets and who read them. Ids are made of what they name, so that a repetition makes no second row."""
    made = {one.given.identity: one.given[:-1] for one in batch.data}
    db.add(tables.DATASETS, [(_made_id(experiment, *names), experiment, *row) for names, row in made.items()])
    query = f"SELECT name, digest, dataset_uuid FROM datasets WHERE experiment_id = {experiment} AND digest IN ({{}})"  # noqa: S608
    known = {(row[0], row[1]): row[2] for row in db.query_for(query, {one.given.digest for one in batch.data})}
    pairs = [(given.identity, run_id) for given, run_id in batch.data]
    db.add(tables.INPUTS, [(_made_id(experiment, run, *names), known[names], run) for names, run in pairs])
    # MLflow's client may have written the same before, under an id of its own.
    query = """SELECT source_id, destination_id, input_uuid FROM inputs
        WHERE source_type = 'DATASET' AND destination_type = 'RUN' AND destination_id IN ({})"""
    there = {(row[0], row[1]): row[2] for row in db.query_for(query, {one.run_id for one in batch.data})}
    named = [(there[known[given.identity], run_id], given.tags) for given, run_id in batch.data]
    db.add(tables.INPUT_TAGS, [(*tag, use) for use, tags in named for tag in tags.items()])


def _write_models(db: Database, batch: Batch, experiment: int, root: str) -> None:
    rows = [
        (one.id, experiment, one.name, one.location or model_location(root, one.id), *one[2:6], one.run_id)
        for one in batch.models
    ]
    db.add(tables.MODELS, rows)
    query = """SELECT model_id, source_run_id FROM logged_models
        WHERE experiment_id = ? AND lifecycle_stage = 'active' AND model_id IN ({})"""
    owners = {row[0]: row[1] for row in db.query_for(query, [one.id for one in batch.models], experiment)}
    ours = [one for one in batch.models if owners.get(one.id) == one.run_id]
    for table, field in ((tables.MODEL_TAGS, "tags"), (tables.MODEL_PARAMS, "params")):
        db.add(table, [(*each, one.id, experiment) for one in ours for each in getattr(one, field)])
    db.add(tables.OUTPUTS, [(_made_id(one.run_id, one.id), one.run_id, one.id) for one in ours])


def _made_id(*names: object) -> str:
    return hashlib.sha256(repr(names).encode("utf-8", "surrogatepass")).hexdigest()[:32]
