"""What trials reported step by step: who learns, who stalls, and where pruned ones were cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plotted
from sparkml_track.plots._figure import BLUE, COLOURS, GREY, fragment, label, layout, sentence
from sparkml_track.trial import State

__all__ = ["PlotCurve", "draw_curves"]

_WORDS = {State.FINISHED: "finished", State.PRUNED: "pruned", State.FAILED: "failed", State.KILLED: "killed"} | {
    State.RUNNING: "running"
}


class PlotCurve(NamedTuple):
    """The reports of a trial.

    Attributes:
        number: the trial's.
        state: how it ended.
        best: it is one of the best.
        steps: in the order they came.
        values: of the goal's metric, one for each step.
    """

    number: int
    state: State
    best: bool
    steps: Sequence[int]
    values: Sequence[float]


def draw_curves(curves: Sequence[PlotCurve], goal: Goal, reported: int) -> Plotted:
    """A line for each trial; those that were pruned end in a cross.

    Args:
        curves: of some trials.
        goal: whose values these are.
        reported: how many trials reported such values.
    """
    title = "Learning curves"
    if not curves:
        return Plotted(title, "", sentence(f"No trial reported {goal.metric}."))
    # The best are drawn last, so that they lie on top.
    groups = [(state, False) for state in _WORDS] + [(state, True) for state in _WORDS]
    data: list[dict[str, object]] = []
    for state, best in groups:
        some = [one for one in curves if (one.state, one.best) == (state, best)]
        if some:
            data.append(_lines("best" if best else _WORDS[state], some) | _look(state, best))
    pruned = [one for one in curves if one.state is State.PRUNED]
    if pruned:
        data.append(_ends(pruned))
    page = layout(xaxis={"title": {"text": "step"}}, yaxis={"title": {"text": label(goal.metric)}})
    top = sum(one.best for one in curves)
    caption = f"{goal.metric} by step, {'higher' if goal.maximize else 'lower'} is better; a cross ends a pruned trial."
    if len(curves) < reported:
        caption += f" Drawn are the best {top} and {len(curves) - top} others of {reported:,} trials that reported."
    return Plotted(title, caption, fragment("curves", data, page))


def _lines(name: str, curves: Sequence[PlotCurve]) -> dict[str, object]:
    """One line with holes."""
    x: list[int | None] = []
    y: list[float | None] = []
    text: list[str | None] = []
    for one in curves:
        x += [*one.steps, None]
        y += [*one.values, None]
        text += [f"trial {one.number}, {_WORDS[one.state]}"] * len(one.steps) + [None]
    return {
        "type": "scatter",
        # A trial that reported once is a dot.
        "mode": "lines+markers" if any(len(one.steps) == 1 for one in curves) else "lines",
        "name": name,
        "x": x,
        "y": y,
        "text": text,
        "hovertemplate": "%{text}<br>step %{x}: <b>%{y:.6g}</b><extra></extra>",
    }


def _look(state: State, best: bool) -> dict[str, object]:
    colour = BLUE if best else GREY if state is State.FINISHED else COLOURS.get(state, BLUE)
    return {
        "line": {"color": colour, "width": 1.8 if best else 1},
        "opacity": 0.9 if best else 0.55,
        "marker": {"size": 4},
    }


def _ends(pruned: Sequence[PlotCurve]) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "markers",
        "showlegend": False,
        "x": [one.steps[-1] for one in pruned],
        "y": [one.values[-1] for one in pruned],
        "text": [f"trial {one.number} was pruned" for one in pruned],
        "hovertemplate": "%{text} at step %{x}: %{y:.6g}<extra></extra>",
        "marker": {"symbol": "x", "size": 7, "color": COLOURS[State.PRUNED]},
    }
