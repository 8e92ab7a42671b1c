"""Rows in SQLite files, one for each table: nothing to install, a key is found in tens of microseconds.

A publication is one transaction in WAL mode: readers go on with the earlier one meanwhile, and a publisher that is
killed leaves nothing. Readers open files read-only; what SQLite itself keeps beside a file (``-wal``, ``-shm``) they
must be able to make, so the folder must be writable for them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from sparkml_track.errors import DataError, OnlineStoreError
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._databases.connections import Connections
from sparkml_track.online_stores._values import Publication, StoredRow, checked_name

__all__ = ["SqliteOnlineStore"]

_TABLES = (
    "CREATE TABLE IF NOT EXISTS publication (one INTEGER PRIMARY KEY CHECK (one = 1), generation TEXT, body TEXT)",
    "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, known_at INTEGER, version INTEGER, text TEXT)WITHOUT ROWID",
)
# One statement is one moment: rows are of the generation that stands beside them.
_ANSWER = "SELECT p.generation, r.key, r.known_at, r.version, r.text FROM publication p LEFT JOIN rows r ON r.key "
_ONE, _MANY = (_ANSWER + some for some in ("= ?", "IN (SELECT value FROM json_each(?))"))
_INSERT = "INSERT INTO rows VALUES (?, ?, ?, ?)"
_UPSERT = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)"
_PUBLISH = "INSERT OR REPLACE INTO publication VALUES (1, ?, ?)"
_WAIT_SECONDS = 60  # for another publisher of the table
_CHECKPOINT_MS = 100  # readers may keep the log from being emptied; the next publication does it


class SqliteOnlineStore(OnlineStore):
    """Files ``<folder>/<table>.db``.

    Args:
        folder: made by the first publication.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self._folder = Path(folder).expanduser().absolute()
        self.address = f"sqlite:///{self._folder}"
        self._tables: dict[str, Connections[sqlite3.Connection]] = {}

    @override
    def publication(self, table: str) -> Publication | None:
        found = self._ask(table, "SELECT body FROM publication")
        return Publication.from_json(found[0][0]) if found else None

    @override
    def names(self) -> tuple[str, ...]:
        there = sorted(path.stem for path in self._folder.glob("*.db"))
        return tuple(name for name in there if self.publication(name))

    @override
    def drop(self, table: str) -> None:
        if not self._path(table).exists():
            return
        # The file stays: readers have it open.
        with self._written(table) as connection:
            connection.execute("DELETE FROM publication")
            connection.execute("DELETE FROM rows")

    @override
    def close(self) -> None:
        for connections in list(self._tables.values()):
            connections.close()
        self._tables.clear()

    @override
    def _replace(self, publication: Publication, rows: Iterator[StoredRow]) -> None:
        with self._written(publication.table) as connection:
            connection.execute("DELETE FROM rows")
            connection.executemany(_INSERT, rows)
            connection.execute(_PUBLISH, (publication.generation, publication.to_json()))

    @override
    def _amend(self, publication: Publication, base: str, rows: Iterator[StoredRow], removed: Iterator[str]) -> bool:
        with self._written(publication.table) as connection:
            if connection.execute("SELECT generation FROM publication").fetchone() != (base,):
                return False
            connection.executemany("DELETE FROM rows WHERE key = ?", ((key,) for key in removed))
            connection.executemany(_UPSERT, rows)
            connection.execute(_PUBLISH, (publication.generation, publication.to_json()))
        return True

    @override
    def _read(self, table: str, keys: Sequence[str]) -> tuple[str, Mapping[str, StoredRow]]:
        found = self._ask(table, _ONE, keys[0]) if len(keys) == 1 else self._ask(table, _MANY, json.dumps(keys))
        rows = {row[1]: StoredRow(*row[1:]) for row in found if row[1] is not None}
        return (str(found[0][0]) if found else ""), rows

    def _path(self, table: str) -> Path:
        return self._folder / f"{checked_name(table)}.db"

    def _ask(self, table: str, statement: str, *values: object) -> list[Any]:
        """The rows of a statement; none where the table was never published."""
        try:
            connections = self._tables[table]
        except KeyError:
            path = self._path(table)
            if not path.exists():
                return []
            connections = self._tables.setdefault(table, Connections(partial(_opened, path)))
        with self._translated(f"read {table}"), connections.take() as connection:
            try:
                return connection.execute(statement, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # a publisher was killed before its first publication ended
                    return []
                raise

    @contextmanager
    def _written(self, table: str) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the table against other publishers."""
        path = self._path(table)
        with self._translated(f"publish {table}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    for statement in _TABLES:
                        connection.execute(statement)
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MS}")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise DataError(f"could not {what} in {self.address}: two rows have the same key") from error
        except (sqlite3.Error, OSError) as error:
            raise OnlineStoreError(
                f"could not {what} in {self.address}: {error}; the folder must be there and writable, also for those "
                "who only read"
            ) from error


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=_WAIT_SECONDS
    )
