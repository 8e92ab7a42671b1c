"""The way of a query: parsed, pinned, answered, recorded and, if asked for, saved as a table version with lineage."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from sparkml_track.catalog.information import INFORMATION
from sparkml_track.catalog.queries.cache import Cache
from sparkml_track.catalog.queries.restricted import restricted
from sparkml_track.catalog.snapshot import Snapshot, is_system, pinned, view_of
from sparkml_track.catalog.stewards.tags import table_owner
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import AccessDenied, InvalidInput, SparkmlError, TableError
from sparkml_track.governance.edges import Job, Node, between, record
from sparkml_track.governance.grants import Principal, check, restrictions
from sparkml_track.governance.names import SYSTEM, full_name
from sparkml_track.governance.principals import user
from sparkml_track.governance.sources.columns import Columns, record_columns
from sparkml_track.home import Home
from sparkml_track.readable import short_text
from sparkml_track.refs import TableRef
from sparkml_track.sql import Answer, Engine, Query, View, check_parameters, open_engine

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.tables import TableInfo, Tables

__all__ = ["Catalog", "Result"]

_log = logging.getLogger("sparkml_track.catalog")


@dataclass(frozen=True)
class Result:
    """What a query gave.

    Attributes:
        rows: an Arrow table.
        more: whether the limit cut rows off.
        tables: the versions that were read.
        saved: the version that was made, None without ``save``.
        cached: whether the answer came from the cache.
        seconds: from the text to the rows.
        id: of its row in ``system.query_history``.
    """

    rows: pa.Table
    more: bool
    tables: tuple[TableRef, ...]
    saved: TableRef | None
    cached: bool
    seconds: float
    id: str


@dataclass
class _Course:
    """How far a query came: what its row in the history says."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.perf_counter)
    snapshot: Snapshot | None = None
    answer: Answer | None = None
    seconds: float = 0.0
    cached: bool = False
    saved: TableRef | None = None


class Catalog:
    """The tables of a home, asked by SQL.

    Args:
        home: whose tables; that of ``SPARKML_HOME`` by default.
        engine: which answers; DuckDB in this process by default.
        tables: those of the home by default.
        who: asks, whose grants count and whose name the history has; this process by default. Tables that are given
            must be for the same.
    """

    def __init__(
        self,
        home: Home | None = None,
        engine: Engine | None = None,
        tables: Tables | None = None,
        who: Principal | None = None,
    ) -> None:
        self.home = home or Home.find()
        if tables is None:
            from sparkml_track.tables import DeltaTables

            tables = DeltaTables(self.home.tables_root, lineage=False, who=who)
        self.tables = tables
        self.system = SystemTables(self.home.system, tables)
        self._engine = engine
        self._who = who
        self._user = user() if who is None else who.name
        self._is_other = self._user != user()
        self._cache = Cache(self.home.cache)

    @property
    def engine(self) -> Engine:
        """The engine, opened with the first query."""
        if self._engine is None:
            self._engine = open_engine()
        return self._engine

    def sql(
        self,
        text: str,
        params: Mapping[str, object] | None = None,
        *,
        at: Mapping[str, int] | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        save: str | None = None,
    ) -> Result:
        """Answers one SELECT.

        Args:
            text: names tables as ``catalog.schema.name``, where ``main`` and ``default`` may be left out.
            params: a value for each ``$name``.
            at: versions of tables, by name; the latest by default. In the text ``t AT (VERSION => 3)`` does the same
                (DuckDB).
            limit: at most so many rows.
            timeout: seconds after which the query is interrupted.
            save: the table that the rows are written to, as a version of its own.

        Raises:
            InvalidInput: the query is wrong; nothing was read.
            AccessDenied: it reads a table that was not granted, or for somebody else a system table.
            QueryError: it failed, took too long or was interrupted.
            TableError: a table cannot be read or written.
        """
        query = Query(text, dict(params or {}), limit, timeout)
        course = _Course()
        try:
            result = self._answered(query, at or {}, save, course)
        except BaseException as error:
            self._remember(query, course, error)
            raise
        self._remember(query, course, None)
        return result

    def _answered(self, query: Query, at: Mapping[str, int], save: str | None, course: _Course) -> Result:
        target = None if save is None else _target(save, self.tables)
        parsed = self.engine.parse(query.text)
        check_parameters(parsed.parameters, query.params)
        look = partial(self._look, timeout=query.timeout)
        course.snapshot = snapshot = pinned(parsed.mentions, at, self.tables, self.system, look)
        if self._is_other and (own := next((ref.name for ref in snapshot.refs if is_system(ref.name)), None)):
            raise AccessDenied(
                f"{own} has what everybody asked and was granted, so only the account that runs this reads it; your "
                "own queries are in the history of the page"
            )
        key = None if parsed.volatile or not snapshot.fixed else Cache.key(query, snapshot, self.engine)
        kept = None if key is None else self._cache.get(key)
        course.cached = kept is not None
        course.answer = answer = kept or self.engine.run(query, snapshot.views)
        course.seconds = time.perf_counter() - course.clock
        if key is not None and kept is None:
            self._cache.put(key, answer)
        if target is not None:
            course.saved = self._save(target, query, answer, snapshot, course)
        return Result(answer.rows, answer.more, snapshot.refs, course.saved, course.cached, course.seconds, course.id)

    def _look(self, info: TableInfo, timeout: float | None) -> View:
        """What is seen of a version, by whoever asks."""
        name, owner = info.ref.name, partial(table_owner, info)
        who = self._who
        if who is None or not (found := restrictions(self.home, name, owner, who)):
            return view_of(info, self.tables)
        check(self.home, "SELECT", name, owner, who)
        from sparkml_track.tables import DeltaTables

        # This process may read what whoever asks may not.
        whole = view_of(info, DeltaTables(self.home.tables_root, lineage=False))
        return restricted(self.engine, whole, found, who.name, timeout)

    def _save(self, target: str, query: Query, answer: Answer, snapshot: Snapshot, course: _Course) -> TableRef:
        read = ", ".join(snapshot.names) or "nothing"
        description = f"{short_text(' '.join(query.text.split()), 300)} (read {read})"
        saved = self.tables.write(target, answer.rows, mode="overwrite", description=description)
        job = Job("QUERY", short_text(" ".join(query.text.split()), 200), course.id, _digest(query.text))
        record(self.home.system, between(map(Node.of, snapshot.refs), [Node.of(saved)], job))
        record_columns(self.home.system, saved, job, self._columns(query, answer, snapshot))
        return saved

    def _columns(self, query: Query, answer: Answer, snapshot: Snapshot) -> Columns | None:
        """What each column was made from, as far as the engine can say."""
        names = answer.rows.column_names
        try:
            found = self.engine.columns(query, snapshot.views, len(names))
        except SparkmlError as error:
            _log.warning("the lineage of columns is unknown: %s", error)
            return None
        if found is None:
            return None
        of = snapshot.of
        sources = (frozenset((of[mention], column) for mention, column in one if mention in of) for one in found)
        return dict(zip(names, sources, strict=True))

    def _remember(self, query: Query, course: _Course, error: BaseException | None) -> None:
        """Adds the query to the history; the answer is given even where that cannot be written."""
        snapshot, answer = course.snapshot, course.answer
        row = {
            "id": course.id,
            "started_at": course.started,
            "user": self._user,
            "text": query.text.encode("utf-8", "backslashreplace").decode(),
            "params": json.dumps(query.params, default=str),
            "engine": "duckdb" if self._engine is None else f"{self._engine.name} {self._engine.version}",
            "tables": json.dumps(snapshot.names if snapshot else ()),
            "rows": answer.rows.num_rows if answer else None,
            "ms": (course.seconds or time.perf_counter() - course.clock) * 1000,
            "cached": course.cached,
            "saved": f"{full_name(course.saved.name)}@{course.saved.version}" if course.saved else None,
            "error": None if error is None else _reason(error),
        }
        try:
            self.system.append("query_history", [row])
            self.system.settle()
        except TableError as failed:
            _log.warning("the query was not recorded in system.query_history: %s", failed)


def _target(save: str, tables: Tables) -> str:
    """The table to write: one that is there under this name in full keeps its own.

    Raises:
        InvalidInput: the name cannot be one of a table, or the schema is reserved.
    """
    try:
        tables.exists(save)
    except TableError as error:
        raise InvalidInput(str(error)) from None
    _, schema, name = full_name(save).split(".")
    if schema.lower() in (SYSTEM, INFORMATION):
        raise InvalidInput(f"{save} is in a schema that sparkml_track alone writes; choose another, like air.{name}")
    return next((each for each in tables.names() if full_name(each) == full_name(save)), save)


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, SparkmlError) else f"{type(error).__name__}: {error}".rstrip(": ")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
