"""The drift of columns by window, as the last run that saw it judged it, and of one column by run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sparkml_track.dashboards.asked import Rows, ask
from sparkml_track.dashboards.blocks import Markup, empty, section
from sparkml_track.dashboards.charts import BAD, chart, label
from sparkml_track.dashboards.monitoring.chosen import IN_ORDER, MEASURES, OF_SLICE, Choice
from sparkml_track.dashboards.page import Page
from sparkml_track.readable import told_apart

__all__ = ["by_run", "by_window", "heat"]

_WINDOWS, _COLUMNS, _LINES = 60, 60, 6  # that are drawn
_JUDGED, _GREY = ("drift", "ok"), "rgba(138,146,155,0.18)"
_SIGNED = ("null_change", "score_change")
_FULL = 0.5  # of other measures, from which on cells are darkest


def heat(page: Page, choice: Choice) -> Sequence[object]:
    """Each column in each window; what moved most on top."""
    found = _cells(page, choice)
    windows = list(dict.fromkeys(row["window"] for row in found))[-_WINDOWS:]
    kept = [row for row in found if row["window"] in set(windows)]
    if not kept:
        return (section("Drift by column and window", empty("No window besides the baseline was judged.")),)
    worst = _worst(kept)
    said = f"{MEASURES[choice.measure]} against the baseline; a star marks an alarm, grey brackets mark too few rows."
    said += _left_out(len({row["window"] for row in found}), len(windows), "windows, the last")
    said += _left_out(len(_worst(found)), len(worst), "columns, those that moved most")
    head = section("Drift by column and window", about=said)
    return head, _heat(kept, windows, worst[::-1], choice.measure)


def by_window(page: Page, choice: Choice) -> Any:
    """One column, window by window."""
    rows = [row for row in _cells(page, choice) if row["column"] == choice.column]
    x, values = told_apart(label(row["window"]) for row in rows), [_finite(row["value"]) for row in rows]
    alarms = [_star(x, [v if row["verdict"] == "drift" else None for row, v in zip(rows, values, strict=True)])]
    chance = [_finite(row["chance"]) for row in rows] if choice.measure == "psi" else []
    limit = {"name": "by chance, at most", "mode": "lines", "line": {"dash": "dot", "color": "#8c8c8c"}}
    lines = [_line(label(choice.column), x, values), *alarms]
    lines += [{"type": "scatter", "x": x, "y": chance, **limit}] if chance else []
    return chart(lines, yaxis={"title": MEASURES[choice.measure], "rangemode": "tozero"}, xaxis={"type": "category"})


def by_run(page: Page, choice: Choice) -> Any:
    """One column, run by run: how the last windows looked while they filled up."""
    text = f"""SELECT monitored_at, "window", {choice.measure} AS value, verdict FROM drift
        WHERE against = 'baseline' AND "column" = $column AND {OF_SLICE} ORDER BY {IN_ORDER}, monitored_at"""
    found = ask(page, text, choice.params | {"column": choice.column}, drift=choice.table("drift"))
    windows = list(dict.fromkeys(row["window"] for row in found))[-_LINES:]
    lines, alarms = [], [row for row in found if row["verdict"] == "drift" and row["window"] in windows]
    for window in windows:
        own = [row for row in found if row["window"] == window]
        lines.append(_line(label(window), [r["monitored_at"] for r in own], [_finite(r["value"]) for r in own]))
    lines.append(_star([row["monitored_at"] for row in alarms], [_finite(row["value"]) for row in alarms]))
    yaxis = {"title": MEASURES[choice.measure], "rangemode": "tozero"}
    return chart(lines, yaxis=yaxis, xaxis={"title": "monitoring run, UTC"})


def _cells(page: Page, choice: Choice) -> Rows:
    """The last word on each column and window."""
    text = f"""SELECT "column", "window", arg_max({choice.measure}, monitored_at) AS value,
            arg_max(verdict, monitored_at) AS verdict, arg_max(psi_limit, monitored_at) AS chance,
            arg_max("rows", monitored_at) AS "rows"
        FROM drift WHERE against = 'baseline' AND {OF_SLICE}
        GROUP BY "column", "window" ORDER BY {IN_ORDER}"""
    return ask(page, text, choice.params, drift=choice.table("drift"))


def _worst(rows: Rows) -> list[str]:
    """Columns, what moved most first; windows of too few rows move by chance."""
    most: dict[str, float] = {}
    for row in rows:
        moved = abs(_finite(row["value"]) or 0.0) if row["verdict"] in _JUDGED else 0.0
        most[row["column"]] = max(most.get(row["column"], 0.0), moved)
    return sorted(most, key=lambda column: (-most[column], column))[:_COLUMNS]


def _heat(rows: Rows, windows: Sequence[str], columns: Sequence[str], measure: str) -> Any:
    found = {(row["column"], row["window"]): row for row in rows}
    cells = [[found.get((column, window)) for window in windows] for column in columns]
    values = [
        [_finite(cell["value"]) if cell and cell["verdict"] in _JUDGED else None for cell in line] for line in cells
    ]
    few = [[0 if cell and cell["verdict"] not in _JUDGED else None for cell in line] for line in cells]
    most = max((abs(value) for line in values for value in line if value is not None), default=1.0) or 1.0
    signed = measure in _SIGNED
    trace = {
        "type": "heatmap",
        "x": told_apart(map(label, windows)),
        "y": told_apart(label(column, 28) for column in columns),
        "z": values,
        "text": [[_cell(cell) for cell in line] for line in cells],
        "customdata": [[_about(cell) for cell in line] for line in cells],
        "texttemplate": "%{text}",
        "hovertemplate": "%{x}: %{z:.4g}<br>%{customdata}<extra></extra>",
        "zmin": -most if signed else 0,
        "zmax": most if signed else _FULL,
        "colorscale": "RdBu" if signed else "YlOrRd",
        "reversescale": signed,  # red is more
        "colorbar": {"title": {"text": label(MEASURES[measure], 8)}, "thickness": 12},
        "xgap": 1,
        "ygap": 1,
    }
    rest = trace | {"z": few, "colorscale": [[0, _GREY], [1, _GREY]], "showscale": False, "colorbar": None}
    rest["hovertemplate"] = "%{x}: %{text}<br>%{customdata}<extra></extra>"
    axes = {"xaxis": {"type": "category", "side": "top"}, "yaxis": {"type": "category", "tickmode": "linear"}}
    return chart([trace, rest], 110 + 22 * len(columns), margin={"l": 50, "r": 12, "t": 60, "b": 12}, **axes)


def _cell(row: dict[str, Any] | None) -> str:
    value = _finite(row["value"]) if row else None
    if row is None or value is None:
        return ""
    return {"drift": f"{value:.2f}*", "ok": f"{value:.2f}"}.get(row["verdict"], f"({value:.2f})")


def _about(row: dict[str, Any] | None) -> str:
    """With the whole name: a place on the axis has room for its beginning alone."""
    return f"{label(row['column'], 200)}<br>{row['rows']:,} rows, {label(row['verdict'])}" if row else ""


def _line(name: str, x: Sequence[object], y: Sequence[object]) -> dict[str, object]:
    return {"type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": y}


def _star(x: Sequence[object], y: Sequence[object]) -> dict[str, object]:
    marker = {"symbol": "star", "size": 13, "color": BAD}
    return {"type": "scatter", "mode": "markers", "name": "alarm", "x": x, "y": y, "marker": marker}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _left_out(there: int, shown: int, what: str) -> Markup:
    return Markup(" {} of {} {}.").format(shown, there, what) if there > shown else Markup()
