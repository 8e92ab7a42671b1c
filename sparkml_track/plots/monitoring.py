"""Plots of a monitoring run: plain rows in, HTML fragments out, and the page that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
from plotly.offline import get_plotlyjs

from sparkml_track.plots._base import Plotted

__all__ = ["draw_drift", "draw_quality", "draw_scores", "page"]

_BASE, _NOW = "#9aa5b1", "#d9480f"
_FEW_POINTS = 50  # points of a score histogram


def draw_drift(rows: Sequence[tuple[str, str, float, str]]) -> Plotted:
    """PSI of each column in each window.

    Args:
        rows: column, window, PSI, verdict; windows in their order.
    """
    title = "Drift by column and window"
    if not rows:
        return Plotted(title, "There is no window besides the baseline.", "")
    windows = list(dict.fromkeys(row[1] for row in rows))
    found = {(column, window): (psi, verdict) for column, window, psi, verdict in rows}
    # The columns that moved most lie on top; a heatmap is drawn from below.
    columns = sorted(
        {row[0] for row in rows}, key=lambda column: max(found.get((column, w), (0.0,))[0] for w in windows)
    )
    grid = [[found.get((column, window), (None, "")) for window in windows] for column in columns]
    figure = go.Figure(
        go.Heatmap(
            x=windows,
            y=columns,
            z=[[cell[0] for cell in line] for line in grid],
            text=[[_cell(*cell) for cell in line] for line in grid],
            texttemplate="%{text}",
            zmin=0,
            zmax=0.5,
            colorscale="YlOrRd",
            colorbar={"title": "PSI"},
        )
    )
    figure.update_xaxes(type="category")
    caption = "Population stability index against the baseline; a star marks an alarm, brackets mark too few rows."
    return Plotted(title, caption, _fragment(figure, 80 + 22 * len(columns)))


def draw_quality(rows: Sequence[tuple[str, bool, float, float, float, float]]) -> Plotted:
    """Log loss and AUC, base rate and mean score by window.

    Args:
        rows: window, whether it is in the baseline, log loss, AUC, base rate, mean score; in their order.
    """
    title = "Quality by window"
    if not rows:
        return Plotted(title, "No label was given, or none is known yet.", "")
    names = ("log loss", "AUC", "base rate", "mean score")
    figure = go.Figure()
    x = [f"{row[0]}{'*' if row[1] else ''}" for row in rows]
    for index, name in enumerate(names):
        figure.add_scatter(x=x, y=[row[index + 2] for row in rows], name=name, mode="lines+markers")
    figure.update_xaxes(type="category")
    caption = "A star marks windows of the baseline, which the model may have learned from."
    return Plotted(title, caption, _fragment(figure, 380))


def draw_scores(rows: Sequence[tuple[str, bool, Any]]) -> Plotted:
    """Distribution of scores in the baseline and in each window.

    Args:
        rows: window, whether it is in the baseline, counts in bins of equal width from 0 to 1.
    """
    title = "Scores"
    if not rows:
        return Plotted(title, "No label was given, so scores were not binned.", "")
    figure = go.Figure()
    base = [counts for _, in_baseline, counts in rows if in_baseline]
    lines = [("baseline", _BASE, sum(base[1:], base[0]))] if base else []
    lines += [(window, _NOW, counts) for window, in_baseline, counts in rows if not in_baseline]
    for name, color, counts in lines:
        points = counts.reshape(_FEW_POINTS, -1).sum(axis=1)
        share = points / max(points.sum(), 1)
        line = {"color": color, "shape": "hvh"} if color == _BASE else {"shape": "hvh"}
        x = [(index + 0.5) / _FEW_POINTS for index in range(_FEW_POINTS)]
        figure.add_scatter(x=x, y=share.tolist(), name=name, line=line)
    return Plotted(title, "Share of rows by score; grey is the baseline.", _fragment(figure, 380))


def page(title: str, plots: Sequence[Plotted]) -> str:
    """One self-contained HTML page; opens without a network."""
    parts = "".join(
        f"<section><h2>{escape(plot.title)}</h2><p>{escape(plot.caption)}</p>{plot.html}</section>" for plot in plots
    )
    style = "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem}p{color:#555}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style><script>{get_plotlyjs()}</script></head>"
        f"<body><h1>{escape(title)}</h1>{parts}</body></html>"
    )


def _cell(psi: float | None, verdict: str) -> str:
    if psi is None:
        return ""
    return {"drift": f"{psi:.2f}*", "ok": f"{psi:.2f}"}.get(verdict, f"({psi:.2f})")


def _fragment(figure: Any, height: int) -> str:
    figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": 10, "b": 10}, template="plotly_white")
    html: str = pio.to_html(figure, full_html=False, include_plotlyjs=False)
    return html
