"""Rows on their way into a system table, and the tables.

A row is first a line of ``<home>/system/<table>.jsonl``, which costs a write and no commit. Lines become one version of
the Delta table when there are many, and whenever the table is read. A lock keeps writers and flushers apart.

Exactly once: lines to be committed are claimed by a rename; the claim is deleted after the commit. A claim that is
there when the lock is taken was left by a flusher that died; those of its rows that are in the table are not written
again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.catalog.system.schemas import SCHEMAS, TIME, empty
from sparkml_track.errors import SparkmlError, TableError
from sparkml_track.governance import spool
from sparkml_track.slot.host.lock import exclusive_lock

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.tables import Tables

__all__ = ["SystemTables"]

_FLUSH_BYTES = 512 * 1024
_CLAIMED = ".claimed"
# Versions, and so files, until they are made into one.
_COMPACT = 50


class SystemTables:
    """The system tables of a home.

    Args:
        folder: for rows on their way.
        tables: where they end.

    Attributes:
        folder: as given.
    """

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.folder = folder
        self._tables = tables

    def append(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Adds rows; each gets an ``id`` unless it has one.

        Args:
            table: one of ``SCHEMAS``.
            rows: by column; missing ones are null.

        Raises:
            TableError: they cannot be written.
        """
        size = spool.append(self.folder, _known(table), rows)
        if size > _FLUSH_BYTES:
            self.flush(table)

    def settle(self) -> None:
        """Commits what waits of every table of which much waits; what cannot be written waits on."""
        for table in SCHEMAS:
            with suppress(TableError, OSError):
                if self._waiting(table).stat().st_size > _FLUSH_BYTES:
                    self.flush(table)

    def flush(self, table: str) -> None:
        """Commits the rows that wait, if any, as one version.

        Raises:
            TableError: the table cannot be written; they wait on.
        """
        if not (self._waiting(table).exists() or self._claims(table)):
            return
        try:
            with exclusive_lock(self._lock(table)):
                self._commit(table)
        except OSError as error:
            raise TableError(f"system.{table} cannot be written: {error.strerror or error}") from error

    def rows(self, table: str) -> pa.Table:
        """All rows, with those that waited."""
        self.flush(table)
        name = f"system.{table}"
        return self._tables.to_arrow(name) if self._tables.exists(name) else empty(table)

    def seen(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows as ``rows`` gives them, for those who only look: what waits stays where it is.

        Args:
            table: one of ``SCHEMAS``.
            columns: only these; all by default.

        Raises:
            TableError: what waits, or the table, cannot be read.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        # What waits first: what is committed meanwhile is then found twice, and not missed.
        try:
            waiting = _arrow(table, self._lying(table).values())
        except (ValueError, TypeError) as error:
            where = self._waiting(table)
            raise TableError(f"{where} has a row that is none of system.{table}: {error}; take it out") from error
        name, wanted = f"system.{table}", list(columns or SCHEMAS[table].names)
        if not self._tables.exists(name):
            return waiting.select(wanted)
        stored = self._tables.to_arrow(name, list(dict.fromkeys(["id", *wanted])))
        new = waiting.filter(pc.invert(pc.is_in(waiting["id"], value_set=stored["id"])))
        stored = stored.select(wanted)
        return pa.concat_tables([stored, new.select(wanted).cast(stored.schema)])

    def _lying(self, table: str) -> dict[object, dict[str, object]]:
        """The rows that wait, each once, by id."""
        try:
            return {row["id"]: row for path in (self._waiting(table), *self._claims(table)) for row in _left(path)}
        except OSError as error:
            raise TableError(f"rows of system.{table} cannot be read: {error.strerror or error}") from error

    def _commit(self, table: str) -> None:
        left, waiting = self._claims(table), self._waiting(table)
        known = self._ids(table) if left else frozenset[str]()
        if waiting.exists():
            waiting.rename(waiting.with_name(f"{table}-{uuid.uuid4().hex}{_CLAIMED}"))
        claims = self._claims(table)
        rows = [row for claim in claims for row in _read(claim) if row["id"] not in known]
        if rows:
            made = self._tables.write(f"system.{table}", _arrow(table, rows), mode="append", description=_DESCRIPTION)
        for claim in claims:
            claim.unlink()
        if rows and made.version % _COMPACT == _COMPACT - 1:
            self._compact(made.name)

    def _compact(self, name: str) -> None:
        """Small files into large ones; what is late with it is only slower."""
        with suppress(TableError):
            self._tables.optimize(name)

    def _ids(self, table: str) -> frozenset[str]:
        name = f"system.{table}"
        return frozenset(self._tables.to_arrow(name, ["id"])["id"].to_pylist() if self._tables.exists(name) else ())

    def _waiting(self, table: str) -> Path:
        return spool.waiting(self.folder, _known(table))

    def _lock(self, table: str) -> Path:
        return spool.lock_of(self.folder, table)

    def _claims(self, table: str) -> tuple[Path, ...]:
        return tuple(sorted(self.folder.glob(f"{table}-*{_CLAIMED}")))


_DESCRIPTION = "written by sparkml_track; append-only"


def _known(table: str) -> str:
    if table not in SCHEMAS:
        raise SparkmlError(f"there is no system table {table!r}; there are {', '.join(SCHEMAS)}")
    return table


def _read(path: Path) -> Iterator[dict[str, object]]:
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # half a line, whose append never returned
            continue
        if isinstance(row, dict) and "id" in row:
            yield row


def _left(path: Path) -> tuple[dict[str, object], ...]:
    """The rows of a file that may be gone."""
    try:
        return tuple(_read(path))
    except FileNotFoundError:
        return ()


def _arrow(table: str, rows: Iterable[Mapping[str, object]]) -> pa.Table:
    import pyarrow as pa

    schema, kept = SCHEMAS[table], list(rows)
    columns = [[_stored(row.get(field.name), field.type == TIME) for row in kept] for field in schema]
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def _stored(value: object, is_time: bool) -> object:
    return datetime.fromisoformat(str(value)) if is_time and value is not None else value
