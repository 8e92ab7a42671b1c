"""A sweep seen in several ways: figures over its columns, which take the same time whatever the number of trials."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sparkml_track.dashboards.blocks import Markup
from sparkml_track.dashboards.charts import COLOURS, chart
from sparkml_track.dashboards.runs.seen import STATES, Seen
from sparkml_track.dashboards.runs.sweep.drawn import (
    Ranges,
    caption_of,
    drawn_rows,
    plot_trials,
    pruned_rows,
    within,
)
from sparkml_track.dashboards.runs.sweep.parallel import draw_parallel
from sparkml_track.engine.results.curves import Curve
from sparkml_track.goal import Goal
from sparkml_track.plots import (
    History,
    Importances,
    Pair,
    ParallelCoordinates,
    Plot,
    PlotCurve,
    Plotted,
    Slices,
    Timeline,
    draw_curves,
    draw_pareto,
    plotly_figure,
)
from sparkml_track.trial import State

__all__ = ["VIEWS", "chosen_trials", "view", "views_of"]

_MANY, _SOME, _FEW, _BINS = 4000, 2000, 1000, 240
_ENDS = (State.FINISHED, State.PRUNED, State.FAILED, State.KILLED)
_COLOURS = {state: COLOURS[place] for state, place in zip(_ENDS, (0, 1, 5, 6), strict=True)}
_TRIAL = re.compile(r"^trial (\d+)")


def view(seen: Seen, name: str, goal: Goal, ranges: Ranges | None = None) -> Sequence[object]:
    """One way to see a sweep: a figure, and a sentence on how to read it.

    Args:
        seen: the sweep.
        name: one of ``VIEWS``.
        goal: whose values are drawn.
        ranges: of parameters and values, to which trials are limited.
    """
    rows = within(seen, ranges) if ranges else None
    return VIEWS[name](seen, goal, rows)


def views_of(seen: Seen) -> list[str]:
    """The ways there are for a sweep."""
    return [name for name in VIEWS if name != "Pareto front" or len(seen.goals) > 1]


def chosen_trials(figure: Any, points: Iterable[Mapping[str, Any]]) -> list[int]:
    """The trials whose dots were chosen.

    Args:
        figure: that ``view`` gave.
        points: as ``mo.ui.plotly`` has them.
    """
    found = []
    for point in points:
        curve, place = point.get("curveNumber"), point.get("pointIndex", point.get("pointNumber"))
        if isinstance(curve, int) and isinstance(place, int) and curve < len(figure.data):
            numbers = figure.data[curve].customdata
            found += [int(numbers[place])] if numbers is not None and place < len(numbers) else []
    return sorted(set(found))


def _finished(seen: Seen, goal: Goal, rows: Any) -> Any:
    import numpy as np

    finished = seen.finished(goal)
    return finished if rows is None else np.intersect1d(finished, rows)


def _by(plot: Plot, most: int, *, selects: bool = False) -> Callable[[Seen, Goal, Any], Sequence[object]]:
    """A view by one of the plots of reports."""

    def draws(seen: Seen, goal: Goal, rows: Any) -> Sequence[object]:
        of = _finished(seen, goal, rows)
        shown = drawn_rows(seen, goal, most, of)
        return _shown(
            plot.draw(plot_trials(seen, goal, shown), goal), caption_of(seen, goal, len(shown), len(of)), selects
        )

    return draws


def _history(seen: Seen, goal: Goal, rows: Any) -> Sequence[object]:
    import numpy as np

    of, pruned = _finished(seen, goal, rows), pruned_rows(seen, goal, _FEW)
    shown = drawn_rows(seen, goal, _MANY - _FEW, of)
    some = np.union1d(shown, pruned if rows is None else np.intersect1d(pruned, rows))
    drawn = History().draw(plot_trials(seen, goal, some), goal)
    return _shown(drawn, caption_of(seen, goal, len(shown), len(of)), selects=True)


def _parallel(seen: Seen, goal: Goal, rows: Any) -> Sequence[object]:
    of = _finished(seen, goal, rows)
    shown = drawn_rows(seen, goal, _FEW, of)
    plotted = ParallelCoordinates().draw(plot_trials(seen, goal, shown), goal)
    said = "Each line is a trial, red is better. Draw a box around values on an axis to list their trials below."
    figure = draw_parallel(plotted)
    return figure, _soft(f"{said}{caption_of(seen, goal, len(shown), len(of))}" if plotted.caption else "")


def _shown(plotted: Plotted, more: str, selects: bool) -> Sequence[object]:
    """A figure and its sentence; the title is that of the tab."""
    figure = plotly_figure(plotted)
    figure.update_layout(title=None, margin={"t": 40})
    if selects:
        for trace in figure.data:
            trace.customdata = _numbers(trace)
        figure.update_layout(dragmode="select")
        more += " Draw a box around dots to list their trials below."
    return figure, Markup('<p class="sk sk-soft">{}{}</p>').format(plotted.caption, more)


def _numbers(trace: Any) -> Sequence[int] | None:
    """The trials of the dots."""
    if trace.type not in ("scatter", "scattergl") or trace.mode != "markers":
        return None
    found = [_TRIAL.match(text) for text in trace.text or ()]
    if found and all(found):
        return [int(each[1]) for each in found if each]
    return [int(x) for x in trace.x]


def _timeline(seen: Seen, goal: Goal, rows: Any) -> Sequence[object]:
    """Slots that were busy over all of the sweep, and the bars of its last trials."""
    import numpy as np

    begun = np.flatnonzero(seen.started > 0) if rows is None else rows[seen.started[rows] > 0]
    last = begun[np.argsort(seen.started[begun], kind="stable")][-_FEW:]
    plotted = Timeline().draw(plot_trials(seen, goal, last), goal)
    more = f" The last {_FEW:,} of {len(begun):,} trials are drawn as bars." if len(begun) > _FEW else ""
    bars = _shown(plotted, more, selects=False)
    if not len(begun):
        return bars
    return (_busy(seen, begun), _soft("How many trials ran at each time, over all of the sweep."), *bars)


def _busy(seen: Seen, rows: Any) -> Any:
    """The mean number of trials that ran, in equal spans from the first start to the last end."""
    import numpy as np

    first = float(seen.started[rows].min())
    starts, ends = seen.started[rows] - first, seen.started[rows] - first + np.maximum(seen.duration[rows], 0)
    span = max(float(ends.max()), 1e-3)
    edges = np.linspace(0, span, _BINS + 1)
    # Seconds worked up to a time: of each trial what lies before it.
    worked = _worked(starts, edges) - _worked(ends, edges)
    busy = np.diff(worked) / (span / _BINS)
    line = {"type": "scatter", "x": edges[:-1].tolist(), "y": busy.tolist(), "fill": "tozeroy", "mode": "lines"}
    line |= {"line": {"shape": "hv", "width": 1}, "hovertemplate": "%{x:.1f} s: %{y:.2f}<extra></extra>"}
    seconds = {"title": {"text": "seconds since the first start"}}
    return chart([line], 220, xaxis=seconds, yaxis={"title": {"text": "trials at one time"}, "rangemode": "tozero"})


def _worked(times: Any, edges: Any) -> Any:
    """For each edge the sum of what lies between the times before it, and it."""
    import numpy as np

    ordered = np.sort(times)
    count = np.searchsorted(ordered, edges)
    return count * edges - np.concatenate(([0.0], np.cumsum(ordered)))[count]


def _curves(seen: Seen, goal: Goal, _: Any) -> Sequence[object]:
    best, others, reported = seen.curves
    metric = seen.goals[0].metric
    drawn = [_curve(one, best=True) for one in best] + [_curve(one, best=False) for one in others]
    for number, reports in list(seen.reports.items())[-len(best) - 30 :]:
        points = [(each.step, each.metrics[metric]) for each in reports if metric in each.metrics]
        if points:
            drawn.append(PlotCurve(number, State.RUNNING, False, *map(list, zip(*points, strict=True))))
    plotted = draw_curves(drawn, seen.goals[0], reported)
    return _shown(plotted, "" if goal == seen.goals[0] else f" Only {metric} is kept.", selects=False)


def _curve(one: Curve, *, best: bool) -> PlotCurve:
    return PlotCurve(one.number, one.state, best, list(one.steps), list(one.values))


def _pareto(seen: Seen, goal: Goal, rows: Any) -> Sequence[object]:
    """The chosen objective against the first other one."""
    import numpy as np

    if len(seen.goals) < 2:
        return (_soft("The sweep has one objective."),)
    other = next(each for each in seen.goals if each != goal)
    of = _finished(seen, goal, rows)
    of = of[np.isfinite(seen.values(other)[of])]
    losses = [each.loss(1.0) * seen.values(each)[of] for each in (goal, other)]
    order = np.lexsort((of, losses[1], losses[0]))
    second = losses[1][order]
    before = np.minimum.accumulate(np.concatenate(([np.inf], second)))[:-1]
    front = of[order][second < before]
    some = np.union1d(front, drawn_rows(seen, goal, _SOME, of))
    pairs = [
        (one, float(seen.values(other)[row])) for one, row in zip(plot_trials(seen, goal, some), some, strict=True)
    ]
    plotted = draw_pareto(pairs, (goal, other), {int(seen.numbers[row]) for row in front})
    return _shown(plotted, caption_of(seen, goal, len(some), len(of)), selects=True)


def _outcomes(seen: Seen, _: Goal, rows: Any) -> Sequence[object]:
    """How trials ended, over the sweep."""
    import numpy as np

    order = seen.order if rows is None else seen.order[np.isin(seen.order, rows)]
    if not len(order):
        return (_soft("No trial has ended."),)
    parts = np.array_split(seen.states[order], min(40, len(order)))
    firsts = np.cumsum([0, *map(len, parts)])[:-1]
    bars = []
    for code, state in enumerate(STATES[1:], start=1):
        shares = [float((part == code).mean()) for part in parts]
        if any(shares):
            bars.append(
                {
                    "type": "bar",
                    "name": state.value,
                    "x": firsts.tolist(),
                    "y": shares,
                    "marker": {"color": _COLOURS[state]},
                }
            )
    figure = chart(
        bars, 320, barmode="stack", bargap=0.05, xaxis={"title": {"text": "trials, in the order in which they ended"}}
    )
    return figure.update_yaxes(tickformat=".0%"), _soft("The share of trials that ended each way.")


def _soft(text: str) -> Markup:
    return Markup('<p class="sk sk-soft">{}</p>').format(text)


#: By name, in the order in which they are offered.
VIEWS: Mapping[str, Callable[[Seen, Goal, Any], Sequence[object]]] = {
    "History": _history,
    "Parallel coordinates": _parallel,
    "Importances": _by(Importances(), _SOME),
    "Slices": _by(Slices(), _FEW, selects=True),
    "Contour": _by(Pair(), _FEW, selects=True),
    "Pareto front": _pareto,
    "Learning curves": _curves,
    "Slots": _timeline,
    "Outcomes": _outcomes,
}
