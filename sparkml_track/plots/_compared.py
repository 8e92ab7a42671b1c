"""Several sweeps against each other: the best so far, the values, and the params of the bests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sparkml_track.goal import Goal
from sparkml_track.plots._base import Plotted, PlotTrial
from sparkml_track.plots._figure import fragment, label, layout, sentence
from sparkml_track.trial import State

__all__ = [
    "By",
    "ComparedSweep",
    "compared",
    "draw_best_so_far",
    "draw_bests",
    "draw_distributions",
    "params_side_by_side",
]

#: Told apart by people who do not see all colours: Okabe and Ito, "Color Universal Design", 2008.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")
_UNSET = "not set"

By = Literal["trials", "time"]


@dataclass(frozen=True, slots=True)
class ComparedSweep:
    """What a sweep has to show beside others.

    Attributes:
        name: for people; no two are alike.
        goal: whose values these are.
        stairs: where the best so far became better, and the end: trials that had ended, seconds since the first began,
            the best value.
        values: of finished trials, in any order.
        best: number and params of the best trial; None if there is none.
    """

    name: str
    goal: Goal
    stairs: Sequence[tuple[int, float, float]]
    values: Sequence[float]
    best: tuple[int, Mapping[str, object]] | None = field(default=None)


def compared(name: str, goal: Goal, trials: Iterable[PlotTrial]) -> ComparedSweep:
    """A sweep from its trials, those that ended alone."""
    ended = sorted(
        (one for one in trials if one.state.terminal), key=lambda one: (one.started + one.duration, one.number)
    )
    begun = [one.started for one in ended if one.started > 0]
    first, stairs, best = min(begun, default=0.0), list[tuple[int, float, float]](), None
    for count, one in enumerate(ended, start=1):
        value = one.value if one.state is State.FINISHED and one.value is not None else math.nan
        if math.isfinite(value) and (best is None or goal.better(value, best.value or 0.0)):
            best = one
            stairs.append((count, one.started + one.duration - first, value))
    if stairs:
        last = max(one.started + one.duration for one in ended)
        stairs.append((len(ended), last - first, stairs[-1][2]))
    values = [one.value for one in ended if one.state is State.FINISHED and one.value is not None]
    finite = [value for value in values if math.isfinite(value)]
    return ComparedSweep(name, goal, stairs, finite, None if best is None else (best.number, best.params))


def draw_best_so_far(sweeps: Sequence[ComparedSweep], by: By = "trials") -> Plotted:
    """A line for each sweep: the best value so far.

    Args:
        sweeps: with goals of one metric.
        by: trials that ended, or seconds since the first began.
    """
    title = f"Best so far, by {by}"
    shown = [one for one in sweeps if one.stairs]
    if not shown:
        return Plotted(title, "", sentence("No trial of these sweeps finished with a value."))
    place = 0 if by == "trials" else 1
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": label(one.name),
            "x": [step[place] for step in one.stairs],
            "y": [step[2] for step in one.stairs],
            "line": {"shape": "hv", "color": _colour(sweeps, one), "width": 2},
            "hovertemplate": "%{x:.6g}: <b>%{y:.6g}</b>",
        }
        for one in shown
    ]
    goal = shown[0].goal
    across = "trials that ended" if by == "trials" else "seconds since the first trial began"
    page = layout(xaxis={"title": {"text": across}}, yaxis={"title": {"text": label(goal.metric)}})
    caption = f"{goal.metric} of the best trial so far, {'higher' if goal.maximize else 'lower'} is better."
    return Plotted(title, caption, fragment(f"best-{by}", data, page))


def draw_distributions(sweeps: Sequence[ComparedSweep]) -> Plotted:
    """A box for each sweep, over the values of all finished trials."""
    title = "Values of finished trials"
    shown = [one for one in sweeps if one.values]
    if not shown:
        return Plotted(title, "", sentence("No trial of these sweeps finished with a value."))
    data = [_box(place, one, _colour(sweeps, one)) for place, one in enumerate(shown)]
    # By place: two names may begin alike.
    names = {"tickvals": list(range(len(shown))), "ticktext": [label(one.name, 30) for one in shown]}
    page = layout(xaxis=names, yaxis={"title": {"text": label(shown[0].goal.metric)}}, showlegend=False)
    caption = "The line is the median, the box holds the middle half, whiskers go from the lowest to the highest value."
    return Plotted(title, caption, fragment("distributions", data, page))


def _box(place: int, one: ComparedSweep, colour: str) -> dict[str, object]:
    """Worked out here: a browser that is given all values takes long."""
    ordered = sorted(one.values)
    quarter = [_quantile(ordered, share) for share in (0.25, 0.5, 0.75)]
    return {
        "type": "box",
        "name": label(one.name, 30),
        "x": [place],
        "q1": [quarter[0]],
        "median": [quarter[1]],
        "q3": [quarter[2]],
        "lowerfence": [ordered[0]],
        "upperfence": [ordered[-1]],
        "mean": [math.fsum(ordered) / len(ordered)],
        "marker": {"color": colour},
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def params_side_by_side(bests: Sequence[Mapping[str, object]]) -> list[tuple[str, list[str], bool]]:
    """The params of several trials: name, the value of each as text, and whether they differ; those that do come first.

    Args:
        bests: params, flattened.
    """
    names = dict.fromkeys(name for params in bests for name in params)
    rows = []
    for name in names:
        texts = [_text(params[name]) if name in params else _UNSET for params in bests]
        rows.append((name, texts, len({repr(params.get(name, _UNSET)) for params in bests}) > 1))
    return sorted(rows, key=lambda row: not row[2])


def draw_bests(sweeps: Sequence[ComparedSweep]) -> Plotted:
    """A table of the params of the bests, in which those that differ are marked."""
    title = "Params of the best trials"
    shown = [(one, one.best) for one in sweeps if one.best is not None]
    if not shown:
        return Plotted(title, "", sentence("No trial of these sweeps finished with a value."))
    rows = params_side_by_side([best[1] for _, best in shown])
    mark = ["#fff3d6" if differs else "rgba(0,0,0,0)" for _, _, differs in rows]
    texts = [[label(each[place]) for _, each, _ in rows] for place in range(len(shown))]
    columns = [[label(name) for name, _, _ in rows], *texts]
    heads = ["", *(f"{label(one.name, 40)}<br>trial {best[0]}" for one, best in shown)]
    font = {"color": "#24292f"}
    made = {
        "type": "table",
        "header": {"values": heads, "align": "left", "fill": {"color": "#e6e9ed"}, "font": font},
        "cells": {
            "values": columns,
            "align": "left",
            "fill": {"color": [mark] * len(columns)},
            "height": 26,
            "font": font,
        },
    }
    return Plotted(title, "Marked are params that differ.", fragment("bests", [made], layout(), 90 + 27 * len(rows)))


def _colour(sweeps: Sequence[ComparedSweep], one: ComparedSweep) -> str:
    """That of its place among all, so that a sweep has one colour in all figures."""
    return _COLOURS[[each.name for each in sweeps].index(one.name) % len(_COLOURS)]


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
