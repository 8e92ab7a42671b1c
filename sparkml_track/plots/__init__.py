"""Plots: views of a sweep as HTML fragments. Importing this imports no plotting library.

For several sweeps, as figures of the library plotly: ``st.plots.best_so_far([st.load_sweep("a"), result])``,
``distributions`` and ``bests``; for one, ``result.plot``.

_base         the contract
_history      values in the order of the trials
_importances  how much each parameter matters
_parallel     parameters side by side
_slices       the value against the parameters that matter most
_timeline     when each trial ran
_pareto       two objectives against each other
_compared     several sweeps against each other
_several      the same for Python
_curves       what trials reported, step by step
_figure       figures as plotly.js takes them
_picture      the same as small pictures, without a script
_plotly       the same as figures of the library plotly
_drift        the drift of each column in each window
_quality      the quality of scores, window by window
_scores       their distribution
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml_track.plots._base import Plot, Plotted, PlotTrial, PlotTrials
from sparkml_track.plots._compared import (
    By,
    ComparedSweep,
    compared,
    draw_best_so_far,
    draw_bests,
    draw_distributions,
    params_side_by_side,
)
from sparkml_track.plots._curves import PlotCurve, draw_curves
from sparkml_track.plots._drift import draw_drift, draw_trend
from sparkml_track.plots._figure import library
from sparkml_track.plots._history import History
from sparkml_track.plots._importances import FEWEST, Importances, load, shares_of
from sparkml_track.plots._parallel import ParallelCoordinates
from sparkml_track.plots._pareto import draw_pareto
from sparkml_track.plots._picture import picture
from sparkml_track.plots._plotly import figure_of, plotly_figure
from sparkml_track.plots._quality import draw_quality
from sparkml_track.plots._scores import draw_scores
from sparkml_track.plots._several import best_so_far, bests, distributions
from sparkml_track.plots._slices import Pair, Slices
from sparkml_track.plots._timeline import Timeline

if TYPE_CHECKING:
    from sparkml_track.plots._plotly import Figure as Figure  # for whoever names what a plot gives

__all__ = [
    "FEWEST",
    "By",
    "ComparedSweep",
    "History",
    "Importances",
    "Pair",
    "ParallelCoordinates",
    "Plot",
    "PlotCurve",
    "PlotTrial",
    "PlotTrials",
    "Plotted",
    "Slices",
    "Timeline",
    "best_so_far",
    "bests",
    "compared",
    "distributions",
    "draw_best_so_far",
    "draw_bests",
    "draw_curves",
    "draw_distributions",
    "draw_drift",
    "draw_pareto",
    "draw_quality",
    "draw_scores",
    "draw_trend",
    "figure_of",
    "library",
    "load",
    "params_side_by_side",
    "picture",
    "plotly_figure",
    "shares_of",
    "standard",
]


def standard() -> tuple[Plot, ...]:
    """The plots of a report, in the order they are shown."""
    return (History(), Importances(), Slices(), Pair(), ParallelCoordinates(), Timeline())
