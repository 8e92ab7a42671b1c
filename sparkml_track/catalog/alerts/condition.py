"""The condition of an alert: a column of the first row, or the number of rows, against a value."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sparkml_track.errors import InvalidInput, QueryError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ROWS", "Condition", "parse_condition"]

#: Stands for the number of rows where the answer has no column of this name.
ROWS = "rows"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"""\s*([A-Za-z_]\w*|"[^"]+")\s*(>=|<=|!=|==|=|>|<)\s*(.+?)\s*""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """``column operator value``.

    Attributes:
        text: as it was written.
        column: of the first row, or ``rows``.
        operator: one of >, >=, <, <=, =, !=.
        value: a number, or text.
    """

    text: str
    column: str
    operator: str
    value: float | str

    def value_in(self, rows: pa.Table) -> object:
        """What is compared; None if there are no rows.

        Raises:
            QueryError: the answer has no such column.
        """
        if self.column not in rows.column_names:
            if self.column == ROWS:
                return rows.num_rows
            raise QueryError(
                f"the condition {self.text!r} names the column {self.column}, and the query gives "
                f"{', '.join(rows.column_names)}; name one of them, or {ROWS} for how many rows there are"
            )
        return rows[self.column][0].as_py() if rows.num_rows else None

    def holds(self, value: object) -> bool | None:
        """Whether it holds; None if nobody can say: a value that is null, not a number, or of another kind."""
        if isinstance(self.value, str):
            found = value.isoformat() if isinstance(value, date | datetime) else value
            return _OPERATORS[self.operator](found, self.value) if isinstance(found, str) else None
        if not isinstance(value, int | float | Decimal) or math.isnan(value):
            return None
        return _OPERATORS[self.operator](float(value), self.value)


def parse_condition(text: str) -> Condition:
    """Reads a condition.

    Raises:
        InvalidInput: it has another form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidInput(_wrong(text))
    column, sign, value = found[1].strip('"'), found[2], found[3]
    if len(value) > 1 and value[0] == value[-1] == "'":
        return Condition(text, column, sign, value[1:-1])
    try:
        number = float(value)
    except ValueError:
        raise InvalidInput(_wrong(text)) from None
    if not math.isfinite(number):
        raise InvalidInput(_wrong(text))
    return Condition(text, column, sign, number)


def _wrong(text: str) -> str:
    return f"{text!r} is not a condition; write a column or {ROWS}, a sign and a number or 'text', like share > 0.2"
