"""The drift of each column in each window."""

from __future__ import annotations

from collections.abc import Sequence

from sparkml_track.plots._base import Plotted
from sparkml_track.plots._figure import fragment, label, layout, sentence
from sparkml_track.readable import told_apart

__all__ = ["draw_drift", "draw_trend"]

_LINES = 12  # columns in a trend
#: Pale is calm. By its colours: plotly.js begins the scale that it calls YlOrRd with red, plotly's Python with yellow.
_SCALE = [[0, "#ffffcc"], [0.25, "#fed976"], [0.5, "#fd8d3c"], [0.75, "#e31a1c"], [1, "#800026"]]

_JUDGED, _GREY = ("drift", "ok"), "#e9ecef"


def draw_drift(rows: Sequence[tuple[str, str, float, str]]) -> Plotted:
    """PSI of each column in each window.

    Args:
        rows: column, window, PSI, verdict; windows in their order.
    """
    title = "Drift by column and window"
    if not rows:
        return Plotted(title, "", sentence("There is no window besides the baseline."))
    found = {(column, window): (psi, verdict) for column, window, psi, verdict in rows}
    windows, columns = list(dict.fromkeys(row[1] for row in rows)), _calmest_first(rows)
    cells = [[found.get((column, window), (None, "")) for window in windows] for column in columns]
    heat = {
        "type": "heatmap",
        "x": told_apart(map(label, windows)),
        "y": told_apart(map(label, columns)),
        "z": [[psi if verdict in _JUDGED else None for psi, verdict in line] for line in cells],
        "text": [[_cell(psi, verdict) for psi, verdict in line] for line in cells],
        "texttemplate": "%{text}",
        "zmin": 0,
        "zmax": 0.5,
        "colorscale": _SCALE,
        "colorbar": {"title": {"text": "PSI"}},
    }
    few = [[0 if verdict and verdict not in _JUDGED else None for _, verdict in line] for line in cells]
    rest = {**heat, "z": few, "colorscale": [[0, _GREY], [1, _GREY]], "showscale": False}
    page = layout(xaxis={"type": "category"}, yaxis={"type": "category"})
    caption = "Population stability index against the baseline; a star marks an alarm, grey brackets mark too few rows."
    return Plotted(title, caption, fragment("drift", [heat, rest], page, 110 + 22 * len(columns)))


def draw_trend(rows: Sequence[tuple[str, str, float, str]]) -> Plotted:
    """PSI of the columns that moved most, window by window, over all runs.

    Args:
        rows: as in ``draw_drift``, with the windows of earlier runs too.
    """
    title = "Drift over all runs"
    windows = list(dict.fromkeys(row[1] for row in rows))
    if len(windows) < 2:
        return Plotted(title, "", sentence("There are not yet two windows to follow."))
    found = {(column, window): psi for column, window, psi, _ in rows}
    columns = _calmest_first(rows)[::-1][:_LINES]
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": label(column),
            "x": told_apart(map(label, windows)),
            "y": [found.get((column, window)) for window in windows],
        }
        for column in columns
    ]
    page = layout(xaxis={"type": "category"}, yaxis={"title": {"text": "PSI"}})
    return Plotted(title, "Each window as the last run that saw it judged it.", fragment("trend", lines, page))


def _calmest_first(rows: Sequence[tuple[str, str, float, str]]) -> list[str]:
    """A heatmap is drawn from below, so the columns that moved most lie on top."""
    worst: dict[str, float] = {}
    for column, _, psi, verdict in rows:
        # Windows of too few rows move by chance.
        worst[column] = max(worst.get(column, 0.0), psi if verdict in _JUDGED else 0.0)
    return sorted(worst, key=lambda column: worst[column])


def _cell(psi: float | None, verdict: str) -> str:
    if psi is None:
        return ""
    return {"drift": f"{psi:.2f}*", "ok": f"{psi:.2f}"}.get(verdict, f"({psi:.2f})")
