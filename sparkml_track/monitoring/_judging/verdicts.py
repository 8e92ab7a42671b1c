"""Where each column stands now, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sparkml_track.monitoring._counting.counts import Window
from sparkml_track.monitoring._found import DRIFT, FEW, Drift, Verdict
from sparkml_track.monitoring._judging.parts import order

__all__ = ["verdicts"]


_MEASURES = ("psi", "mean_change", "null_change", "score_change", "score_share")


def verdicts(found: Sequence[Drift], earlier: Mapping[tuple[str, str], str]) -> list[Verdict]:
    """One for each column that could be judged, alarms first, the largest before.

    Args:
        found: of this run, all rows against the baseline.
        earlier: column and window to the last verdict of earlier runs on it; of windows of this run it is not looked
            at. Windows with too few rows neither begin a row of alarms nor end it.
    """
    last: dict[str, Drift] = {}
    for each in found:
        if each.verdict != FEW:
            last[each.column] = each  # windows are in their order
    known = dict(earlier) | {(each.column, each.window): each.verdict for each in found}
    of_column: dict[str, dict[str, str]] = {column: {} for column in last}
    for (column, window), verdict in known.items():
        of_column.setdefault(column, {})[window] = verdict
    made = [_verdict(each, of_column[each.column]) for each in last.values()]
    return sorted(made, key=lambda each: (each.state != DRIFT, -each.psi))


def _verdict(now: Drift, known: Mapping[str, str]) -> Verdict:
    judged = [label for label in _upto(known, now.window) if known[label] != FEW]
    row = _row([known[label] for label in judged])
    since = judged[-row] if row else None
    measured = {name: getattr(now, name) for name in _MEASURES}
    return Verdict(now.column, now.window, now.verdict, since, row, **measured)


def _upto(known: Iterable[str], window: str) -> list[str]:
    labels = [each.label for each in order(Window(label, False) for label in known)]
    return labels[: labels.index(window) + 1]


def _row(states: Sequence[str]) -> int:
    """How many alarms in a row are at the end."""
    calm = [place for place, state in enumerate(states) if state != DRIFT]
    return len(states) - (calm[-1] + 1 if calm else 0)
