"""What the page of a sweep offers to choose, and what follows from the choice."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkml_track.dashboards.blocks import Markup, facts, note
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.overview import overview
from sparkml_track.dashboards.runs.reading import seen
from sparkml_track.dashboards.runs.seen import Seen
from sparkml_track.dashboards.runs.sweep.advice import advice_section
from sparkml_track.dashboards.runs.sweep.drawn import Ranges
from sparkml_track.dashboards.runs.sweep.figures import chosen_trials, view, views_of
from sparkml_track.dashboards.runs.sweep.head import best_section, costs_section, space_section
from sparkml_track.dashboards.runs.sweep.trial import trial_parts
from sparkml_track.dashboards.runs.sweep.trials import frame, sliders, trial_rows
from sparkml_track.dashboards.stamps import Kind, Stamp
from sparkml_track.errors import SparkmlError
from sparkml_track.goal import Goal
from sparkml_track.readable import number
from sparkml_track.trial import State

__all__ = [
    "Choice",
    "Choices",
    "Offers",
    "choices",
    "chosen_frame",
    "drawn_anew",
    "drawn_view",
    "keep_picked",
    "more_sections",
    "one_trial",
    "options",
    "picked_again",
    "ranges_of",
    "said_ranges",
]

#: Seconds for which figures of a sweep that runs stay as they are.
_CALM = 10.0


@dataclass(frozen=True, slots=True)
class Choices:
    """Sweeps to choose from, and the one that is shown first."""

    sweeps: Sequence[str]
    sweep: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen.

    Attributes:
        sweep: None for none.
        goal: the metric of an objective.
        view: the name of a figure; empty for none.
        ranges: to which trials are limited.
    """

    sweep: str | None
    goal: str | None = None
    view: str = ""
    ranges: Ranges = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offers:
    """What there is to choose of a sweep.

    Attributes:
        goals: metrics of the objectives.
        goal: the one that is shown first.
        views: names of figures; empty if nothing can be shown.
        view: the one that is shown first.
        states: of trials.
        sliders: the ends of numbers that trials may be limited by.
    """

    goals: Sequence[str] = ()
    goal: str | None = None
    views: Sequence[str] = ()
    view: str | None = None
    states: Sequence[str] = ()
    sliders: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def choices(page: Page) -> Choices:
    """The sweeps of the home; the one of the query is shown, else the top of the list."""
    try:
        known = [row.sweep for row in overview(page)]
    except SparkmlError:
        return Choices((), None)
    asked = page.query.get("sweep", "")
    if asked and asked not in known:
        return Choices((asked, *known), asked)
    return Choices(known, asked or next(iter(known), None))


def options(page: Page, sweep: str | None) -> Offers:
    """What to choose from; nothing where the sweep cannot be read, which another part says."""
    try:
        found = seen(page, sweep) if sweep else None
    except SparkmlError:
        found = None
    if found is None or found.plan is None:
        return Offers()
    goals, views = [goal.metric for goal in found.goals], views_of(found)
    goal = page.query.get("goal", "") if page.query.get("goal") in goals else goals[0]
    shown = page.query.get("view", "") if page.query.get("view") in views else views[0]
    ends = sliders(found, _goal(found, goal))
    return Offers(goals, goal, views, shown, [state.value for state in State], ends)


def drawn_anew(page: Page, sweep: str | None, before: tuple[Stamp, float] | None) -> tuple[Stamp, float] | None:
    """The stamp of what is drawn, and when that was; as before, unless the sweep went on and some time passed."""
    if not sweep:
        return None
    stamp = page.stamp(Kind.SWEEPS, of=sweep)
    if before is not None and (before[0] == stamp or time.monotonic() - before[1] < _CALM):
        return before
    return stamp, time.monotonic()


def ranges_of(offers: Offers, chosen: Mapping[str, Sequence[float]]) -> Ranges:
    """Ranges from sliders, which go from 0 to 100; those that are not narrowed limit nothing."""
    found = {}
    for name, (low, high) in offers.sliders.items():
        first, last = chosen.get(name, (0, 100))
        if (first, last) != (0, 100):
            found[name] = _between(low, high, first / 100), _between(low, high, last / 100)
    return found


def _between(low: float, high: float, share: float) -> float:
    """In the logarithm where numbers span it, as figures do."""
    if share in {0.0, 1.0}:
        return high if share else low
    if low > 0 and high / low >= 50:
        return float(low * (high / low) ** share)
    return low + (high - low) * share


def said_ranges(offers: Offers, chosen: Mapping[str, Sequence[float]]) -> Markup:
    """What the sliders mean."""
    found = ranges_of(offers, chosen)
    shown = {name: found.get(name, ends) for name, ends in offers.sliders.items()}
    return facts((name, f"{number(low)} to {number(high)}") for name, (low, high) in shown.items())


def drawn_view(page: Page, choice: Choice) -> Sequence[object]:
    """One figure and its sentences, kept until the sweep goes on."""
    if not choice.sweep or not choice.view:
        return (Markup(),)
    # The stamp first: what is written in between is then shown by the next look, and not taken for known.
    stamp = page.stamp(Kind.SWEEPS, of=choice.sweep)
    found = seen(page, choice.sweep)
    key = ("view", choice.sweep, choice.view, choice.goal, tuple(sorted(choice.ranges.items())))
    return page.kept.get(key, stamp, lambda: view(found, choice.view, _goal(found, choice.goal), choice.ranges))


def chosen_frame(page: Page, choice: Choice, states: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Any:
    """A data frame of the trials that ranges, states and the box in the figure leave; None if there is no sweep.

    Args:
        page: whose home.
        choice: what was chosen.
        states: in which trials are; any if empty.
        points: that lie in the box.
    """
    if not choice.sweep or not choice.view:
        return None
    stamp = page.stamp(Kind.SWEEPS, of=choice.sweep)
    found = seen(page, choice.sweep)
    numbers = chosen_trials(drawn_view(page, choice)[0], points) if points else ()

    def made() -> Any:
        return frame(found, trial_rows(found, _goal(found, choice.goal), choice.ranges, states, numbers))

    # That of all trials alone: it is what most look at, and takes 30 MB of 100,000.
    whole = not (points or states or choice.ranges)
    return page.kept.get(("frame", choice.sweep, choice.goal), stamp, made) if whole else made()


def one_trial(page: Page, sweep: str | None, picked: Any) -> Sequence[object]:
    """The trial that was picked in the table, else that of the query."""
    asked = page.query.get("trial", "")
    numbers = [int(asked)] if asked.isdecimal() and sweep == page.query.get("sweep") else []
    numbers = _picked(picked) or numbers
    if not sweep or not numbers:
        return ()
    stamp = page.stamp(Kind.SWEEPS, of=sweep)
    return trial_parts(page, seen(page, sweep), numbers[0], stamp)


def keep_picked(kept: dict[str, int], sweep: str | None, picked: Any) -> None:
    """Remembers the trial of a sweep that is picked in the table; forgets it where none is.

    Args:
        kept: number by sweep.
        sweep: None for none.
        picked: the value of the table.
    """
    if not sweep:
        return
    kept.pop(sweep, None)
    kept.update((sweep, number) for number in _picked(picked))


def picked_again(kept: Mapping[str, int], sweep: str | None, found: Any) -> list[int]:
    """The places in a data frame of the trial that was picked before: one or none."""
    import numpy as np

    number = kept.get(sweep or "")
    return [] if number is None else np.flatnonzero(found["trial"].to_numpy() == number).tolist()


def _picked(picked: Any) -> list[int]:
    some = getattr(picked, "columns", None) is not None and len(picked) > 0
    return [int(picked["trial"].iloc[0])] if some else []


def more_sections(page: Page, choice: Choice) -> Sequence[object]:
    """The best, what to try next, costs and space."""
    if not choice.sweep or not choice.view:
        return ()
    stamp = page.stamp(Kind.SWEEPS, of=choice.sweep)
    found, goal = seen(page, choice.sweep), choice.goal
    said = page.kept.get(("advice", choice.sweep, goal), stamp, lambda: _advised(found, goal))
    return (best_section(found), said, costs_section(found), space_section(found))


def _advised(found: Seen, goal: str | None) -> Markup:
    try:
        return advice_section(found, _goal(found, goal))
    except SparkmlError as error:
        return note(str(error), "bad")


def _goal(found: Seen, metric: str | None) -> Goal:
    return next((goal for goal in found.goals if goal.metric == metric), found.goals[0])
