"""Arrow tables in the types a Delta table holds: microsecond instants, signed integers, plain strings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from sparkml_track.errors import DataError

_INSTANT = pa.timestamp("us", "UTC")


def normalised(data: pa.Table, name: str) -> pa.Table:
    """Give ``data`` with each column in its storable type; values do not change, nanoseconds are cut off.

    Raises:
        DataError: columns whose type has no storable twin, all at once.
    """
    fields, problems = [], []
    for field in data.schema:
        try:
            fields.append(pa.field(field.name, _target(field.type)))
        except TypeError as error:
            problems.append(f"column {field.name!r} has the type {field.type}, which a table cannot hold: {error}")
    if problems:
        raise DataError(f"table {name}: " + "; ".join(problems))
    try:
        # safe=False cuts nanoseconds; nothing else in _target narrows.
        return data.cast(pa.schema(fields), safe=False)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(f"table {name}: the Arrow table cannot be stored: {error}") from error


def arrow_schema(schema: pa.Schema) -> str:
    """Describe a normalised schema in the JSON of the Delta protocol."""
    fields = [{"name": f.name, "type": _delta(f.type), "nullable": True, "metadata": {}} for f in schema]
    return json.dumps({"type": "struct", "fields": fields})


def as_kinds(data: pa.Table, kinds: Mapping[str, object]) -> pa.Table:
    """Cast columns to other simple types, named as Delta names them."""
    arrow = {name: kind for kind, name in _NAMES.items()}
    for column, kind in kinds.items():
        place = data.column_names.index(column)
        data = data.set_column(place, column, data[column].cast(arrow[str(kind)]))
    return data


def null_counts(data: pa.Table) -> dict[str, int]:
    """Count nulls per column."""
    return {name: column.null_count for name, column in zip(data.column_names, data.columns, strict=True)}


def first_duplicate(data: pa.Table, columns: Sequence[str]) -> dict[str, object] | None:
    """Find one key that occurs twice, None if there is none."""
    if not columns or not data.num_rows:
        return None
    counts = data.select(list(columns)).group_by(list(columns)).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1))
    return repeated.drop_columns(["count_all"]).slice(0, 1).to_pylist()[0] if repeated.num_rows else None


def _target(kind: pa.DataType) -> pa.DataType:
    for test, give in _RULES:
        if test(kind):
            return give(kind)
    raise TypeError("cast it to a string, number, date or timestamp with a time zone")


def _delta(kind: pa.DataType) -> object:
    if _types.is_struct(kind):
        return json.loads(arrow_schema(pa.schema(list(kind))))
    if _types.is_map(kind):
        return {"type": "map", "keyType": _delta(kind.key_type), "valueType": _delta(kind.item_type)} | _MAP
    if _types.is_list(kind):
        return {"type": "array", "elementType": _delta(kind.value_type), "containsNull": True}
    if _types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return _NAMES[kind]


def _timestamp(kind: pa.TimestampType) -> pa.DataType:
    if kind.tz is None:
        raise TypeError("give it a time zone (a timestamp is an instant)")
    return _INSTANT


def _struct(kind: pa.StructType) -> pa.DataType:
    return pa.struct([pa.field(inner.name, _target(inner.type)) for inner in kind])


_types = pa.types
_MAP = {"valueContainsNull": True}
_NAMES = {
    pa.string(): "string",
    pa.binary(): "binary",
    pa.bool_(): "boolean",
    pa.int8(): "byte",
    pa.int16(): "short",
    pa.int32(): "integer",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.date32(): "date",
    _INSTANT: "timestamp",
}
_Rule: TypeAlias = tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]]
_RULES: tuple[_Rule, ...] = (
    (_types.is_dictionary, lambda kind: _target(kind.value_type)),
    (_types.is_timestamp, _timestamp),
    (_types.is_boolean, lambda kind: kind),
    (_types.is_signed_integer, lambda kind: kind),
    (_types.is_float32, lambda kind: kind),
    (_types.is_float64, lambda kind: kind),
    (_types.is_decimal128, lambda kind: kind),
    (_types.is_date, lambda _: pa.date32()),
    (lambda kind: _types.is_string(kind) or _types.is_large_string(kind), lambda _: pa.string()),
    (_types.is_string_view, lambda _: pa.string()),
    (lambda kind: _types.is_binary(kind) or _types.is_large_binary(kind), lambda _: pa.binary()),
    (_types.is_binary_view, lambda _: pa.binary()),
    (_types.is_fixed_size_binary, lambda _: pa.binary()),
    (_types.is_struct, _struct),
    (_types.is_map, lambda kind: pa.map_(_target(kind.key_type), _target(kind.item_type))),
    (_types.is_list, lambda kind: pa.list_(_target(kind.value_type))),
    (_types.is_large_list, lambda kind: pa.list_(_target(kind.value_type))),
    (_types.is_fixed_size_list, lambda kind: pa.list_(_target(kind.value_type))),
)


def arrow_of(schema: str) -> pa.Schema:
    """The schema in Arrow's types.

    Args:
        schema: JSON of the Delta protocol.
    """
    from deltalake import Schema

    return pa.schema(Schema.from_json(schema).to_arrow())
