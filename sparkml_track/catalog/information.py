"""``information_schema``: what is in the catalog now, as tables of the SQL standard's names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml_track.catalog.stewards.tags import table_owner, table_tags
from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.governance import grants
from sparkml_track.governance.homes import home_of
from sparkml_track.governance.names import full_name
from sparkml_track.sql import View

if TYPE_CHECKING:
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["INFORMATION", "information", "is_information"]

INFORMATION = "information_schema"
_TEXT, _LONG = pa.string(), pa.int64()


def is_information(parts: Sequence[str]) -> bool:
    """Whether a query means a table of ``information_schema``."""
    return len(parts) > 1 and parts[-2].lower() == INFORMATION


def information(parts: Sequence[str], tables: Tables) -> View:
    """One of its tables, as it is now.

    Args:
        parts: as the query names it.
        tables: of the catalog.

    Raises:
        InvalidInput: there is none of this name.
    """
    make = _MADE.get(parts[-1].lower())
    if make is None:
        raise InvalidInput(f"{INFORMATION} has no table {parts[-1]}; it has {', '.join(_MADE)}")
    schema, rows = make(tables)
    made = pa.table([pa.array(list(column), field.type) for column, field in zip(zip(*rows, strict=True), schema,
                    strict=True)], schema=schema) if rows else schema.empty_table()  # fmt: skip
    return View(f"main.{INFORMATION}.{parts[-1].lower()}", {}, rows=made)


_Made = tuple[pa.Schema, list[tuple[object, ...]]]


def _schemata(tables: Tables) -> _Made:
    names = sorted({tuple(full_name(name).split(".")[:2]) for name in tables.names()})
    return pa.schema([("catalog_name", _TEXT), ("schema_name", _TEXT)]), list(names)


def _tables(tables: Tables) -> _Made:
    schema = pa.schema(
        [*((column, _TEXT) for column in ("table_catalog", "table_schema", "table_name", "table_type")),
         ("version", _LONG), ("description", _TEXT), ("path", _TEXT), ("problem", _TEXT), ("owner", _TEXT),
         ("tags", _TEXT)]
    )  # fmt: skip
    rows = list[tuple[object, ...]]()
    for name, info in _described(tables):
        if isinstance(info, TableError):
            found: tuple[object, ...] = (None, None, None, str(info), None, None)
        else:
            found = (info.ref.version, info.description, info.ref.path, None, table_owner(info), _tags(info))
        rows.append((*full_name(name).split("."), "BASE TABLE", *found))
    return schema, rows


def _columns(tables: Tables) -> _Made:
    schema = pa.schema(
        [*((column, _TEXT) for column in ("table_catalog", "table_schema", "table_name", "column_name")),
         ("ordinal_position", _LONG), ("data_type", _TEXT), ("role", _TEXT), ("comment", _TEXT)]
    )  # fmt: skip
    return schema, [
        (*full_name(name).split("."), column, position, kind, info.roles.get(column), info.comments.get(column))
        for name, info in _described(tables)
        if not isinstance(info, TableError)
        for position, (column, kind) in enumerate(info.columns.items(), start=1)
    ]


def _privileges(tables: Tables) -> _Made:
    """Each privilege that counts for a table, also of its schema or catalog; nothing of tables that are open to all."""
    names = ("grantee", "table_catalog", "table_schema", "table_name", "privilege_type", "inherited_from")
    home = home_of(tables.root) if tables.root else None
    rows = grants.load(home).rows if home else ()
    found: list[tuple[object, ...]] = [
        (row.principal, *full.split("."), row.privilege, None if row.object == full else row.object)
        for full in map(full_name, tables.names())
        for row in rows
        if row.granted and f"{full}.".startswith(f"{row.object}.")
    ]
    return pa.schema([(name, _TEXT) for name in names]), found


def _tags(info: TableInfo) -> str:
    return json.dumps(table_tags(info))


def _described(tables: Tables) -> Iterator[tuple[str, TableInfo | TableError]]:
    """What can be known of each table: one that cannot be read is listed with the reason."""
    for name in tables.names():
        try:
            yield name, tables.describe(name)
        except TableError as error:
            yield name, error


_MADE: dict[str, Callable[[Tables], _Made]] = {
    "schemata": _schemata,
    "tables": _tables,
    "columns": _columns,
    "table_privileges": _privileges,
}
