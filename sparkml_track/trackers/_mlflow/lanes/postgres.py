"""MLflow in PostgreSQL: makes its tables, checks their schema, and writes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from sparkml_track.adapters.mlflow.errors import hush, schema_error
from sparkml_track.adapters.mlflow.uri import redacted
from sparkml_track.errors import TrackingError
from sparkml_track.trackers._mlflow.lanes.batch import Batch
from sparkml_track.trackers._mlflow.lanes.database import Row
from sparkml_track.trackers._mlflow.lanes.sql import SqlLane
from sparkml_track.trackers._mlflow.lanes.tables import Conflict, Table, schema_head
from sparkml_track.trackers._rows import Parent

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["PostgresLane", "make_tables"]

#: Of the lock under which tables are made: any number that nobody else takes.
_MAKING = 7_305_114_092_001


class PostgresLane(SqlLane):
    """Runs in PostgreSQL, through the driver that the URI names.

    New rows go as a copy; where rows may be there, as one array for each column: one statement, however many there
    are. A large batch goes half by a second connection, since for each row a server checks that its run is there, and
    gives one processor to one connection.

    Args:
        uri: of the database.
        artifact_root: where new experiments keep their artifacts.
    """

    locking = " FOR NO KEY UPDATE"  # as an UPDATE does; rows that name these may be added
    keeping = " FOR SHARE"
    copied = 20  # rows that are worth a copy
    apart = 100  # runs that are worth a second connection

    def __init__(self, uri: str, artifact_root: str | None) -> None:
        super().__init__(uri, artifact_root)
        self._open: Connection | None = None
        self._second: PostgresLane | None = None
        with self.translated():
            self._engine = _engine(uri)

    @override
    def put(self, parent: Parent, batch: Batch) -> set[str]:
        half = {row.run_id for row in batch.runs[: len(batch.runs) // 2]}
        shared = batch.data or batch.models or batch.late  # rows that both would change could end in a deadlock
        if shared or len(batch.runs) < self.apart:
            return super().put(parent, batch)
        # One that an interrupt leaves at work is not used again.
        second, self._second = self._second or type(self)(self.full_uri, self._root), None
        try:
            ended = _both(
                partial(super().put, parent, batch.without({row.run_id for row in batch.runs} - half)),
                partial(second.put_whole, parent, batch.without(half)),
            )
        except Exception:
            second.close()
            raise
        self._second = second
        return ended

    def put_whole(self, parent: Parent, batch: Batch) -> set[str]:
        """As ``put``, by this connection alone."""
        return super().put(parent, batch)

    @override
    def query(self, statement: str, *values: object) -> list[Row]:
        with self._connected() as connection:
            return list(connection.exec_driver_sql(statement.replace("?", "%s"), values).fetchall())

    @override
    def change(self, statement: str, *values: object) -> int:
        with self._connected() as connection:
            return connection.exec_driver_sql(statement.replace("?", "%s"), values).rowcount

    @override
    def add(self, table: Table, rows: Sequence[Row], conflict: Conflict | None = None) -> None:
        if not rows:
            return
        way = conflict or table.conflict
        if table.key and way is Conflict.REPLACE:
            # One statement may not change a row twice.
            places = [list(table.columns).index(name) for name in table.key]
            rows = list({tuple(row[place] for place in places): row for row in rows}.values())
        new = way is Conflict.REFUSE and not table.fixed
        if new and len(rows) >= self.copied and self._copied(table, rows):
            return
        arrays = ", ".join(f"%s::{kind}[]" for kind in table.columns.values())
        named = ", ".join(["given.*", *table.fixed.values()])
        statement = table.insert(f"SELECT {named} FROM unnest({arrays}) AS given", conflict)  # noqa: S608
        columns = tuple(_column(values) for values in zip(*rows, strict=True))
        with self._connected() as connection:
            connection.exec_driver_sql(statement, columns)

    def _copied(self, table: Table, rows: Sequence[Row]) -> bool:
        """Whether the driver can copy rows, as psycopg does, and has done so."""
        with self._connected() as connection:
            cursor: Any = connection.connection.cursor()
            if not hasattr(cursor, "copy"):
                return False
            with cursor, cursor.copy(f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(_column(row))
            return True

    @override
    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._engine.begin() as connection:
            self._open = connection
            try:
                yield
            finally:
                self._open = None

    @override
    def close(self) -> None:
        super().close()
        if self._second is not None:
            self._second.close()
        self._engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._open is not None:
            yield self._open
        else:
            with self._engine.connect() as connection:
                yield connection


def make_tables(uri: str, artifact_root: str | None) -> None:
    """Makes MLflow's tables in a database that has none (a few seconds), and checks the schema of those that are there.

    Args:
        uri: of the database.
        artifact_root: where experiments keep their artifacts.

    Raises:
        TrackingSchemaError: they are at another schema than the installed MLflow's.
        TrackingError: there are others.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import SQLAlchemyError

    engine, head = _engine(uri), schema_head()
    try:
        with engine.connect() as connection:
            found = _revision(connection)
            if found is None:
                # MLflow's migrations do not stand a second process.
                connection.exec_driver_sql("SELECT pg_advisory_lock(%s)", (_MAKING,))
                try:
                    found = _revision(connection)
                    if found is None:
                        SqlAlchemyStore(uri, artifact_root)
                        found = _revision(connection)
                finally:
                    with suppress(SQLAlchemyError):
                        connection.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (_MAKING,))
    finally:
        engine.dispose()
    if not found:
        raise TrackingError(
            f"The database {redacted(uri)} has tables but none of MLflow's. Name another database for tracking."
        )
    if found != head:
        raise schema_error(uri, f"found revision {found}, expected {head}")


def _revision(connection: Connection) -> str | None:
    """The schema revision; None for a database without tables, empty for one that is not MLflow's."""
    from sqlalchemy import inspect

    connection.rollback()  # what others made meanwhile is seen by a new transaction
    names = inspect(connection).get_table_names()
    if "alembic_version" not in names:
        return "" if names else None
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def _engine(uri: str) -> Any:
    from mlflow.store.db.utils import create_sqlalchemy_engine

    hush()
    return create_sqlalchemy_engine(uri)


def _both(one: Callable[[], set[str]], other: Callable[[], set[str]]) -> set[str]:
    """What two calls give together, the other in a thread of its own; an error of either is raised after both ended.

    An interrupt may leave the thread at work.
    """
    found: list[set[str]] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(other())
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            failed.append(error)

    thread = Thread(target=run, name="sparkml-postgres", daemon=True)
    thread.start()
    try:
        found.append(one())
    finally:
        thread.join()
    if failed:
        raise failed[0]
    return set().union(*found)


def _column(values: Sequence[object]) -> list[object]:
    """PostgreSQL's text holds any character but one."""
    return [one.replace("\0", "\\x00") if isinstance(one, str) and "\0" in one else one for one in values]
