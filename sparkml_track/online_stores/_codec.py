"""Keys and rows as text: JSON, with the types kept once, in the schema of the publication.

What JSON has is kept as it is (nan and infinities in Python's own spelling); instants are microseconds, dates ISO 8601,
decimals text, bytes base64, structs mappings, maps lists of pairs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sparkml_track.errors import DataError
from sparkml_track.online_stores._values import EPOCH, MICROSECOND

if TYPE_CHECKING:
    import pyarrow as pa

Convert: TypeAlias = Callable[[Any], Any]

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class KeyCodec:
    """The key of a row as text.

    Args:
        names: of the key columns.
        schema: that has them.
    """

    def __init__(self, names: Sequence[str], schema: pa.Schema) -> None:
        self._names = tuple(names)
        self._kinds = [str(schema.field(name).type) for name in names]
        self._parts = [_key_part(schema.field(name).type) for name in names]

    def of_values(self, values: Sequence[object]) -> str | None:
        """The text; None where a value is null, which is no key.

        Raises:
            DataError: there are more or fewer values than columns, or one is of another type.
        """
        if len(values) != len(self._parts):
            raise DataError(f"a key has {len(self._parts)} values ({', '.join(self._names)}), got {len(values)}")
        made = []
        for place, value in enumerate(values):
            if is_null(value):
                return None
            try:
                made.append(self._parts[place](value))
            except (TypeError, ValueError, AttributeError, ArithmeticError):
                raise DataError(
                    f"the key column {self._names[place]!r} is {self._kinds[place]}, got {value!r:.80}"
                ) from None
        return _dumps(made)

    def of_row(self, row: Mapping[str, object]) -> str:
        """The text of a row that is published.

        Raises:
            DataError: the key is null.
        """
        text = self.of_values([row[name] for name in self._names])
        if text is None:
            raise DataError(f"a row to publish has a null in its key ({', '.join(self._names)})")
        return text


class RowCodec:
    """The values of a row, without its key, as text.

    Args:
        names: of the columns.
        schema: that has them.

    Raises:
        DataError: a type cannot be kept.
    """

    def __init__(self, names: Sequence[str], schema: pa.Schema) -> None:
        self._names = tuple(names)
        both = [_converters(schema.field(name).type, name) for name in names]
        self._out = [(place, out) for place, (out, _) in enumerate(both) if out]
        self._in = [(place, into) for place, (_, into) in enumerate(both) if into]

    def encode(self, row: Mapping[str, object]) -> str:
        """The text of a row as Arrow gives it."""
        values = [row[name] for name in self._names]
        _convert(values, self._out)
        return _dumps(values)

    def decode(self, text: str | bytes) -> dict[str, object]:
        """The row again: column to value."""
        values = json.loads(text)
        _convert(values, self._in)
        return dict(zip(self._names, values, strict=True))


def is_null(value: Any) -> bool:
    """Whether a value is None, nan, or what pandas has for null."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # of pandas' NA nobody knows
        return True


def instant(value: date) -> int:
    """A timestamp, or the first moment of a date in UTC, as microseconds since the epoch."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return (value - EPOCH) // MICROSECOND


def utc_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with every timestamp as microseconds in UTC, and one type of text, bytes and lists."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _utc(field.type)) for field in schema])


def _utc(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    is_ = pa.types
    if is_.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    if is_.is_large_string(kind):
        return pa.string()
    if is_.is_large_binary(kind):
        return pa.binary()
    if is_.is_struct(kind):
        return pa.struct([pa.field(field.name, _utc(field.type)) for field in kind])
    if is_.is_list(kind) or is_.is_large_list(kind):
        return pa.list_(_utc(kind.value_type))
    return pa.map_(_utc(kind.key_type), _utc(kind.item_type)) if is_.is_map(kind) else kind


def _convert(values: list[Any], converters: Sequence[tuple[int, Convert]]) -> None:
    for place, convert in converters:
        if values[place] is not None:
            values[place] = convert(values[place])


def _converters(kind: pa.DataType, what: str) -> tuple[Convert | None, Convert | None]:
    """To JSON and back; None where the value stays as it is."""
    import pyarrow as pa

    is_ = pa.types
    if is_.is_integer(kind) or is_.is_floating(kind) or is_.is_boolean(kind) or is_.is_string(kind):
        return None, None
    simple: list[tuple[Callable[[pa.DataType], bool], Convert | None, Convert | None]] = [
        (is_.is_null, None, None),
        (is_.is_timestamp, instant, lambda micros: EPOCH + micros * MICROSECOND),
        (is_.is_date, date.isoformat, date.fromisoformat),
        (is_.is_decimal, str, Decimal),
        (is_.is_binary, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    ]
    for fits, out, into in simple:
        if fits(kind):
            return out, into
    return _nested(kind, what)


def _nested(kind: pa.DataType, what: str) -> tuple[Convert | None, Convert | None]:
    import pyarrow as pa

    if pa.types.is_list(kind):
        out, into = _converters(kind.value_type, what)
        return out and partial(_each, out), into and partial(_each, into)
    if pa.types.is_struct(kind):
        fields = {field.name: _converters(field.type, what) for field in kind}
        return (
            _struct({name: out for name, (out, _) in fields.items() if out}),
            _struct({name: into for name, (_, into) in fields.items() if into}),
        )
    if pa.types.is_map(kind):
        keys, items = _converters(kind.key_type, what), _converters(kind.item_type, what)
        return partial(_pairs, keys[0], items[0]), partial(_pairs, keys[1], items[1])
    raise DataError(f"the column {what!r} is {kind}, which an online store cannot keep: leave it out of the table")


def _each(convert: Convert, values: Sequence[Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in values]


def _struct(converters: Mapping[str, Convert]) -> Convert | None:
    return partial(_fields, converters) if converters else None


def _fields(converters: Mapping[str, Convert], values: Mapping[str, Any]) -> dict[str, Any]:
    changed = {name: convert(values[name]) for name, convert in converters.items() if values[name] is not None}
    return {**values, **changed}


def _pairs(key: Convert | None, item: Convert | None, pairs: Sequence[Sequence[Any]]) -> list[tuple[Any, Any]]:
    return [(key(k) if key else k, item(v) if item and v is not None else v) for k, v in pairs]


def _key_part(kind: pa.DataType) -> Convert:
    """Checks a value of a key column, which may come from JSON or pandas, and gives it as JSON has it."""
    import pyarrow as pa

    is_ = pa.types
    simple: list[tuple[Callable[[pa.DataType], bool], Convert]] = [
        (is_.is_string, _text),
        (is_.is_integer, _whole),
        (is_.is_boolean, _boolean),
        (is_.is_floating, partial(_number, kind)),
        (is_.is_timestamp, _moment),
        (is_.is_date, _day),
        (is_.is_decimal, partial(_decimal, kind)),
        (is_.is_binary, lambda value: base64.b64encode(value).decode()),
    ]
    for fits, convert in simple:
        if fits(kind):
            return convert
    raise DataError(f"a key column is {kind}, by which an online store cannot find rows")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _whole(value: Any) -> int:
    if isinstance(value, str | bytes | bool) or int(value) != value:
        raise TypeError
    return int(value)


def _boolean(value: Any) -> bool:
    if value not in (True, False) or isinstance(value, float):
        raise TypeError
    return bool(value)


def _number(kind: pa.DataType, value: Any) -> float:
    import pyarrow as pa

    if isinstance(value, str | bytes | bool):
        raise TypeError
    # As wide as the column; zero has no sign, as for Spark's joins.
    return float(pa.scalar(float(value), kind).as_py()) + 0.0


def _moment(value: Any) -> int:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        raise TypeError
    return (moment - EPOCH) // MICROSECOND


def _day(value: Any) -> str:
    day = date.fromisoformat(value) if isinstance(value, str) else value
    return (day.date() if isinstance(day, datetime) else day).isoformat()


def _decimal(kind: Any, value: Any) -> str:
    import pyarrow as pa

    return str(pa.scalar(Decimal(str(value)), pa.decimal128(38, kind.scale)).as_py())
