"""Opens an MLflow database in a SQLite file: makes it, checks its schema, and chooses the lane to it."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from functools import cache
from pathlib import Path

from mlflow.store.db.utils import _get_latest_schema_revision
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.engine import make_url

from sparkml_track.adapters.mlflow.errors import schema_error, translated
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.errors import TrackingError
from sparkml_track.slot.host.lock import exclusive_lock
from sparkml_track.trackers._mlflow.client_lane import ClientLane
from sparkml_track.trackers._mlflow.lane import Lane
from sparkml_track.trackers._mlflow.sqlite_lane import SqliteLane

__all__ = ["KNOWN_REVISIONS", "open_sqlite"]

#: Schema revisions that the SQLite lane passed its conformance cases on. MLflow 3.17.
KNOWN_REVISIONS = frozenset({"dc11669786a5"})


def open_sqlite(uri: str, artifact_root: str | None) -> Lane:
    """Opens the database, making it if it is missing or empty (about 2 s).

    Args:
        uri: ``sqlite:///`` and a path.
        artifact_root: where experiments keep their artifacts.

    Raises:
        TrackingSchemaError: it is at another schema than the installed MLflow's.
        TrackingError: it is not a file, or not an MLflow database.
    """
    with translated(uri):
        path, head = _path(uri), schema_head()
        # Without the lock only "done" counts: anything else may be a database that another process is making.
        found = _glimpsed(path)
        if found != head:
            # MLflow's migrations do not stand a second process.
            with exclusive_lock(path.parent):
                found = _revision(path)
                if found is None:
                    SqlAlchemyStore(uri, artifact_root)
                    found = _revision(path)
        if not found:
            raise TrackingError(
                f"The database {redacted(uri)} has tables but none of MLflow's. Name another file for tracking."
            )
        if found != head:
            raise schema_error(uri, f"found revision {found}, expected {head}")
    if head in KNOWN_REVISIONS:
        return SqliteLane(uri, artifact_root, path)
    warnings.warn(
        f"The installed MLflow has schema {head}, which this release does not know; child runs are recorded through "
        "its client, about fifty times slower. Look for a newer sparkml-track.",
        stacklevel=4,
    )
    return ClientLane(uri, artifact_root)


@cache
def schema_head() -> str:
    """The schema revision of the installed MLflow, which reads 67 files to find it."""
    return str(_get_latest_schema_revision())


def _path(uri: str) -> Path:
    database = make_url(uri).database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise TrackingError(f"The tracking store {redacted(uri)} is not a file. Use sqlite:/// and a path.")
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _glimpsed(path: Path) -> str | None:
    """The schema revision as far as it can be seen while others may write."""
    try:
        return _revision(path)
    except sqlite3.Error:
        return None


def _revision(path: Path) -> str | None:
    """The schema revision; None for no database yet, empty for one that is not MLflow's."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "alembic_version" not in tables:
            return "" if tables else None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""
