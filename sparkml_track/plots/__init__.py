"""Plots: views of a sweep as HTML fragments. Importing this imports no plotting library.

_base         the contract
_history      values in the order of the trials
_importances  how much each parameter matters
_parallel     parameters side by side
_figure       figures as plotly.js takes them
monitoring    plots of a monitoring run
"""

from __future__ import annotations

from sparkml_track.plots._base import Plot, Plotted, PlotTrial
from sparkml_track.plots._figure import library
from sparkml_track.plots._history import History
from sparkml_track.plots._importances import Importances
from sparkml_track.plots._parallel import ParallelCoordinates

__all__ = [
    "History",
    "Importances",
    "ParallelCoordinates",
    "Plot",
    "PlotTrial",
    "Plotted",
    "library",
    "standard",
]


def standard() -> tuple[Plot, ...]:
    """The plots of a report, in the order they are shown."""
    return (History(), Importances(), ParallelCoordinates())
