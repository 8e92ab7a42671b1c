"""What a journal says that the tracking store must have; for verification and repair."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sparkml_track.engine.results.history import History
from sparkml_track.engine.results.ranking import best_numbers
from sparkml_track.engine.results.summary import Summary, summarise
from sparkml_track.engine.spec.spec import number_in
from sparkml_track.trial import State

__all__ = ["best_of", "made_anew", "publishes", "summary_of", "wanted"]


def summary_of(past: History) -> Summary:
    """The summary, recomputed from the journal."""
    running = len(past.trials) - len(past.results)
    return summarise(past.results.values(), past.planned, running, past.goals)


def publishes(past: History) -> bool:
    """Whether the sweep has child runs."""
    return past.tracking.child_runs != "none"


def wanted(past: History, ended: bool) -> AbstractSet[int]:
    """The trials that have a child run once all is published; the best get theirs when the sweep has ended."""
    most = number_in(past.tracking.child_runs)
    if most is None:
        return past.trials.keys()
    return best_of(past, most) if ended else frozenset()


def made_anew(past: History) -> bool:
    """Whether the journal was made from child runs, so that it has no times, and not all that trials logged."""
    begun = (one for one in past.results.values() if one.state in {State.FINISHED, State.PRUNED})
    return any(not one.started for one in begun)


def best_of(past: History, most: int) -> AbstractSet[int]:
    """The numbers of the best trials."""
    return frozenset(best_numbers(past.results.values(), most, past.goals[0]))
