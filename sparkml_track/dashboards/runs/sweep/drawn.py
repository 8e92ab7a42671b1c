"""Which trials of a sweep are drawn: all of them, or those that matter and a fair share of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_track.dashboards.runs.seen import STATES, Seen
from sparkml_track.goal import Goal
from sparkml_track.plots import PlotTrial, PlotTrials
from sparkml_track.trial import State

__all__ = ["Ranges", "caption_of", "drawn_rows", "plot_trials", "pruned_rows", "within"]

#: From and to, by the name of a parameter, or of an objective.
Ranges = Mapping[str, tuple[float, float]]


def drawn_rows(seen: Seen, goal: Goal, most: int, rows: Any = None) -> Any:
    """Rows of finished trials, by number.

    Where there are more than ``most``: the best tenth of that, each that became the best when it ended, the worst, the
    extremes of each parameter, and others evenly over the sweep.

    Args:
        seen: the sweep.
        goal: whose value is drawn.
        most: about so many.
        rows: of which to choose; all finished ones with a value by default.
    """
    import numpy as np

    rows = seen.finished(goal) if rows is None else rows
    if len(rows) <= most:
        return rows
    ranked = seen.ranked(goal)
    ranked = ranked[np.isin(ranked, rows)]
    kept = [ranked[: most // 10], ranked[-1:], np.intersect1d(seen.improved(goal), rows), _extremes(seen, rows)]
    others = np.setdiff1d(rows, np.concatenate(kept))
    count = max(0, min(len(others), most - len(rows) + len(others)))
    evenly = others[np.arange(count) * len(others) // max(count, 1)]
    return np.union1d(np.concatenate(kept), evenly)


def _extremes(seen: Seen, rows: Any) -> Any:
    import numpy as np

    found: list[int] = []
    for name in seen.params:
        numbers = seen.numbers_of(name)
        if numbers is not None:
            given = rows[np.isfinite(numbers[rows])]
            found += [int(given[numbers[given].argmin()]), int(given[numbers[given].argmax()])] if len(given) else []
    return np.array(sorted(set(found)), dtype=np.int64)


def within(seen: Seen, ranges: Ranges, states: Sequence[str] = ()) -> Any:
    """Rows whose numbers lie within all ranges, both ends included, and that are in one of the states."""
    import numpy as np

    kept = np.ones(len(seen.states), dtype=bool)
    for name, (low, high) in ranges.items():
        numbers = seen.metrics.get(name) if name not in seen.params else seen.numbers_of(name)
        if numbers is not None:
            kept &= (numbers >= low) & (numbers <= high)
    if states:
        kept &= np.isin(seen.states, [code for code, state in enumerate(STATES) if state.value in states])
    return np.flatnonzero(kept)


def plot_trials(seen: Seen, goal: Goal, rows: Any) -> PlotTrials:
    """Rows as the family of plots takes them."""
    values = seen.values(goal)
    return PlotTrials(
        PlotTrial(
            int(seen.numbers[row]),
            STATES[seen.states[row]],
            seen.params_of(row),
            None if math.isnan(values[row]) else float(values[row]),
            float(seen.started[row]),
            float(seen.duration[row]),
        )
        for row in rows.tolist()
    )


def caption_of(seen: Seen, goal: Goal, shown: int, of: int | None = None) -> str:
    """How many are drawn, where these are not all."""
    count = len(seen.finished(goal)) if of is None else of
    if shown >= count:
        return ""
    which = "the best, all that improved on the best so far, the extremes of each parameter, and others evenly"
    return f" Drawn are {shown:,} of {count:,} finished trials: {which}."


def pruned_rows(seen: Seen, goal: Goal, most: int) -> Any:
    """Pruned trials with a value, some of them evenly where there are more."""
    import numpy as np

    pruned = seen.states == STATES.index(State.PRUNED)
    rows = np.flatnonzero(pruned & np.isfinite(seen.values(goal)))
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]
