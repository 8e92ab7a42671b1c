"""What a report shows, as figures of the library plotly: for notebooks, and to change."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from sparkml_track.plots._base import Plotted
from sparkml_track.plots._figure import Fragment

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as Figure  # noqa: PLC0414  # given on

__all__ = ["figure_of", "plotly_figure"]

_ABOVE = 60  # pixels for the title


def figure_of(**given: Any) -> Figure:
    """A figure of plotly. Any thread."""
    # Plotly takes a pandas that another thread is still importing for a whole one; to import it waits until it is.
    import pandas  # noqa: F401
    from plotly.graph_objects import Figure

    return Figure(**given)


def plotly_figure(plotted: Plotted) -> Figure:
    """A plot as a figure; one that could not be drawn has the sentence that says why."""
    shown = plotted.html
    if not isinstance(shown, Fragment):
        why = html.unescape(re.sub(r"<[^>]*>", "", shown))
        empty = {"visible": False}
        note = {"text": why, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
        return figure_of(layout={"title": plotted.title, "xaxis": empty, "yaxis": empty, "annotations": [note]})
    figure = figure_of(data=[dict(each) for each in shown.data], layout=dict(shown.page))
    figure.update_layout(title=plotted.title, height=shown.height + _ABOVE, margin={"t": 24 + _ABOVE})
    return figure
