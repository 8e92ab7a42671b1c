"""The engine "duckdb": connections in memory, each of which can read the files of its views and nothing else."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from typing_extensions import override

from sparkml_track.adapters.duckdb.errors import translated
from sparkml_track.errors import SetupError
from sparkml_track.sql._base import Answer, Engine, Mention, Parsed, Query, View
from sparkml_track.sql._duckdb.answers import fetch
from sparkml_track.sql._duckdb.columns import make_empty, needed, types_of
from sparkml_track.sql._duckdb.opened import CONFIG, Opened
from sparkml_track.sql._duckdb.tree import Node, over_views, parameters_of, samples, select_of, tables_of, words_of
from sparkml_track.sql._duckdb.views import text
from sparkml_track.sql._params import check_parameters, refuse_surrogates
from sparkml_track.sql._running import interruptible

__all__ = ["DuckdbEngine"]

#: Before the name of a view, for a table that has its columns and no rows.
_EMPTY = "empty_"
_CLOCKS = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})


class DuckdbEngine(Engine):
    """DuckDB in this process.

    Raises:
        SetupError: it is not installed.
    """

    name: ClassVar[str] = "duckdb"
    confined: ClassVar[bool] = True

    def __init__(self) -> None:
        self._duckdb = _library()
        self._lock = threading.Lock()
        self._running: Any = None
        self._kept: Opened | None = None
        self._last: tuple[str, str] | None = None
        self._texts: Any = None
        self._volatile: frozenset[str] | None = None

    @property
    @override
    def version(self) -> str:
        return str(self._duckdb.__version__)

    @override
    def parse(self, text: str) -> Parsed:
        with translated("the query"):
            tree = self._tree(text)
            select = select_of(tree)
            volatile = samples(select) or not words_of(select).isdisjoint(self._volatile_words())
            return Parsed(tables_of(select), parameters_of(tree), volatile)

    @override
    def run(self, query: Query, views: Mapping[Mention, View]) -> Answer:
        with translated("the query"):
            names = _names(views)
            statement = self._statement(query, names)
            with self._over({name: views[mention] for mention, name in names.items()}) as connection:
                work = partial(_execute, connection, statement, query)
                return interruptible(work, connection.interrupt, query.timeout)

    @override
    def columns(
        self, query: Query, views: Mapping[Mention, View], count: int
    ) -> tuple[frozenset[tuple[Mention, str]], ...] | None:
        with translated("the query"):
            names = _names(views)
            empty = {mention: f"{_EMPTY}{name}" for mention, name in names.items()}
            statement = self._statement(query, empty)
            with self._over({name: views[mention] for mention, name in names.items()}) as connection:
                types = {empty[mention]: types_of(connection, name) for mention, name in names.items()}
            tables = {empty[mention]: (mention, view) for mention, view in views.items()}
            with contextlib.closing(self._duckdb.connect(":memory:", config=CONFIG)) as planner:
                make_empty(planner, types)
                return tuple(needed(planner, statement, query.params, count, tables))

    def _statement(self, query: Query, names: Mapping[Mention, str]) -> str:
        """The query over tables of other names."""
        tree = self._tree(query.text)
        select = select_of(tree)
        check_parameters(parameters_of(tree), query.params)
        over_views(select, names)
        return _one(self._parser(), "json_deserialize_sql", json.dumps(tree))

    @override
    def interrupt(self) -> None:
        with self._lock:
            if self._running is not None:
                self._running.interrupt()

    @contextlib.contextmanager
    def _over(self, views: Mapping[str, View]) -> Iterator[Any]:
        """A connection over views: that of the query before if it had the same, since a new one costs most."""
        # One that failed or was interrupted is not used again.
        kept, self._kept = self._kept, None
        if kept is None or not kept.fits(views):
            if kept is not None:
                kept.close()
            kept = Opened(self._duckdb, views)
        with self._lock:
            self._running = kept.connection
        try:
            yield kept.connection
            self._kept = kept
        finally:
            with self._lock:
                self._running = None
            if self._kept is None:
                kept.close()

    def _tree(self, query: str) -> Node:
        """What the parser makes of a text; of the last one it is known."""
        if self._last is None or self._last[0] != query:
            refuse_surrogates(query)
            self._last = query, _one(self._parser(), "json_serialize_sql", query)
        found: Node = json.loads(self._last[1])
        return found

    def _parser(self) -> Any:
        """A connection without tables, for texts alone; a new one costs more than most queries."""
        if self._texts is None:
            self._texts = self._duckdb.connect(":memory:", config=CONFIG)
        return self._texts

    def _volatile_words(self) -> frozenset[str]:
        if self._volatile is None:
            found = (
                self._parser()
                .execute("SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE stability <> 'CONSISTENT'")
                .fetchall()
            )
            self._volatile = _CLOCKS.union(name for (name,) in found)
        return self._volatile


def _names(views: Mapping[Mention, View]) -> dict[Mention, str]:
    return {mention: f"view_{number}" for number, mention in enumerate(views)}


def _library() -> Any:
    try:
        import duckdb
    except ImportError:
        raise SetupError(
            "the SQL engine duckdb is not installed; install it with pip install 'sparkml-track[sql]', or ask the "
            "engine spark (--engine spark)"
        ) from None
    return duckdb


def _one(connection: Any, function: str, value: str) -> str:
    # As a literal: to bind a value, duckdb imports pandas, which takes longer than all else.
    return str(connection.execute(f"SELECT {function}({text(value)})").fetchone()[0])


def _execute(connection: Any, statement: str, query: Query) -> Answer:
    return fetch(connection.execute(statement, dict(query.params)), query.limit)
