"""MLflow in a SQLite file: makes it, checks its schema, and writes to it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from typing_extensions import override

from sparkml_track.adapters.mlflow.errors import schema_error
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.errors import TrackingError
from sparkml_track.slot.host.lock import exclusive_lock
from sparkml_track.trackers._mlflow.lanes.database import Row
from sparkml_track.trackers._mlflow.lanes.empty_file import make_empty
from sparkml_track.trackers._mlflow.lanes.sql import SqlLane
from sparkml_track.trackers._mlflow.lanes.tables import Conflict, Table, schema_head

__all__ = ["SqliteLane", "made_file"]

_CACHE_KB = 65_536  # the indexes of 100,000 child runs; SQLite's own 2 MB would go to disk for each row


class SqliteLane(SqlLane):
    """Runs in a SQLite file.

    Args:
        uri: of the database.
        artifact_root: where new experiments keep their artifacts.
        path: the database file.
        longest_wait: seconds to wait for another writer, as MLflow itself does.
    """

    def __init__(self, uri: str, artifact_root: str | None, path: Path, longest_wait: float = 20.0) -> None:
        super().__init__(uri, artifact_root)
        self._waits = 0
        with self.translated():
            self._db = sqlite3.connect(path, timeout=longest_wait, isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")

    @override
    def query(self, statement: str, *values: object) -> list[Row]:
        with self._waiting():
            return self._db.execute(statement, values).fetchall()

    @override
    def change(self, statement: str, *values: object) -> int:
        return self._db.execute(statement, values).rowcount

    @override
    def add(self, table: Table, rows: Sequence[Row], conflict: Conflict | None = None) -> None:
        values = [*"?" * len(table.columns), *table.fixed.values()]
        self._db.executemany(table.insert(f"VALUES ({', '.join(values)})", conflict), rows)

    @override
    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._waiting():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @override
    def close(self) -> None:
        super().close()
        # A call that was given up may still wait for another writer: to close would wait with it, deaf to signals.
        if not self._waits:
            self._db.close()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1


def made_file(uri: str, artifact_root: str | None) -> Path:
    """The database file at the schema of the installed MLflow, made if it is missing or empty.

    Args:
        uri: ``sqlite:///`` and a path.
        artifact_root: where experiments keep their artifacts.

    Raises:
        TrackingSchemaError: it is at another schema than the installed MLflow's.
        TrackingError: it is not a file, or not an MLflow database.
    """
    path, head = _path(uri), schema_head()
    # Without the lock only "done" counts: anything else may be a database that another process is making.
    found = _glimpsed(path)
    if found != head:
        # MLflow's migrations do not stand a second process.
        with exclusive_lock(path.parent):
            found = _revision(path)
            if found is None:
                make_empty(uri, path, artifact_root or "", head)
                found = _revision(path)
    if not found:
        raise TrackingError(
            f"The database {redacted(uri)} has tables but none of MLflow's. Name another file for tracking."
        )
    if found != head:
        raise schema_error(uri, f"found revision {found}, expected {head}")
    return path


def _path(uri: str) -> Path:
    database = _database_in(uri)
    if not database or database == ":memory:" or database.startswith("file:"):
        raise TrackingError(f"The tracking store {redacted(uri)} is not a file. Use sqlite:/// and a path.")
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _database_in(uri: str) -> str | None:
    # SQLAlchemy, which knows all forms, takes 0.2 s to import.
    if re.fullmatch(r"sqlite:////[\w./ -]+", uri):
        return uri.removeprefix("sqlite:///")
    from sqlalchemy.engine import make_url

    return make_url(uri).database


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
