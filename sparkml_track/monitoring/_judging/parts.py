"""Windows in their order, and the baseline as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import add

import numpy as np

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Counted, Part, Slice, Sums, Window
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._judging import measures

__all__ = ["baseline", "distinct", "finite", "mean", "order", "others", "slices"]


def order(windows: Iterable[Window]) -> list[Window]:
    """Windows in their natural order: numbers by value, then text; what is in the baseline first."""
    return sorted(windows, key=lambda window: (*_place(window.label), not window.in_baseline))


def slices(counted: Counted) -> Iterator[tuple[Slice, Part]]:
    """All rows, then the slices by key and value."""
    found = sorted(counted.parts, key=lambda each: (each.key is not None, each.key or "", each.value or ""))
    return ((each, counted.parts[each]) for each in found)


def baseline(part: Part, cuts: Mapping[str, Cuts]) -> Mapping[str, Sums]:
    """The sums of the baseline as a whole, by column; of nothing where no row of the part is in it."""
    found = [columns for window, columns in part.windows.items() if window.in_baseline]
    empty = [{name: Sums.empty(each.bins) for name, each in cuts.items()}]
    return {column: reduce(add, [one[column] for one in found or empty]) for column in cuts}


def others(part: Part) -> Iterator[tuple[str, Mapping[str, Sums]]]:
    """The windows that are not in the baseline, in their order."""
    return ((each.label, part.windows[each]) for each in order(part.windows) if not each.in_baseline)


def distinct(sums: Sums, cuts: Cuts) -> int:
    """How many different values a column has."""
    # The odd bins of numbers are values, and so are those of texts but the first and the last.
    known = sums.bins[1:-1] if cuts.text else sums.bins[1::2]
    return int(np.count_nonzero(known)) + round(measures.distinct(sums.registers))


def mean(sums: Sums, cuts: Cuts) -> float:
    """Of the finite numbers; nan for text, and where there is none."""
    rows = 0.0 if cuts.text else finite(sums)
    return float(sums.sums.sum()) / rows + cuts.shift if rows else float("nan")


def finite(sums: Sums) -> float:
    """Rows with a finite number."""
    return float(sums.bins.sum()) - sums.total(slots.INFINITE)


def _place(label: str) -> tuple[int, float, str]:
    try:
        number = float(label)
    except ValueError:
        return 1, 0.0, label
    return (0, number, label) if math.isfinite(number) else (1, 0.0, label)
