"""Rows in PostgreSQL: two tables in the schema that the search path names first.

A publication is one transaction, and a question is one statement, which sees the rows of one moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from typing_extensions import override

from sparkml_track.adapters.mlflow.uri import redacted, scrubbed
from sparkml_track.errors import DataError, OnlineStoreError
from sparkml_track.online_stores._base import OnlineStore
from sparkml_track.online_stores._databases.connections import Connections
from sparkml_track.online_stores._values import Publication, StoredRow, checked_name

__all__ = ["PostgresOnlineStore"]

_PUBLICATIONS = (
    "CREATE TABLE IF NOT EXISTS sparkml_online_publications (name TEXT PRIMARY KEY, generation TEXT NOT NULL, "
    "body TEXT NOT NULL)"
)
_ROWS = (
    "CREATE TABLE IF NOT EXISTS sparkml_online_rows (name TEXT, key TEXT, known_at BIGINT, version BIGINT NOT NULL, "
    "text TEXT NOT NULL, PRIMARY KEY (name, key))"
)
_READ = (
    "SELECT p.generation, r.key, r.known_at, r.version, r.text FROM sparkml_online_publications p "
    "LEFT JOIN sparkml_online_rows r ON r.name = p.name AND r.key = ANY(%s) WHERE p.name = %s"
)
_COPY = "COPY sparkml_online_rows (name, key, known_at, version, text) FROM STDIN"
_UPSERT = (
    "INSERT INTO sparkml_online_rows (name, key, known_at, version, text) VALUES (%s, %s, %s, %s, %s) "
    "ON CONFLICT (name, key) DO UPDATE SET known_at = excluded.known_at, version = excluded.version, "
    "text = excluded.text"
)
_PUBLISH = (
    "INSERT INTO sparkml_online_publications (name, generation, body) VALUES (%s, %s, %s) "
    "ON CONFLICT (name) DO UPDATE SET generation = excluded.generation, body = excluded.body"
)
#: Held by publishers: of one table at a time, and while the tables are made.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_CONNECT_SECONDS = 15


class PostgresOnlineStore(OnlineStore):
    """One schema of a PostgreSQL database.

    Args:
        url: ``postgresql://user@host/database``; what the URI of libpq may say, it may too.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._libpq = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.address = redacted(url)
        self._connections = Connections(self._connect)
        self._made = False

    @override
    def publication(self, table: str) -> Publication | None:
        found = self._ask(f"read {table}", "SELECT body FROM sparkml_online_publications WHERE name = %s", table)
        return Publication.from_json(found[0][0]) if found else None

    @override
    def names(self) -> tuple[str, ...]:
        return tuple(
            sorted(row[0] for row in self._ask("list the tables", "SELECT name FROM sparkml_online_publications"))
        )

    @override
    def drop(self, table: str) -> None:
        with self._written(table) as connection:
            connection.execute("DELETE FROM sparkml_online_publications WHERE name = %s", (table,))
            connection.execute("DELETE FROM sparkml_online_rows WHERE name = %s", (table,))

    @override
    def close(self) -> None:
        self._connections.close()

    @override
    def _replace(self, publication: Publication, rows: Iterator[StoredRow]) -> None:
        with self._written(publication.table) as connection:
            connection.execute("DELETE FROM sparkml_online_rows WHERE name = %s", (publication.table,))
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for row in rows:
                    copy.write_row((publication.table, *row))
            connection.execute(_PUBLISH, (publication.table, publication.generation, publication.to_json()))

    @override
    def _amend(self, publication: Publication, base: str, rows: Iterator[StoredRow], removed: Iterator[str]) -> bool:
        table = publication.table
        with self._written(table) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT generation FROM sparkml_online_publications WHERE name = %s", (table,))
            if cursor.fetchone() != (base,):
                return False
            gone = ((table, key) for key in removed)
            cursor.executemany("DELETE FROM sparkml_online_rows WHERE name = %s AND key = %s", gone)
            cursor.executemany(_UPSERT, ((table, *row) for row in rows))
            cursor.execute(_PUBLISH, (table, publication.generation, publication.to_json()))
        return True

    @override
    def _read(self, table: str, keys: Sequence[str]) -> tuple[str, Mapping[str, StoredRow]]:
        found = self._ask(f"read {table}", _READ, list(keys), checked_name(table))
        rows = {row[1]: StoredRow(*row[1:]) for row in found if row[1] is not None}
        return (str(found[0][0]) if found else ""), rows

    def _connect(self) -> Any:
        return psycopg.connect(self._libpq, autocommit=True, connect_timeout=_CONNECT_SECONDS)

    def _ask(self, what: str, statement: str, *values: object) -> list[Any]:
        """The rows of a statement; none where nothing was ever published here."""
        with self._translated(what):
            try:
                return self._asked(statement, values)
            except psycopg.OperationalError:  # the server ended the connection, perhaps all of them
                self._connections.close()
                return self._asked(statement, values)

    def _asked(self, statement: str, values: Sequence[object]) -> list[Any]:
        try:
            with self._connections.take() as connection:
                found: list[Any] = connection.execute(statement, values).fetchall()
                return found
        except psycopg.errors.UndefinedTable:
            return []

    @contextmanager
    def _written(self, table: str) -> Iterator[Any]:
        """A transaction that holds the table against other publishers."""
        name = checked_name(table)
        with self._translated(f"publish {table}"), self._connections.take() as connection:
            if not self._made:
                with connection.transaction():
                    connection.execute(_LOCK, ("sparkml online",))
                    connection.execute(_PUBLICATIONS)
                    connection.execute(_ROWS)
                self._made = True
            with connection.transaction():
                connection.execute(_LOCK, (f"sparkml online {name}",))
                yield connection

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UniqueViolation as error:
            raise DataError(f"could not {what} in {self.address}: two rows have the same key") from error
        except (psycopg.Error, OSError) as error:
            lines = scrubbed(str(error), self._url).strip().splitlines() or [type(error).__name__]
            raise OnlineStoreError(f"could not {what} in {self.address}: {lines[0]}") from error
