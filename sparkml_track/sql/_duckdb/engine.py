"""The engine "duckdb": a connection in memory for each query, which can read the views' files and nothing else."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from sparkml_track.adapters.duckdb.errors import translated
from sparkml_track.errors import SetupError
from sparkml_track.sql._base import Answer, Engine, Mention, Parsed, Query, View
from sparkml_track.sql._duckdb.answers import fetch
from sparkml_track.sql._duckdb.tree import Node, over_views, parameters_of, samples, select_of, tables_of, words_of
from sparkml_track.sql._duckdb.views import make_view, pattern, text
from sparkml_track.sql._params import check_parameters, refuse_surrogates
from sparkml_track.sql._running import interruptible

__all__ = ["DuckdbEngine"]

# Names of Python variables are no tables, and nothing is fetched from anywhere.
_CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
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
        self._texts: Any = None
        self._volatile: frozenset[str] | None = None

    @property
    @override
    def version(self) -> str:
        return str(self._duckdb.__version__)

    @override
    def parse(self, text: str) -> Parsed:
        with translated("the query"):
            tree = _tree(self._parser(), text)
            select = select_of(tree)
            volatile = samples(select) or not words_of(select).isdisjoint(self._volatile_words())
            return Parsed(tables_of(select), parameters_of(tree), volatile)

    @override
    def run(self, query: Query, views: Mapping[Mention, View]) -> Answer:
        with translated("the query"), self._connection() as connection, tempfile.TemporaryDirectory() as spill:
            tree = _tree(self._parser(), query.text)
            select = select_of(tree)
            check_parameters(parameters_of(tree), query.params)
            names = {mention: f"view_{number}" for number, mention in enumerate(views)}
            over_views(select, names)
            statement = _one(self._parser(), "SELECT json_deserialize_sql($tree::JSON)", tree=json.dumps(tree))
            files = [
                path
                for mention, name in names.items()
                for path in make_view(connection, name, views[mention], Path(spill, name))
            ]
            _confine(connection, files, Path(spill, "spill"))
            work = partial(_execute, connection, statement, query)
            return interruptible(work, connection.interrupt, query.timeout)

    @override
    def interrupt(self) -> None:
        with self._lock:
            if self._running is not None:
                self._running.interrupt()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        connection = self._duckdb.connect(":memory:", config=_CONFIG)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            with self._lock:
                self._running = connection
            yield connection
        finally:
            with self._lock:
                self._running = None
            connection.close()

    def _parser(self) -> Any:
        """A connection without tables, for texts alone; a new one costs more than most queries."""
        if self._texts is None:
            self._texts = self._duckdb.connect(":memory:", config=_CONFIG)
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


def _library() -> Any:
    try:
        import duckdb
    except ImportError:
        raise SetupError(
            "the SQL engine duckdb is not installed; install it with pip install 'sparkml-track[sql]', or ask the "
            "engine spark (--engine spark)"
        ) from None
    return duckdb


def _tree(connection: Any, query: str) -> Node:
    refuse_surrogates(query)
    found: Node = json.loads(_one(connection, "SELECT json_serialize_sql($query::VARCHAR)", query=query))
    return found


def _one(connection: Any, statement: str, **params: str) -> str:
    return str(connection.execute(statement, params).fetchone()[0])


def _confine(connection: Any, files: Sequence[str], spill: Path) -> None:
    """From here on the connection reads these files, and none of this can be taken back."""
    allowed = ", ".join(text(name) for path in files for name in {path, pattern(path)})
    for setting in (
        f"temp_directory = {text(str(spill))}",
        f"allowed_paths = [{allowed}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def _execute(connection: Any, statement: str, query: Query) -> Answer:
    return fetch(connection.execute(statement, dict(query.params)), query.limit)
