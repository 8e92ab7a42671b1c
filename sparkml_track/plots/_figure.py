"""Figures as plotly.js takes them: a dictionary, written into the page as JSON.

No plotting library is imported: a figure of 10,000 trials is ready in milliseconds.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from sparkml_track.errors import SetupError
from sparkml_track.goal import Goal
from sparkml_track.plots._base import PlotTrial
from sparkml_track.trial import State

__all__ = [
    "BLUE",
    "COLOURS",
    "GREY",
    "Fragment",
    "fragment",
    "label",
    "layout",
    "library",
    "sampled",
    "sentence",
    "valued",
]

BLUE, GREY = "#1f5fa8", "#9aa3ad"
COLOURS = {State.FINISHED: BLUE, State.PRUNED: "#d9902f", State.FAILED: "#c0392b", State.KILLED: GREY}

# By default plotly.js 4 has a button that sends the data to its maker.
_CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False, "plotlyServerURL": ""}
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def library() -> Path:
    """Where the source of plotly.js is, for a page to hold once; 5 MB in UTF-8.

    Raises:
        SetupError: the package plotly is not installed.
    """
    found = find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise SetupError("The package plotly is missing. Install sparkml-track with its dependencies.")
    return Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"


class Fragment(str):
    """A figure as HTML, with what it draws.

    Attributes:
        data: traces, as plotly.js takes them.
        page: its layout.
        height: in pixels.
    """

    __slots__ = ("data", "height", "page")
    data: Sequence[Mapping[str, object]]
    page: Mapping[str, object]
    height: int


def fragment(
    name: str, data: Sequence[Mapping[str, object]], page: Mapping[str, object], height: int = 420
) -> Fragment:
    """A figure as HTML: a place of fixed height, and the script that draws into it."""
    figure = _json([data, page, _CONFIG])
    place = f"plot-{name}-{hashlib.sha256(figure.encode()).hexdigest()[:8]}"
    made = Fragment(
        f'<div id="{place}" class="plot" style="height:{height}px"></div>'
        f'<script>Plotly.newPlot("{place}", ...{figure});</script>'
    )
    made.data, made.page, made.height = data, page, height
    return made


def sentence(text: str) -> str:
    """What stands in for a figure that cannot be drawn."""
    return f'<p class="none">{html.escape(text)}</p>'


def label(value: object, most: int = 60) -> str:
    """Text for inside a figure, where plotly.js reads a little HTML; clipped."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return html.escape(text if len(text) <= most else text[: most - 1] + "…")


def layout(**more: object) -> dict[str, object]:
    """What all figures share."""
    grid = {"gridcolor": "#e6e9ed", "zeroline": False, "linecolor": "#c5cbd3", "automargin": True}
    return {
        "template": None,
        "font": {"family": _FONT, "size": 13, "color": "#24292f"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 64, "r": 24, "t": 24, "b": 52},
        "hoverlabel": {"align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#c5cbd3", "activecolor": GREY},
        "legend": {"orientation": "h", "x": 0, "y": 1.08},
        "xaxis": dict(grid),
        "yaxis": dict(grid),
    } | {
        name: {**grid, **value} if isinstance(value, dict) and "axis" in name else value for name, value in more.items()
    }


def valued(trials: Sequence[PlotTrial]) -> list[PlotTrial]:
    """The finished trials with a finite value, by number."""
    kept = [one for one in trials if one.state is State.FINISHED and one.value is not None and math.isfinite(one.value)]
    return sorted(kept, key=lambda one: one.number)


def sampled(trials: Sequence[PlotTrial], most: int, goal: Goal) -> list[PlotTrial]:
    """At most ``most`` trials: a tenth of them the best, the others evenly spread over the sweep."""
    if len(trials) <= most:
        return list(trials)
    ranked = sorted(trials, key=lambda one: (goal.loss(one.value or 0.0), one.number))
    kept = {one.number for one in ranked[: most // 10]}
    others = [one for one in trials if one.number not in kept]
    count = most - len(kept)
    kept |= {others[index * len(others) // count].number for index in range(count)}
    return [one for one in trials if one.number in kept]


def _json(value: object) -> str:
    # The text stands inside a script element: nothing in it may close that, or open a comment.
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):  # not plain, or nan somewhere, which few reports have
        text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
