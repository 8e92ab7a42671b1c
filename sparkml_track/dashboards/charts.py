"""Figures that several pages are made of, on a ground that is light or dark as the page is."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_track.plots import figure_of

__all__ = ["BAD", "COLOURS", "chart", "label", "on_page"]

#: Told apart by people who do not see all colours: Okabe and Ito, "Color Universal Design", 2008.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")
BAD = "#d55e00"
_SOFT = "#8a929b"
_LINE = {"gridcolor": "rgba(138,146,155,0.25)", "zerolinecolor": "rgba(138,146,155,0.4)", "automargin": True}


def chart(traces: Sequence[Mapping[str, object]], height: int = 300, **layout: object) -> Any:
    """A figure of plotly.

    Args:
        traces: as plotly takes them: ``{"type": "scatter", "x": ..., "y": ...}``.
        height: in pixels.
        layout: of plotly, over the common one: ``yaxis={"title": "PSI"}``.
    """
    figure = figure_of(data=[dict(trace) for trace in traces], layout={"height": height})
    axis = layout.get("xaxis")
    below = 28 if isinstance(axis, Mapping) and "title" in axis else 0  # pixels that its title takes
    figure.update_layout(margin={"l": 50, "r": 12, "t": 24, "b": 40 + below}, colorway=COLOURS)
    figure.update_layout(legend={"orientation": "h", "y": -0.2 - below / 200}, hovermode="closest")
    return on_page(figure.update_layout(**layout))


def on_page(figure: Any) -> Any:
    """A figure of any origin, on the ground of the page."""
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _SOFT, "size": 13},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": _SOFT, "activecolor": COLOURS[0]},
    )
    return figure.update_xaxes(_LINE).update_yaxes(_LINE)


def label(value: object, most: int = 40) -> str:
    """Text for inside a figure, where plotly reads a little HTML; clipped."""
    text = str(value)
    return html.escape(text if len(text) <= most else text[: most - 1] + "…")
