"""What one column was like, window by window, beside the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from sparkml_track.dashboards.asked import Rows, ask
from sparkml_track.dashboards.blocks import empty, section, table
from sparkml_track.dashboards.charts import COLOURS, chart, label
from sparkml_track.dashboards.monitoring.chosen import IN_ORDER, OF_SLICE, Choice
from sparkml_track.dashboards.page import Page

__all__ = ["profile", "spread"]

_WINDOWS = 24  # in the table
_MIDDLES = (("median", "p50", COLOURS[0], "solid"), ("mean", "mean", COLOURS[1], "dot"))
_FIGURES = ("mean", "std", "min", "p05", "p50", "p95", "max")


def spread(page: Page, choice: Choice) -> Any:
    """Quantiles and the mean of a column of numbers by window; how many values one of text has."""
    rows = _profiled(page, choice)
    x = [label(row["window"]) for row in rows]
    band: dict[str, object] = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": "rgba(86,180,233,0.25)", "name": "5 % to 95 %", "showlegend": True}
    lines = [band | {"y": _values(rows, "p05"), "name": "5 %"}, band | {"y": _values(rows, "p95")} | fill]
    for name, column, colour, dash in _MIDDLES:
        points: dict[str, object] = {"x": x, "y": _values(rows, column), "line": {"color": colour, "dash": dash}}
        lines.append({"type": "scatter", "mode": "lines+markers", "name": name} | points)
    if not any(value is not None for value in _values(rows, "p50")):
        lines = [{"type": "bar", "name": "different values", "x": x, "y": [row["distinct"] for row in rows]}]
        return chart(lines, yaxis={"title": "different values"}, xaxis={"type": "category"})
    return chart(lines, yaxis={"title": label(choice.column, 28)}, xaxis={"type": "category"})


def profile(page: Page, choice: Choice) -> Any:
    """The same as a table, with the share of nulls."""
    rows = _profiled(page, choice)
    if not rows:
        return section("", empty(f"No run has looked at {choice.column or 'a column'} yet."))
    shown = [rows[0], *rows[1:][-_WINDOWS:]]
    lines = [
        (row["window"], f"{row['rows']:,}", _share(row), f"{row['distinct']:,}", *map(_number, _picked(row)))
        for row in shown
    ]
    said = "The baseline first; quantiles as the bins of the last run give them."
    return section("", table(("window", "rows", "nulls", "different", *_FIGURES), lines), about=said)


def _profiled(page: Page, choice: Choice) -> Rows:
    """The last word on each window; the baseline first."""
    names = ("rows", "nulls", "distinct", *_FIGURES)
    last = ", ".join(f'arg_max("{name}", monitored_at) AS "{name}"' for name in names)
    text = f"""SELECT "window", in_baseline, {last} FROM profile WHERE "column" = $column AND {OF_SLICE}
        GROUP BY "window", in_baseline ORDER BY in_baseline DESC, {IN_ORDER}"""
    return ask(page, text, choice.params | {"column": choice.column}, profile=choice.table("profile"))


def _values(rows: Rows, name: str) -> Sequence[float | None]:
    return [row[name] if row[name] is not None and math.isfinite(row[name]) else None for row in rows]


def _picked(row: dict[str, Any]) -> Iterator[float | None]:
    return (row[name] for name in _FIGURES)


def _share(row: dict[str, Any]) -> str:
    return f"{row['nulls'] / row['rows']:.1%}" if row["rows"] else ""


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"
