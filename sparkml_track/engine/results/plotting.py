"""The plots of a sweep: what its report shows, and ``result.plot``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_track.engine.results.curves import Curve, Curves
from sparkml_track.engine.results.pareto import Front
from sparkml_track.engine.results.summary import Result
from sparkml_track.errors import InvalidInput
from sparkml_track.goal import Goal
from sparkml_track.plots import (
    History,
    Importances,
    Pair,
    ParallelCoordinates,
    Plot,
    PlotCurve,
    Plotted,
    PlotTrial,
    PlotTrials,
    Slices,
    Timeline,
    draw_curves,
    draw_pareto,
    plotly_figure,
)
from sparkml_track.space import flatten
from sparkml_track.trial import State

if TYPE_CHECKING:
    from sparkml_track.plots import Figure

__all__ = ["ResultPlots", "curves_of", "front_of", "plot_trials"]


def plot_trials(results: Sequence[Result], place: int, metric: str) -> PlotTrials:
    """Trials with the values of one objective; of those that were pruned, what they reported last.

    Args:
        results: every trial that ended.
        place: of the objective.
        metric: of the objective.
    """
    return PlotTrials(_plot_trial(one, place, metric) for one in results)


def front_of(results: Sequence[Result], goals: Sequence[Goal], pair: tuple[int, int]) -> Plotted:
    """Two objectives against each other.

    Args:
        results: every trial that ended.
        goals: all objectives.
        pair: the places of the two.
    """
    first, second = pair
    pairs, front = [], Front[int](2)
    for one in results:
        if one.state is State.FINISHED and one.value and all(map(math.isfinite, one.value)):
            losses = goals[first].loss(one.value[first]), goals[second].loss(one.value[second])
            front.add(losses, one.number, one.number)
            pairs.append((_plot_trial(one, first, goals[first].metric), one.value[second]))
    return draw_pareto(pairs, (goals[first], goals[second]), set(front))


def curves_of(curves: Curves | None, goal: Goal) -> Plotted:
    """What some of the trials reported, step by step."""
    if curves is None:
        return draw_curves([], goal, 0)
    shown = [_plot_curve(one, best=True) for one in curves.best()]
    shown += [_plot_curve(one, best=False) for one in curves.others()]
    return draw_curves(shown, goal, curves.reported)


def _plot_trial(result: Result, place: int, metric: str) -> PlotTrial:
    value = result.value[place] if result.value else None
    if result.state is State.PRUNED:
        value = result.metrics.get(metric)
    return PlotTrial(result.number, result.state, flatten(result.params), value, result.started, result.duration)


def _plot_curve(one: Curve, *, best: bool) -> PlotCurve:
    return PlotCurve(one.number, one.state, best, one.steps, one.values)


@dataclass(frozen=True, slots=True)
class ResultPlots:
    """The plots of a sweep, each a figure of the library plotly: shown by a notebook, or by ``.show()``.

    Where a sweep has several objectives, ``metric`` chooses one of them; the first by default. A plot for which there
    is too little gives a figure that says so.

    Attributes:
        results: every trial that ended.
        goals: the objectives.
        curves_kept: what some of the trials reported; None if that is not known.
    """

    results: Sequence[Result]
    goals: Sequence[Goal]
    curves_kept: Curves | None = None

    def history(self, metric: str | None = None) -> Figure:
        """Values in the order of the trials, with the best so far."""
        return self._drawn(History(), metric)

    def importances(self, metric: str | None = None) -> Figure:
        """How much each parameter matters."""
        return self._drawn(Importances(), metric)

    def parallel(self, metric: str | None = None) -> Figure:
        """Parameters side by side; drag along an axis to select."""
        return self._drawn(ParallelCoordinates(), metric)

    def slice(self, metric: str | None = None) -> Figure:
        """The value against the parameters that matter most."""
        return self._drawn(Slices(), metric)

    def contour(self, metric: str | None = None) -> Figure:
        """The two parameters that matter most against each other, coloured by the value."""
        return self._drawn(Pair(), metric)

    def timeline(self) -> Figure:
        """When each trial ran."""
        return self._drawn(Timeline(), None)

    def curves(self) -> Figure:
        """What trials reported of the first objective, step by step: the best ones, and some of the others."""
        return plotly_figure(curves_of(self.curves_kept, self.goals[0]))

    def pareto(self, first: str | None = None, second: str | None = None) -> Figure:
        """Two objectives against each other; by default the first ones that are not named.

        Raises:
            InvalidInput: the sweep has one objective, or one is named twice.
        """
        if len(self.goals) < 2:
            raise InvalidInput(f"the sweep has one objective, {self.goals[0].metric}; a front needs two: see history()")
        named = [self._place(name) for name in (first, second) if name is not None]
        if len(named) == 2 and named[0] == named[1]:
            names = ", ".join(goal.metric for goal in self.goals)
            raise InvalidInput(f"both are {first!r}; name two of {names}")
        others = [place for place in range(len(self.goals)) if place not in named]
        one = others.pop(0) if first is None else named[0]
        other = others.pop(0) if second is None else named[-1]
        return plotly_figure(front_of(self.results, self.goals, (one, other)))

    def _drawn(self, plot: Plot, metric: str | None) -> Figure:
        place = self._place(metric)
        goal = self.goals[place]
        return plotly_figure(plot.draw(plot_trials(self.results, place, goal.metric), goal))

    def _place(self, metric: str | None) -> int:
        names = [goal.metric for goal in self.goals]
        if metric is not None and metric not in names:
            raise InvalidInput(f"the sweep has no objective {metric!r}; it has {', '.join(names)}")
        return 0 if metric is None else names.index(metric)
