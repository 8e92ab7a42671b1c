"""The rows of an answer as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sparkml_track.dashboards.blocks import Markup, note
from sparkml_track.dashboards.charts import chart, label

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KINDS", "Choice", "first_choice", "numbers_of", "picture"]

KINDS = ("bars", "line", "scatter")
#: Points of one chart, bars of one chart, and colours.
_POINTS, _BARS, _COLOURS = 20_000, 500, 12


@dataclass(frozen=True)
class Choice:
    """What is drawn.

    Attributes:
        kind: one of ``KINDS``; "" for nothing.
        x: a column.
        y: a column of numbers.
        colour: a column; "" for one colour.
    """

    kind: str
    x: str
    y: str
    colour: str = ""


def numbers_of(rows: pa.Table) -> list[str]:
    """The columns that have numbers."""
    import pyarrow as pa

    fits = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return [field.name for field in rows.schema if any(is_one(field.type) for is_one in fits)]


def first_choice(rows: pa.Table) -> Choice | None:
    """What is likely to be wanted; None where there is nothing to draw."""
    numbers, names = numbers_of(rows), rows.column_names
    if not numbers or len(names) < 2 or not rows.num_rows:
        return None
    x = next((name for name in names if name not in numbers), names[0])
    y = next((name for name in numbers if name != x), numbers[0])
    return Choice("bars" if x not in numbers else "scatter", x, y)


def picture(rows: pa.Table, choice: Choice) -> list[object]:
    """The chart, and what it leaves out."""
    if not choice.kind:
        return []
    if choice.y not in rows.column_names or choice.x not in rows.column_names:
        return [note("Choose a column for each axis.")]
    most = _BARS if choice.kind == "bars" else _POINTS
    shown = rows.slice(0, most)
    xs, ys = _values(shown, choice.x), [None if y is None else float(y) for y in shown[choice.y].to_pylist()]
    traces, left = _traces(choice, xs, ys, shown[choice.colour].to_pylist() if choice.colour else None)
    layout: dict[str, Any] = {"xaxis": {"title": label(choice.x)}, "yaxis": {"title": label(choice.y)}}
    if choice.kind == "bars":
        layout["barmode"] = "group"
    parts: list[object] = [chart(traces, 380, showlegend=len(traces) > 1, **layout)]
    if rows.num_rows > most:
        parts.append(note(f"The first {most:,} of {rows.num_rows:,} rows are drawn.", "warn"))
    if left:
        parts.append(note(f"{_COLOURS} values of {choice.colour} have colours; {left:,} others are not drawn.", "warn"))
    return parts


def _traces(
    choice: Choice, xs: Sequence[object], ys: Sequence[float | None], groups: Sequence[object] | None
) -> tuple[list[dict[str, object]], int]:
    """One for each colour, and how many colours there are too many."""
    if groups is None:
        return [_trace(choice, xs, ys, choice.y)], 0
    names = list(dict.fromkeys(map(str, groups)))
    traces = []
    for name in names[:_COLOURS]:
        places = [place for place, group in enumerate(groups) if str(group) == name]
        traces.append(_trace(choice, [xs[each] for each in places], [ys[each] for each in places], name))
    return traces, max(len(names) - _COLOURS, 0)


def _trace(choice: Choice, xs: Sequence[object], ys: Sequence[float | None], name: str) -> dict[str, object]:
    common: dict[str, object] = {"x": list(xs), "y": list(ys), "name": str(Markup.escape(name))}
    if choice.kind == "bars":
        return common | {"type": "bar"}
    # In the order of x, as a line is read; None has no place in it.
    if choice.kind == "line":
        order = sorted((each for each in range(len(xs)) if xs[each] is not None), key=lambda each: _key(xs[each]))
        common |= {"x": [xs[each] for each in order], "y": [ys[each] for each in order]}
    return common | {"type": "scatter", "mode": "lines" if choice.kind == "line" else "markers"}


def _values(rows: pa.Table, name: str) -> list[object]:
    return [_value(each) for each in rows[name].to_pylist()]


def _value(value: object) -> object:
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    # Plotly reads a little HTML in texts.
    return value if value is None or isinstance(value, (int, float)) else str(Markup.escape(str(value)))


def _key(value: Any) -> tuple[bool, Any]:
    is_number = isinstance(value, (int, float))
    return not is_number, value if is_number else str(value)
