"""Columns of a table that change with a write: what is added, what is widened, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sparkml_track.errors import DataError, TableError
from sparkml_track.tables._rows.expect import check_append

# What each type takes without loss.
_TAKES = {
    "short": ("byte",),
    "integer": ("byte", "short"),
    "long": ("byte", "short", "integer"),
    "double": ("float", "byte", "short", "integer"),
}
_PARTITIONABLE = frozenset({"string", "long", "integer", "short", "byte", "date", "boolean"})


def widened(columns: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    """The types that rows are to be cast to, so that they fit a table that holds wider ones; only what differs."""
    return {
        name: table[name]
        for name, kind in columns.items()
        if name in table and kind != table[name] and kind in _TAKES.get(str(table[name]), ())
    }


def evolved(name: str, schema_json: str, columns: Mapping[str, object], texts: Mapping[str, str]) -> str:
    """The schema of a table once rows with more columns are appended; what the rows lack is null in them.

    Args:
        name: of the table.
        schema_json: what the table has.
        columns: what the rows have.
        texts: types for people, of both.

    Raises:
        TableError: a column has another type, one that is never null is missing, or a column seems to be renamed.
    """
    schema = json.loads(schema_json)
    there = {field["name"]: field for field in schema["fields"]}
    kinds = {column: texts[column] for column in columns}
    kept = {column: text for column, text in kinds.items() if column in there}
    missing = [column for column in there if column not in columns]
    optional = {column for column in missing if there[column]["nullable"]}
    check_append(name, kept, {column: _text(there[column]["type"]) for column in there if column not in optional})
    new = [column for column in columns if column not in there]
    for column in new:
        if like := [old for old in missing if _text(there[old]["type"]) == kinds[column]]:
            raise TableError(
                f"table {name}: {column!r} is new and {like[0]!r}, of the same type, is missing. Columns cannot be "
                f"renamed here (that needs column mapping). Give {like[0]!r} too, as nulls, if another column is meant"
            )
    schema["fields"] += [{"name": c, "type": columns[c], "nullable": True, "metadata": {}} for c in new]
    return json.dumps(schema)


def check_partitions(name: str, columns: Mapping[str, object], by: Sequence[str]) -> None:
    """Refuse columns that cannot part a table.

    Raises:
        DataError: they are missing, of a type whose text is not the same everywhere, or all there are.
    """
    wrong = [
        f"{column!r} is {columns.get(column, 'missing')}" for column in by if columns.get(column) not in _PARTITIONABLE
    ]
    if wrong:
        raise DataError(
            f"table {name}: a table is partitioned by columns of the types {', '.join(sorted(_PARTITIONABLE))}; "
            f"{', '.join(wrong)}"
        )
    if len(set(by)) < len(by):
        raise DataError(f"table {name}: a partition column is named twice in {', '.join(by)}")
    if by and set(by) >= set(columns):
        raise DataError(f"table {name}: every column is a partition column; one at least must hold rows")


def _text(kind: object) -> str:
    return kind if isinstance(kind, str) else json.dumps(kind, sort_keys=True)
