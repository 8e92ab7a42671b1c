"""Figures over several sweeps, for Python: ``st.plots.best_so_far([a, b])``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from sparkml_track.errors import InvalidInput
from sparkml_track.goal import Goal
from sparkml_track.plots._base import PlotTrial
from sparkml_track.plots._compared import By, ComparedSweep, compared, draw_best_so_far, draw_bests, draw_distributions
from sparkml_track.plots._plotly import plotly_figure
from sparkml_track.space import flatten
from sparkml_track.trial import State

if TYPE_CHECKING:
    from sparkml_track.plots._plotly import Figure

__all__ = ["best_so_far", "bests", "distributions"]


class _Ended(Protocol):
    """A trial that ended."""

    @property
    def number(self) -> int: ...
    @property
    def params(self) -> Mapping[str, object]: ...
    @property
    def state(self) -> State: ...
    @property
    def value(self) -> tuple[float, ...] | None: ...
    @property
    def started(self) -> float: ...
    @property
    def duration(self) -> float: ...


class _Summary(Protocol):
    """What is known of all trials."""

    @property
    def goals(self) -> tuple[Goal, ...]: ...


class _Sweep(Protocol):
    """A result of ``sweep`` or ``load_sweep``."""

    @property
    def sweep(self) -> str: ...
    @property
    def summary(self) -> _Summary: ...
    @property
    def trials(self) -> Sequence[_Ended]: ...


def best_so_far(sweeps: Sequence[_Sweep], metric: str | None = None, by: By = "trials") -> Figure:
    """The best value so far, a line for each sweep.

    Args:
        sweeps: results of ``sweep`` or ``load_sweep``.
        metric: an objective that all of them have; the first one of the first sweep by default.
        by: "trials" that ended, or "time" in seconds since the first one began.

    Returns:
        A figure of the library plotly.

    Raises:
        InvalidInput: a sweep has no such objective, or another direction; no sweep is given; ``by`` is neither.
    """
    if by not in ("trials", "time"):
        raise InvalidInput(f"by is {by!r}; allowed are 'trials' and 'time'")
    return plotly_figure(draw_best_so_far(_compared(sweeps, metric), by))


def distributions(sweeps: Sequence[_Sweep], metric: str | None = None) -> Figure:
    """The values of all finished trials, a box for each sweep; see ``best_so_far``."""
    return plotly_figure(draw_distributions(_compared(sweeps, metric)))


def bests(sweeps: Sequence[_Sweep], metric: str | None = None) -> Figure:
    """The params of the best trials side by side, those that differ marked; see ``best_so_far``."""
    return plotly_figure(draw_bests(_compared(sweeps, metric)))


def _compared(sweeps: Sequence[_Sweep], metric: str | None) -> list[ComparedSweep]:
    if not sweeps:
        raise InvalidInput("no sweep is given; allowed are one or more results of sweep() or load_sweep()")
    wanted = metric or sweeps[0].summary.goals[0].metric
    found, goals = [], set()
    for one in sweeps:
        names = [goal.metric for goal in one.summary.goals]
        if wanted not in names:
            raise InvalidInput(f"the sweep {one.sweep} has no objective {wanted!r}; it has {', '.join(names)}")
        place = names.index(wanted)
        goals.add(one.summary.goals[place])
        found.append(compared(one.sweep, one.summary.goals[place], [_trial(each, place) for each in one.trials]))
    if len(goals) > 1:
        raise InvalidInput(f"some sweeps minimize {wanted!r}, others maximize it; compare those that do the same")
    return found


def _trial(one: _Ended, place: int) -> PlotTrial:
    value = one.value[place] if one.value else None
    return PlotTrial(one.number, one.state, flatten(one.params), value, one.started, one.duration)
