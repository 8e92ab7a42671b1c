"""The best value as the sweep went on: a curve of the parent run that MLflow's own chart draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sparkml_track.engine.results.summary import Result
from sparkml_track.goal import Goal
from sparkml_track.trial import Report

__all__ = ["best_so_far"]


def best_so_far(results: Iterable[Result], goal: Goal) -> list[Report]:
    """The stairs of a single objective: where they change, the point before that, and the last one.

    A step counts the trials that have ended, from 0, in the order of their ends; a time is that of the end.

    Args:
        results: all of them, in any order.
        goal: of the objective.

    Returns:
        Reports of the metric ``best_<metric>``; none if no trial finished with a finite value.
    """
    name = f"best_{goal.metric}"
    stairs: list[Report] = []
    best, last = math.nan, (0, 0.0)
    for step, one in enumerate(sorted(results, key=lambda one: (one.started + one.duration, one.number))):
        value = one.value[0] if one.value else math.nan
        if math.isfinite(value) and (not stairs or goal.better(value, best)):
            stairs += _until(stairs, name, best, last)
            best = value
            stairs.append(Report({name: best}, step, one.started + one.duration))
        last = step, one.started + one.duration
    return [*stairs, *_until(stairs, name, best, last)]


def _until(stairs: Sequence[Report], name: str, best: float, last: tuple[int, float]) -> list[Report]:
    """The last point at which the best value was still this one, where that is not its first."""
    return [Report({name: best}, *last)] if stairs and stairs[-1].step < last[0] else []
