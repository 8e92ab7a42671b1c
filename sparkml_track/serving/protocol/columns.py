"""Columns of plain values, in the types that a model takes; what does not fit is refused with the column's name."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Input", "Typed", "typed"]

_DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
_FLOATS = frozenset({"float", "double"})
_RANGES = {"integer": 2**31, "long": 2**63}
_MOST_TEXT = 60
_LARGEST_FLOAT = 3.4028235e38


@dataclass(frozen=True, slots=True)
class Input:
    """One column that a model takes.

    Attributes:
        name: of the column.
        kind: its type, one of ``KINDS``.
        required: whether a request must have it.
    """

    name: str
    kind: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Typed:
    """Columns as a model takes them.

    Attributes:
        arrays: names to numpy arrays. A column of numbers or booleans that has nulls is of floats.
        plain: names to the same as JSON has them.
        holes: for each row the last of its columns that is null; None for none.
        infinite: for each row the last of its columns that is infinite; None for none.
        absent: the columns that are not required and not there.
    """

    arrays: Mapping[str, Any]
    plain: Mapping[str, Sequence[object]]
    holes: Sequence[str | None]
    infinite: Sequence[str | None]
    absent: tuple[str, ...] = ()


def typed(columns: Mapping[str, Sequence[object]], rows: int, inputs: Sequence[Input], *, is_text: bool) -> Typed:
    """Converts columns to the types of a signature.

    Args:
        columns: plain values by name. Those that no input names are left out.
        rows: how many.
        inputs: of the model, in its order.
        is_text: whether the values are text that means other types, as in CSV.

    Raises:
        Refused: a column is missing, or has a value of another type; all missing columns are named, else the value.
    """
    missing = [each for each in inputs if each.required and each.name not in columns]
    if missing and (rows or columns):
        said = ", ".join(f"{each.name!r} ({each.kind})" for each in missing)
        raise Refused(f"the column {said} is missing; the model takes {_wanted(inputs)}")
    arrays, plain = dict[str, Any](), dict[str, Sequence[object]]()
    holes: list[str | None] = [None] * rows
    infinite: list[str | None] = [None] * rows
    for each in inputs:
        if each.name not in columns and not each.required:
            continue
        values = _checked(each, columns.get(each.name, ()), is_text=is_text)
        for row, value in enumerate(values):
            if value is None:
                holes[row] = each.name
            elif each.kind in _FLOATS and math.isinf(value):
                infinite[row] = each.name
        arrays[each.name], plain[each.name] = _array(each.kind, values), _plain(each.kind, values)
    return Typed(arrays, plain, holes, infinite, tuple(each.name for each in inputs if each.name not in arrays))


def _wanted(inputs: Sequence[Input]) -> str:
    text = ", ".join(f"{each.name} ({each.kind})" for each in inputs)
    return text if len(text) <= 600 else f"{text[:600]}..."


def _checked(column: Input, values: Sequence[object], *, is_text: bool) -> list[Any]:
    """The values in the column's type; None for null and not-a-number."""
    convert = _CONVERT[column.kind]
    parse = _PARSE.get(column.kind) if is_text else None
    made = list[Any]()
    for row, value in enumerate(values):
        try:
            meant = parse(value) if parse and value is not None else value
            made.append(None if meant is None or meant != meant else convert(meant))  # not-a-number is null
        except (ValueError, TypeError, OverflowError) as error:
            why = str(error) if isinstance(error, _Wrong) else f"is not {column.kind}"
            raise Refused(
                f"column {column.name!r} is {column.kind}, and its value in row {row}, {_shown(value)}, {why}"
            ) from None
    return made


class _Wrong(ValueError):
    """Says what is wrong about a value, after "its value"."""


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Wrong("is not true or false")


def _whole(kind: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Wrong("is not a whole number")
    if not -_RANGES[kind] <= value < _RANGES[kind]:
        raise _Wrong(f"is beyond the {kind}s")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong("is not a number")
    return float(value)


def _small_number(value: object) -> float:
    made = _number(value)
    return math.copysign(math.inf, made) if abs(made) > _LARGEST_FLOAT else made


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong("is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Wrong("is not Unicode text") from None
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise _Wrong("is not a time like 2013-01-31T12:00:00Z")
    try:
        made = datetime.fromisoformat(value)
    except ValueError:
        raise _Wrong("is not a time like 2013-01-31T12:00:00Z") from None
    return made if made.tzinfo is None else made.astimezone(UTC).replace(tzinfo=None)


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise _Wrong("is not text in base64")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise _Wrong("is not text in base64") from None


_CONVERT: dict[str, Callable[[object], Any]] = {
    "boolean": _boolean,
    "integer": partial(_whole, "integer"),
    "long": partial(_whole, "long"),
    "float": _small_number,
    "double": _number,
    "string": _text,
    "datetime": _moment,
    "binary": _bytes,
}


def _word(value: object) -> object:
    found = {"true": True, "false": False}.get(str(value).strip().lower())
    return value if found is None else found


def _figure(value: object) -> object:
    text = str(value).strip()
    try:
        return int(text)
    except ValueError:
        made = float(text)
        return None if math.isnan(made) else made


_PARSE: dict[str, Callable[[object], object]] = {
    "boolean": _word,
    **dict.fromkeys(("integer", "long", "float", "double"), _figure),
}


def _array(kind: str, values: list[Any]) -> Any:
    import numpy as np

    if kind == "datetime":
        return np.array(values, dtype="datetime64[ns]")
    if kind not in _DTYPES:
        made = np.empty(len(values), dtype=object)
        made[:] = values
        return made
    if None not in values:
        return np.array(values, dtype=_DTYPES[kind])
    dtype = _DTYPES[kind] if kind in _FLOATS else "float64"
    return np.array([math.nan if value is None else value for value in values], dtype=dtype)


def _plain(kind: str, values: list[Any]) -> Sequence[object]:
    if kind == "datetime":
        return [None if each is None else each.isoformat() for each in values]
    if kind == "binary":
        return [None if each is None else base64.b64encode(each).decode() for each in values]
    return values


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."
