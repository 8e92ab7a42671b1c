"""Slices against each other.

Source: Hardt and others, Equality of Opportunity in Supervised Learning (2016).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sparkml_track.monitoring._found import Fairness, Quality

__all__ = ["fairness"]


def fairness(found: Sequence[Quality], min_rows: int) -> list[Fairness]:
    """One for each window and key of slices of which two slices have enough rows.

    Args:
        found: measured quality, of slices too.
        min_rows: with a score for a slice to be compared, and with a label for its recall.
    """
    by_key: dict[tuple[str, bool, str], list[Quality]] = defaultdict(list)
    for each in found:
        if each.slice_key is not None and each.scored >= min_rows:
            by_key[each.window, each.in_baseline, each.slice_key].append(each)
    return [_compared(*key, several, min_rows) for key, several in by_key.items() if len(several) > 1]


def _compared(window: str, inside: bool, key: str, several: Sequence[Quality], min_rows: int) -> Fairness:
    selected = {str(each.slice_value): each.selection_rate for each in several}
    found = {str(each.slice_value): each.recall for each in several if each.rows >= min_rows}
    found = {value: recall for value, recall in found.items() if recall == recall}  # not nan
    return Fairness(window, inside, key, len(several), *_apart(selected), *_apart(found))


def _apart(rates: Mapping[str, float]) -> tuple[float, str | None]:
    if len(rates) < 2:
        return float("nan"), None
    least = min(rates, key=lambda value: rates[value])
    return max(rates.values()) - rates[least], least
