"""The trials of a sweep as a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sparkml_track.dashboards.queries.broken import broken
from sparkml_track.dashboards.runs.seen import STATES, UNSET, Seen
from sparkml_track.dashboards.runs.sweep.drawn import Ranges, within
from sparkml_track.goal import Goal

__all__ = ["frame", "sliders", "trial_rows"]

_MOST_SLIDERS = 8


def trial_rows(seen: Seen, goal: Goal, ranges: Ranges, states: Sequence[str], numbers: Iterable[int] = ()) -> Any:
    """Rows that were chosen, the best first, then those without a value, the last first.

    Args:
        seen: the sweep.
        goal: by which they are ordered.
        ranges: in which their numbers lie.
        states: in which they are; any if empty.
        numbers: of these trials alone, if there are any.
    """
    import numpy as np

    rows = within(seen, ranges, states)
    chosen = sorted(numbers)
    if chosen:
        rows = rows[np.isin(seen.numbers[rows], chosen)]
    ranked = seen.ranked(goal)
    good = ranked[np.isin(ranked, rows)]
    return np.concatenate((good, np.setdiff1d(rows, good)[::-1]))


def frame(seen: Seen, rows: Any) -> Any:
    """A data frame of trials: number, state, metrics, params, duration, attempts, host, reason.

    A metric or parameter that is named as another column is at ``metrics.NAME`` or ``params.NAME``.
    """
    import numpy as np
    import pandas as pd

    rows = np.asarray(rows, dtype=np.int64)
    texts = np.array([state.value for state in STATES], dtype=object)
    first = {"trial": seen.numbers[rows], "state": texts[seen.states[rows]]}
    last = _last(seen, rows)
    found = _Found({*first, *last})
    for name, metric in seen.metrics.items():
        found.add("metrics", name, metric[rows])
    for name, param in seen.params.items():
        found.add("params", name, _column(seen, name, param, rows))
    return pd.DataFrame({**first, **found.columns, **last})


def _last(seen: Seen, rows: Any) -> dict[str, Any]:
    """The columns that are on the right."""
    places = rows.tolist()
    return {
        "seconds": seen.duration[rows],
        "attempts": seen.attempts[rows],
        "host": [broken(seen.hosts[row]) for row in places],
        "reason": [broken(seen.reasons[row]) for row in places],
    }


class _Found:
    """Columns of names that anybody chose, beside those that every table has."""

    def __init__(self, own: Collection[str]) -> None:
        self._own = own
        self.columns: dict[str, Any] = {}

    def add(self, kind: str, name: str, column: Any) -> None:
        while name in self._own or name in self.columns:
            name = f"{kind}.{name}"
        self.columns[name] = column


def _column(seen: Seen, name: str, column: Sequence[object], rows: Any) -> Any:
    """Numbers as numbers; all else as text, so that a table can sort it."""
    numbers = seen.numbers_of(name)
    if numbers is not None:
        return numbers[rows]
    given = (column[row] for row in rows.tolist())
    return [None if value is UNSET else broken(str(value)) for value in given]


def sliders(seen: Seen, goal: Goal) -> dict[str, tuple[float, float]]:
    """Numbers that trials may be limited by: those of the objective, then of parameters that vary, with their ends."""
    import numpy as np

    found = {goal.metric: seen.values(goal)[seen.finished(goal)]}
    found |= {name: numbers for name in seen.params if (numbers := seen.numbers_of(name)) is not None}
    ends = {}
    for name, numbers in found.items():
        finite = numbers[np.isfinite(numbers)]
        if len(finite) and finite.min() < finite.max():
            ends[name] = (float(finite.min()), float(finite.max()))
    return dict(list(ends.items())[:_MOST_SLIDERS])
