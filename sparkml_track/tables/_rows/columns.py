"""Columns as the Delta log writes them: a name and a JSON type, the same from Spark, Arrow and the log.

The schema JSON is that of the Delta protocol (github.com/delta-io/delta, PROTOCOL.md, "Schema Serialization Format"),
which Spark's own ``StructType.json()`` follows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from sparkml_track import schema
from sparkml_track.errors import DataError

#: A Delta type: a name, or a mapping for nested ones.
DeltaType = object

_PRIMITIVE = frozenset(
    {"string", "long", "integer", "short", "byte", "float", "double", "boolean", "binary", "date", "timestamp"}
)
_DECIMAL = re.compile(r"decimal\(\d{1,2},\d{1,2}\)")
# Parquet readers and Delta without column mapping cannot hold these.
_FORBIDDEN = set(" ,;{}()\n\t=")
_ROLE = schema.COLUMN_ROLE


def parse_columns(schema_json: str, table: str) -> dict[str, DeltaType]:
    """Read a schema's JSON and refuse what a table cannot hold.

    Raises:
        DataError: column names that repeat or hold forbidden characters, types that cannot be stored; all at once.
    """
    columns: dict[str, DeltaType] = {}
    problems: list[str] = []
    seen: set[str] = set()
    for field in json.loads(schema_json)["fields"]:
        name, kind = field["name"], _loosen(field["type"])
        if name.lower() in seen:
            problems.append(f"column {name!r} is there twice (case does not count)")
        if not name or _FORBIDDEN & set(name):
            problems.append(f"column {name!r} is not allowed: no spaces and none of , ; {{ }} ( ) =")
        if not _storable(kind):
            problems.append(_unstorable(name, kind))
        seen.add(name.lower())
        columns[name] = kind
    if problems or not columns:
        raise DataError(f"table {table}: " + ("; ".join(problems) or "there are no columns"))
    return columns


def column_names(columns: Mapping[str, DeltaType]) -> dict[str, str]:
    """Types for people: the name of a simple type, JSON for nested ones, its keys in one order whoever wrote it."""
    return {name: kind if isinstance(kind, str) else json.dumps(kind, sort_keys=True) for name, kind in columns.items()}


def schema_json(columns: Mapping[str, DeltaType], roles: Mapping[str, str]) -> str:
    """Write a schema for the log; a column with a role is not nullable and carries it as metadata."""
    fields = [
        {
            "name": name,
            "type": kind,
            "nullable": name not in roles,
            "metadata": {_ROLE: roles[name]} if name in roles else {},
        }
        for name, kind in columns.items()
    ]
    return json.dumps({"type": "struct", "fields": fields})


def parse_roles(schema_json: str) -> dict[str, str]:
    """Read back what ``schema_json`` noted; empty for tables of other writers."""
    fields = json.loads(schema_json)["fields"]
    return {field["name"]: field["metadata"][_ROLE] for field in fields if _ROLE in field.get("metadata", {})}


def comments_of(schema_json: str) -> dict[str, str]:
    """Read what was said of columns."""
    fields = json.loads(schema_json)["fields"]
    return {
        field["name"]: str(field["metadata"]["comment"]) for field in fields if "comment" in field.get("metadata", {})
    }


def with_comments(schema_json: str, comments: Mapping[str, str]) -> str:
    """Give a schema with what was said of its columns before."""
    schema = json.loads(schema_json)
    for field in schema["fields"]:
        if field["name"] in comments:
            field["metadata"]["comment"] = comments[field["name"]]
    return json.dumps(schema)


def required_columns(schema_json: str) -> list[str]:
    """Columns that the log says are never null."""
    return [field["name"] for field in json.loads(schema_json)["fields"] if not field["nullable"]]


def _loosen(kind: DeltaType) -> DeltaType:
    # Whether an inner value may be null differs from engine to engine for the same data: the widest holds.
    if not isinstance(kind, dict):
        return kind
    loose = {key: _loosen(value) for key, value in kind.items()}
    for key in ("containsNull", "valueContainsNull"):
        if key in loose:
            loose[key] = True
    if "fields" in kind:
        loose["fields"] = [
            {"name": f["name"], "type": _loosen(f["type"]), "nullable": True, "metadata": {}} for f in kind["fields"]
        ]
    return loose


def _storable(kind: DeltaType) -> bool:
    if isinstance(kind, str):
        return kind in _PRIMITIVE or bool(_DECIMAL.fullmatch(kind))
    return isinstance(kind, dict) and all(_storable(inner) for inner in _inner(kind))


def _inner(kind: Mapping[str, object]) -> Iterable[DeltaType]:
    if kind.get("type") == "struct":
        fields = kind["fields"]
        assert isinstance(fields, list)
        return [field["type"] for field in fields]
    return [kind[key] for key in ("elementType", "keyType", "valueType") if key in kind] or [None]


def _unstorable(name: str, kind: DeltaType) -> str:
    shown = kind if isinstance(kind, str) else json.dumps(kind)
    way_out = "give it a time zone (a timestamp is an instant)" if shown == "timestamp_ntz" else "cast it"
    return f"column {name!r} has the type {shown}, which a table cannot hold: {way_out}"
