"""The contract of plots: trials in, one self-contained HTML fragment out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sparkml_track.goal import Goal
from sparkml_track.trial import State

__all__ = ["Plot", "PlotTrial", "PlotTrials", "Plotted"]


@dataclass(frozen=True, slots=True)
class PlotTrial:
    """A trial as plots need it: flattened params, and its value in the user's direction (None if it has none)."""

    number: int
    state: State
    params: Mapping[str, object]
    value: float | None
    started: float
    duration: float


class PlotTrials(tuple[PlotTrial, ...]):
    """The trials of one sweep with the values of one goal; what one plot finds out is there for the next.

    Attributes:
        found: by name, filled by plots.
    """

    found: dict[str, object]

    def __new__(cls, trials: Iterable[PlotTrial]) -> PlotTrials:
        """Takes trials."""
        made = super().__new__(cls, trials)
        made.found = {}
        return made


@dataclass(frozen=True, slots=True)
class Plotted:
    """A plot's output: a title, one sentence on how to read it, and an HTML fragment."""

    title: str
    caption: str
    html: str


class Plot(ABC):
    """Draws one view of a sweep.

    No state, any thread. Fragments assume that the page has loaded plotly.js once. Too few trials, or no finished
    one, give a fragment that says so in a sentence; nothing is raised for that.

    Attributes:
        of_goal: it shows values; one that does not is the same for each goal.
    """

    of_goal = True

    @abstractmethod
    def draw(self, trials: Sequence[PlotTrial], goal: Goal) -> Plotted:
        """Draws the trials; their values are of the goal's metric."""
