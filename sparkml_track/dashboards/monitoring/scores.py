"""How scores are spread over ten bins, and what came true in each."""

from __future__ import annotations

import math
from typing import Any

from sparkml_track.dashboards.asked import Rows, ask, there
from sparkml_track.dashboards.charts import COLOURS, chart, label
from sparkml_track.dashboards.monitoring.chosen import IN_ORDER, Choice
from sparkml_track.dashboards.page import Page
from sparkml_track.readable import told_apart

__all__ = ["calibrated", "spread"]

_WINDOWS = 5  # that are drawn beside the baseline


def spread(page: Page, choice: Choice) -> Any:
    """The share of rows with a label by score; None without labels."""
    parts = _windows(page, choice)
    lines = []
    for name, rows in parts.items():
        total = sum(row["rows"] for row in rows)
        shares = [row["rows"] / total if total else 0.0 for row in rows]
        x = [row["low"] + 0.05 for row in rows]
        lines.append({"type": "scatter", "mode": "lines", "name": name, "x": x, "y": shares, "line": {"shape": "hvh"}})
    axes: dict[str, Any] = {
        "xaxis": {"title": "score", "range": [0, 1]},
        "yaxis": {"title": "share of rows", "rangemode": "tozero"},
    }
    return chart(lines, **axes) if parts else None


def calibrated(page: Page, choice: Choice) -> Any:
    """What share came true against the mean score of each bin; None without labels."""
    parts = _windows(page, choice)
    ideal = {"type": "scatter", "mode": "lines", "name": "ideal", "x": [0, 1], "y": [0, 1]}
    lines: list[dict[str, object]] = [ideal | {"line": {"dash": "dot", "color": COLOURS[6]}}]
    for name, rows in parts.items():
        own = [row for row in rows if row["rows"] and math.isfinite(row["positive"])]
        points: dict[str, object] = {"x": [row["mean_score"] for row in own], "y": [row["positive"] for row in own]}
        text = [f"{row['rows']:,} rows" for row in own]
        lines.append({"type": "scatter", "mode": "lines+markers", "name": name, "text": text} | points)
    axes: dict[str, Any] = {"xaxis": {"title": "mean score"}, "yaxis": {"title": "share that came true"}}
    return chart(lines, **axes) if parts else None


def _windows(page: Page, choice: Choice) -> dict[str, Rows]:
    """The bins of the baseline and of the last windows, by their names for people."""
    if not there(page, choice.table("calibration")):
        return {}
    text = f"""SELECT "window", in_baseline, low, sum("rows") AS "rows",
            sum(mean_score * "rows") / sum("rows") AS mean_score, sum(positive * "rows") / sum("rows") AS positive
        FROM (SELECT CASE WHEN in_baseline THEN 'baseline' ELSE "window" END AS "window", in_baseline, low,
                "rows", mean_score, positive FROM calibration
            WHERE monitored_at <= $until AND "rows" > 0
            QUALIFY rank() OVER (PARTITION BY calibration."window", in_baseline ORDER BY monitored_at DESC) = 1)
        GROUP BY "window", in_baseline, low ORDER BY in_baseline DESC, {IN_ORDER}, low"""
    found = ask(page, text, {"until": choice.params["until"]}, calibration=choice.table("calibration"))
    names = list(dict.fromkeys(row["window"] for row in found))
    kept = [name for name in names if name == "baseline"] + [name for name in names if name != "baseline"][-_WINDOWS:]
    shown = zip(kept, told_apart(map(label, kept)), strict=True)
    return {name: [row for row in found if row["window"] == window] for window, name in shown}
