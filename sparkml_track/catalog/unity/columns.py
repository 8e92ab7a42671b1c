"""Columns in the words of Unity Catalog: Spark's type as its catalog writes it, as JSON, and as one of its names."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkml_track.tables import TableInfo

__all__ = ["columns_of"]

#: Delta's name to the one of Spark's catalog, and to Unity Catalog's.
_SIMPLE = {
    "string": ("string", "STRING"),
    "long": ("bigint", "LONG"),
    "integer": ("int", "INT"),
    "short": ("smallint", "SHORT"),
    "byte": ("tinyint", "BYTE"),
    "float": ("float", "FLOAT"),
    "double": ("double", "DOUBLE"),
    "boolean": ("boolean", "BOOLEAN"),
    "binary": ("binary", "BINARY"),
    "date": ("date", "DATE"),
    "timestamp": ("timestamp", "TIMESTAMP"),
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


def columns_of(info: TableInfo) -> list[dict[str, Any]]:
    """The columns of a table, in order."""
    return [_column(info, name, place) for place, name in enumerate(info.columns)]


def _column(info: TableInfo, name: str, place: int) -> dict[str, Any]:
    said = info.columns[name]
    kind: Any = json.loads(said) if said.startswith("{") else said
    comment, nullable = info.comments.get(name), name not in info.roles
    field = {"name": name, "type": kind, "nullable": nullable, "metadata": {"comment": comment} if comment else {}}
    column: dict[str, Any] = {
        "name": name,
        "type_text": _text(kind),
        "type_json": json.dumps(field),
        "type_name": _name(kind),
        "position": place,
        "nullable": nullable,
    }
    if found := _DECIMAL.fullmatch(said):
        column |= {"type_precision": int(found[1]), "type_scale": int(found[2])}
    if comment:
        column["comment"] = comment
    if name in info.partition_by:
        column["partition_index"] = info.partition_by.index(name)
    return column


def _text(kind: Any) -> str:
    if isinstance(kind, str):
        return _SIMPLE[kind][0] if kind in _SIMPLE else kind
    if kind["type"] == "array":
        return f"array<{_text(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_text(kind['keyType'])},{_text(kind['valueType'])}>"
    fields = ",".join(f"{each['name']}:{_text(each['type'])}" for each in kind["fields"])
    return f"struct<{fields}>"


def _name(kind: Any) -> str:
    if not isinstance(kind, str):
        return str(kind["type"]).upper()
    return _SIMPLE[kind][1] if kind in _SIMPLE else "DECIMAL"
