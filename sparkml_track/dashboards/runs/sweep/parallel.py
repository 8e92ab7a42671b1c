"""Parameters side by side as plain lines: a box around values of an axis chooses trials.

Plotly's own parallel coordinates do not report what is selected in them, and need WebGL, which takes seconds where no
graphics card draws it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import Any

from sparkml_track.dashboards.charts import BAD, COLOURS, chart
from sparkml_track.plots import Plotted, plotly_figure

__all__ = ["draw_parallel"]

#: From the best to the worst: seen on light and on dark ground.
_SCALE = ((0.0, BAD), (0.3, COLOURS[1]), (1.0, COLOURS[-1]))
_BANDS, _TICKS, _HEIGHT = 12, 5, 480
#: Over lines of any colour, on light and on dark ground.
_LEGIBLE = {"size": 11, "color": "#f4f6f8", "shadow": ", ".join(f"0 0 {size}px #1b1f23" for size in (1, 2, 2, 3, 3))}


def draw_parallel(plotted: Plotted) -> Any:
    """The same axes and colours as the plot has.

    Args:
        plotted: by ``ParallelCoordinates``.

    Returns:
        A figure of plotly, each corner of a line with its trial as ``customdata``; with the plot's sentence where
        nothing could be drawn.
    """
    figure = plotly_figure(plotted)
    if not figure.data:
        return figure
    trace = figure.data[0]
    axes = [_Axis(each) for each in trace.dimensions]
    corners = [axis.places for axis in axes]
    traces = []
    for band, rows in _bands(trace.line):
        traces.append(_lines(corners, rows, trace.customdata, _colour(band / (_BANDS - 1))))
    ticks = [(place, *tick) for place, axis in enumerate(axes) for tick in axis.ticks()]
    x, y, text = map(list, zip(*ticks, strict=True))
    said = {"type": "scatter", "mode": "text", "x": x, "y": y, "text": text, "textposition": "middle right"}
    stays = {"unselected": {"textfont": {"color": _LEGIBLE["color"]}}, "hoverinfo": "skip", "showlegend": False}
    traces.append({**said, "textfont": _LEGIBLE, **stays})
    names = {"tickvals": list(range(len(axes))), "ticktext": [axis.name for axis in axes], "side": "top"}
    xaxis = {**names, "tickangle": -18, "range": [-0.1, len(axes) - 0.4], "zeroline": False}
    yaxis = {"visible": False, "range": [-0.04, 1.04]}
    return chart(
        traces, _HEIGHT, xaxis=xaxis, yaxis=yaxis, dragmode="select", margin={"l": 20, "t": 90, "b": 10, "r": 70}
    )


class _Axis:
    """One dimension of plotly's, between 0 and 1."""

    def __init__(self, given: Any) -> None:
        values = [float(value) for value in given.values]
        self._low, self._high = map(float, given.range or (min(values), max(values)))
        self._given = given
        self.name = str(given.label)
        self.places = [self._place(value) for value in values]

    def ticks(self) -> Iterator[tuple[float, str]]:
        if self._given.tickvals is not None:
            texts = (html.escape(str(each)) for each in self._given.ticktext)  # plotly reads a little HTML there
            return zip(map(self._place, self._given.tickvals), texts, strict=True)
        even = (self._low + (self._high - self._low) * step / (_TICKS - 1) for step in range(_TICKS))
        return ((self._place(value), f"{value:.4g}") for value in even)

    def _place(self, value: float) -> float:
        return (value - self._low) / ((self._high - self._low) or 1.0)


def _bands(line: Any) -> Iterator[tuple[int, list[int]]]:
    """Rows by how good they are: the worst first, so that the best lie above."""
    span = (line.cmax - line.cmin) or 1.0
    rows: dict[int, list[int]] = {}
    for row, value in enumerate(line.color):
        share = min(1.0, max(0.0, (value - line.cmin) / span))
        rows.setdefault(round((1 - share if line.reversescale else share) * (_BANDS - 1)), []).append(row)
    return ((band, rows[band]) for band in sorted(rows, reverse=True))


def _lines(corners: Sequence[Sequence[float]], rows: Sequence[int], numbers: Sequence[int], colour: str) -> Any:
    gap = math.nan
    x = [place for _ in rows for place in (*map(float, range(len(corners))), gap)]
    y = [value for row in rows for value in (*(axis[row] for axis in corners), gap)]
    trials = [numbers[row] for row in rows for _ in range(len(corners) + 1)]
    looks = {"line": {"color": colour, "width": 1}, "opacity": 0.5, "showlegend": False}
    hover = "trial %{customdata}<extra></extra>"
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "customdata": trials, "hovertemplate": hover, **looks}


def _colour(share: float) -> str:
    """Of the scale, in between its colours."""
    above = next(place for place, (end, _) in enumerate(_SCALE) if share <= end)
    (first, one), (last, other) = _SCALE[max(above - 1, 0)], _SCALE[above]
    part = (share - first) / ((last - first) or 1.0)
    mixed = (round(int(one[at : at + 2], 16) * (1 - part) + int(other[at : at + 2], 16) * part) for at in (1, 3, 5))
    return "#" + "".join(f"{each:02x}" for each in mixed)
