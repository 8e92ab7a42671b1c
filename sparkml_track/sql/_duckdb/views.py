"""Views of DuckDB over the files of one table version, or over rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparkml_track.errors import InvalidInput
from sparkml_track.sql._base import View
from sparkml_track.sql._links import Linked, linked

__all__ = ["make_view", "pattern", "quoted", "text"]

_NAMES = {
    "string": "VARCHAR",
    "binary": "BLOB",
    "boolean": "BOOLEAN",
    "byte": "TINYINT",
    "short": "SMALLINT",
    "integer": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "timestamp_ntz": "TIMESTAMP",
}
_GLOB = re.compile(r"([*?\[])")
_DECIMAL = re.compile(r"decimal\(\d+, ?\d+\)")


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A literal."""
    return "'" + value.replace("'", "''") + "'"


def pattern(path: str) -> str:
    """The pattern that this file alone matches: DuckDB takes paths with these characters for patterns."""
    return _GLOB.sub(r"[\1]", path)


def make_view(connection: Any, name: str, view: View, folder: Path) -> tuple[str, ...]:
    """Makes a view.

    Args:
        connection: of DuckDB; it may read the files.
        name: how the query reads it.
        view: what it holds.
        folder: a place for links, which is there as long as the connection; not made yet.

    Returns:
        The paths that the connection must be able to read.
    """
    if view.rows is not None:
        connection.register(name, view.rows)
        return ()
    found = linked(view, folder) if view.partition_by else Linked(tuple(map(Path, view.files)), {})
    columns = ", ".join(map(quoted, view.columns))
    connection.execute(f"CREATE TEMP VIEW {quoted(name)} AS SELECT {columns} FROM ({_rows(view, found)})")  # noqa: S608
    return tuple(map(str, found.files))


def _rows(view: View, found: Linked) -> str:
    # Columns that no file has yet come from a relation without rows, which the optimizer drops.
    simple = {column: kind for column, kind in ((c, _type(k)) for c, k in view.columns.items()) if kind}
    empty = f"SELECT {', '.join(f'NULL::{kind} AS {quoted(c)}' for c, kind in simple.items())} WHERE false"
    if not found.files:
        _refuse_nested(view, simple)
        return empty
    files = ", ".join(text(pattern(str(path))) for path in found.files)
    how = (
        f"hive_partitioning = true, hive_types = {{{found.part}: INTEGER}}"
        if found.values
        else "hive_partitioning = false"
    )
    columns = _of_partitions(found, simple) if found.values else "*"
    read = f"SELECT {columns} FROM read_parquet([{files}], union_by_name = true, {how})"  # noqa: S608
    return f"{read} UNION ALL BY NAME {empty}" if simple else read


def _of_partitions(found: Linked, kinds: Mapping[str, str]) -> str:
    """The columns of the files but those of partitions, which some writers repeat there; and the values of those."""
    others = ", ".join(text(column.lower()) for column in (found.part, *found.values))
    given = (f"([{found.literals(c, text)}]::{kinds[c]}[])[{found.part} + 1] AS {quoted(c)}" for c in found.values)
    return f"COLUMNS(lambda c: lower(c) NOT IN ({others})), {', '.join(given)}"


def _type(kind: str) -> str | None:
    """DuckDB's name of a plain Delta type; None for nested ones."""
    return _NAMES.get(kind) or (kind.upper() if _DECIMAL.fullmatch(kind) else None)


def _refuse_nested(view: View, simple: Mapping[str, str]) -> None:
    if nested := [column for column in view.columns if column not in simple]:
        raise InvalidInput(
            f"table {view.name} has no rows, and its columns {', '.join(nested)} are nested: DuckDB cannot know their "
            "types. Ask the engine spark"
        )
