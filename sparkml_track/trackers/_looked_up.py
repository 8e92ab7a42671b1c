"""Runs, found in a SQLite file of MLflow without opening the store, which would take seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sparkml_track import schema
from sparkml_track.errors import TrackingError

__all__ = ["FoundModel", "FoundRun", "found_experiments", "found_models", "found_run"]

_RUN = """
    SELECT runs.run_uuid, experiment_id, artifact_uri FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid
    WHERE key = ? AND value = ? AND lifecycle_stage = 'active'
"""
_VERSIONS = """
    SELECT name, version, run_id FROM model_versions WHERE run_id IN (
        SELECT run_uuid FROM tags WHERE key = ? AND value = ?
    ) ORDER BY name, version
"""
_PARAMS = "SELECT key, value FROM params WHERE run_uuid = ?"
_EXPERIMENTS = "SELECT run_uuid, experiment_id FROM runs WHERE run_uuid IN ({})"
#: Runs of one question: SQLite may take no more than 999 values.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A child run in the store.

    Attributes:
        run_id: its id.
        experiment_id: of its experiment.
        artifacts: where its artifacts are.
    """

    run_id: str
    experiment_id: str
    artifacts: str


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A version of a registered model that comes from a sweep.

    Attributes:
        name: of the model.
        version: its number.
        run_id: of the run that made it: that of a trial, or one that fitted the params of a trial again.
        params: of this run, as text.
    """

    name: str
    version: int
    run_id: str
    params: Mapping[str, str]


def found_run(database: Path, sweep: str, number: int) -> FoundRun | None:
    """The child run of a trial; None if it is not there, or there is no such file.

    Args:
        database: a SQLite file of MLflow; it is only read.
        sweep: of the trial.
        number: of the trial.

    Raises:
        TrackingError: the file cannot be read.
    """
    if not database.is_file():
        return None
    with _reading(database) as db:
        row = db.execute(_RUN, (schema.TAG_KEY, f"{sweep}/{number}")).fetchone()
    return None if row is None else FoundRun(str(row[0]), str(row[1]), str(row[2] or ""))


def found_models(database: Path, sweep: str) -> list[FoundModel]:
    """Versions of registered models that come from a sweep, by name and version; none if there is no such file.

    Args:
        database: a SQLite file of MLflow; it is only read.
        sweep: its id.

    Raises:
        TrackingError: the file cannot be read.
    """
    if not database.is_file():
        return []
    with _reading(database) as db:
        rows = db.execute(_VERSIONS, (schema.TAG_SWEEP, sweep)).fetchall()
        return [
            FoundModel(str(name), int(version), str(run), dict(db.execute(_PARAMS, (run,)).fetchall()))
            for name, version, run in rows
        ]


def found_experiments(database: Path, runs: Iterable[str]) -> dict[str, str]:
    """The experiment of each of some runs that is there; of none if there is no such file.

    Args:
        database: a SQLite file of MLflow; it is only read.
        runs: their ids.

    Raises:
        TrackingError: the file cannot be read.
    """
    wanted, found = list(dict.fromkeys(runs)), dict[str, str]()
    if not wanted or not database.is_file():
        return found
    with _reading(database) as db:
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            rows = db.execute(_EXPERIMENTS.format(",".join("?" * len(part))), part)
            found |= {str(run): str(experiment) for run, experiment in rows}
    return found


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=5)) as db:
            yield db
    except sqlite3.Error as error:
        raise TrackingError(f"The runs in {database} cannot be read: {error}") from error
