"""The value against the parameters that matter most: each by itself, and the first two together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plot, Plotted, PlotTrial
from sparkml_track.plots._figure import BLUE, fragment, label, layout, sampled, sentence, valued
from sparkml_track.plots._importances import shares_of

__all__ = ["Pair", "Slices"]

_MOST_PARAMS, _COLUMNS, _MOST_TRIALS, _FEWEST = 6, 3, 1000, 5


class Slices(Plot):
    """A small figure for each of the parameters that explain most of the value, a dot for each trial."""

    @override
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        title = "Slices"
        shown, names = _chosen(trials, goal)
        if not names:
            return Plotted(title, "", sentence("Too few finished trials, or nothing that varied between them."))
        names = names[:_MOST_PARAMS]
        rows = math.ceil(len(names) / _COLUMNS)
        grid = {"rows": rows, "columns": min(len(names), _COLUMNS), "pattern": "independent"}
        data = [_dots(shown, name, _suffix(place)) for place, name in enumerate(names)]
        page = layout(grid=grid, showlegend=False, **_axes(shown, names))
        caption = f"{goal.metric} against each parameter, those that explain most of it first."
        return Plotted(title, caption, fragment("slices", data, page, height=90 + 260 * rows))


class Pair(Plot):
    """The two parameters that explain most of the value, a dot for each trial, coloured by its value.

    Dots, not a surface: between trials nobody has looked.
    """

    @override
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        title = "The two parameters that matter most"
        shown, names = _chosen(trials, goal)
        both = [one for one in shown if all(name in one.params for name in names[:2])]
        if len(names) < 2 or len(both) < _FEWEST:
            return Plotted(title, "", sentence("Too few finished trials that have two parameters which varied."))
        dots = {
            "type": "scatter",
            "mode": "markers",
            "x": [_value(one.params[names[0]]) for one in both],
            "y": [_value(one.params[names[1]]) for one in both],
            "text": [f"trial {one.number}: {one.value:.6g}" for one in both],
            "hovertemplate": "%{text}<br>%{x}, %{y}<extra></extra>",
            "marker": {
                "color": [one.value for one in both],
                "colorscale": "Viridis",
                "reversescale": not goal.maximize,
                "showscale": True,
                "colorbar": {"title": {"text": label(goal.metric, 30)}},
                "size": 9,
                "opacity": 0.85,
            },
        }
        page = layout(xaxis=_axis(both, names[0]), yaxis=_axis(both, names[1]))
        return Plotted(title, "Each dot is a trial. Brighter is better.", fragment("pair", [dots], page))


def _chosen(trials: Sequence[PlotTrial], goal: Goal) -> tuple[list[PlotTrial], list[str]]:
    """The trials that are shown, and the parameters that explain most."""
    finished = valued(trials)
    if len(finished) < _FEWEST:
        return [], []
    shown = sampled(finished, _MOST_TRIALS, goal)
    return shown, list(shares_of(trials, goal))


def _dots(trials: Sequence[PlotTrial], name: str, suffix: str) -> dict[str, object]:
    with_it = [one for one in trials if name in one.params]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_value(one.params[name]) for one in with_it],
        "y": [one.value for one in with_it],
        "text": [f"trial {one.number}" for one in with_it],
        "hovertemplate": "%{text}: %{y:.6g}<br>%{x}<extra></extra>",
        "marker": {"color": BLUE, "size": 6, "opacity": 0.6},
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
    }


def _axes(trials: Sequence[PlotTrial], names: Sequence[str]) -> dict[str, object]:
    across: dict[str, object] = {f"xaxis{_suffix(place)}": _axis(trials, name) for place, name in enumerate(names)}
    return across | {f"yaxis{_suffix(place)}": {} for place in range(len(names))}


def _suffix(place: int) -> str:
    """How plotly.js names the axes of the first figure, and those of others."""
    return str(place + 1) if place else ""


def _axis(trials: Sequence[PlotTrial], name: str) -> dict[str, object]:
    """On a log scale where numbers span it; text and truth values are categories."""
    values = [one.params[name] for one in trials if name in one.params]
    axis: dict[str, object] = {"title": {"text": label(name, 30)}}
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return axis | {"type": "category"}
    numbers = [float(value) for value in values if math.isfinite(value)]  # type: ignore[arg-type]
    spans = numbers and min(numbers) > 0 and max(numbers) / min(numbers) >= 50
    return axis | ({"type": "log"} if spans else {})


def _value(value: object) -> object:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else label(value, 30)
