"""Which window a row belongs to, and whether a value of a column is one that the user named."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sparkml_track.errors import DataError
from sparkml_track.monitoring._spec import EVERY, ByTime, ByValue

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["Window", "column_named", "equals_any", "literal", "name_windows", "tag_window"]

_WHOLE = frozenset({"tinyint", "smallint", "int", "bigint"})
_TIMES = frozenset({"timestamp", "timestamp_ntz"})


class Window(NamedTuple):
    """The rows of one label, in the baseline or not."""

    label: str
    in_baseline: bool


def column_named(name: str) -> Column:
    """The column of exactly this name; Spark reads a dot in a plain name as a field of a struct."""
    from pyspark.sql import functions as f

    return f.col("`" + name.replace("`", "``") + "`")


def tag_window(windows: ByTime | ByValue, kind: str) -> Column:
    """The tag of a row's window: "+" in the baseline or "-", "n" for null or "v", then the label."""
    from pyspark.sql import functions as f

    column = column_named(windows.column)
    if isinstance(windows, ByTime):
        inside = (column >= windows.start) & (column < windows.end)
        label = f.date_format(f.date_trunc(windows.every, column), EVERY[windows.every])
    else:
        inside = equals_any(windows.column, kind, windows.baseline)
        label = column.cast("string")
    sign = f.when(inside, "+").otherwise("-")
    return f.concat(sign, f.when(label.isNull(), "n").otherwise("v"), f.coalesce(label, f.lit("")))


def name_windows(tags: Iterable[str]) -> dict[str, Window]:
    """The windows that tags stand for. Rows without a value are "null", in parentheses if that is a value as well."""
    tags = set(tags)
    null = "null"
    while any(tag[1:] == f"v{null}" for tag in tags):
        null = f"({null})"
    return {tag: Window(tag[2:] if tag[1] == "v" else null, tag[0] == "+") for tag in tags}


def equals_any(name: str, kind: str, values: Iterable[object], said: str | None = None) -> Column:
    """Whether a column has one of these values; None stands for null. ``said`` is its name in messages."""
    from pyspark.sql import functions as f

    column, values = column_named(name), list(values)
    found = [literal(said or name, kind, value) for value in values if value is not None]
    # A 32-bit number equals a literal only as a 32-bit number; times are given as text.
    cast = kind if kind == "float" or kind in _TIMES or kind == "date" else None
    literals = [f.lit(value).cast(cast) if cast else f.lit(value) for value in found]
    same = f.coalesce(column.isin(literals), f.lit(False)) if literals else f.lit(False)
    return same | column.isNull() if None in values else same


def literal(name: str, kind: str, value: object) -> bool | int | float | Decimal | str:
    """A value in a form that Spark compares with a column of this type.

    Raises:
        DataError: no value of such a column can be equal to it.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    found = _converted(kind, plain)
    if found is None:
        raise DataError(
            f"{value!r} can be no value of column {name!r}, which is {kind}; give values of that type, instants as "
            "datetimes with a time zone"
        )
    return found


def _converted(kind: str, value: object) -> bool | int | float | Decimal | str | None:
    if kind in _TIMES or kind == "date":
        return _moment(kind, value)
    if kind == "boolean":
        return _truth(value)
    if kind in _WHOLE or kind in {"float", "double"} or kind.startswith("decimal"):
        return _number(kind, value)
    if kind.partition("(")[0].partition(" ")[0] in {"string", "varchar", "char"}:
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    return None


def _truth(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return bool(value) if value in (0, 1) else None


def _number(kind: str, value: object) -> int | float | Decimal | None:
    if not isinstance(value, bool | int | float | Decimal | str):
        return None
    if kind in {"float", "double"}:
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None
    try:
        number = Decimal(str(int(value) if isinstance(value, bool) else value))
    except InvalidOperation:
        return None
    if not number.is_finite() or kind not in _WHOLE:
        return number if number.is_finite() else None
    return int(number) if number == number.to_integral_value() and abs(number) < 2**63 else None


def _moment(kind: str, value: object) -> str | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if kind == "date":
        if isinstance(moment, datetime):
            return moment.date().isoformat() if isinstance(value, str) else None
        return moment.isoformat() if isinstance(moment, date) else None
    # Without a time zone a moment would be another one in another session.
    fits = isinstance(moment, datetime) and (moment.tzinfo is not None) == (kind == "timestamp")
    return moment.isoformat(" ") if fits and isinstance(moment, datetime) else None
