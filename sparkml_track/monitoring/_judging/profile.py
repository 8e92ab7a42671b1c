"""Each column in each window by itself: how many rows, how large, how spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Counted, Sums
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._found import BASELINE, Profile
from sparkml_track.monitoring._judging.parts import baseline, distinct, finite, mean, others, slices

__all__ = ["profile"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_NAN = float("nan")


def profile(counted: Counted) -> list[Profile]:
    """One row for each column of the baseline and of each window outside, of all rows and of each slice."""
    return [
        Profile(label, inside, *cut, column, **_profiled(sums, counted.cuts[column]))
        for cut, part in slices(counted)
        for inside, (label, columns) in [
            (True, (BASELINE, baseline(part, counted.cuts))),
            *((False, window) for window in others(part)),
        ]
        for column, sums in columns.items()
    ]


def _profiled(sums: Sums, cuts: Cuts) -> dict[str, Any]:
    there, missing = float(sums.bins.sum()), sums.total(slots.MISSING)
    numbers = there if not cuts.text else 0.0
    row: dict[str, Any] = {
        "rows": int(there + missing),
        "nulls": int(missing),
        "distinct": distinct(sums, cuts),
        "mean": mean(sums, cuts),
        "std": _spread(sums) if numbers and finite(sums) else _NAN,
        "min": float(sums.lows.min()) if numbers and finite(sums) else _NAN,
        "max": float(sums.highs.max()) if numbers and finite(sums) else _NAN,
    }
    return row | {f"p{round(q * 100):02d}": _quantile(sums, q) if numbers else _NAN for q in _QUANTILES}


def _spread(sums: Sums) -> float:
    rows = finite(sums)
    shifted = float(sums.sums.sum()) / rows
    return float(np.sqrt(max(sums.total(slots.SQUARES) / rows - shifted**2, 0.0)))


def _quantile(sums: Sums, q: float) -> float:
    """Between the least and the most value of the bin that holds it, as if values lay evenly there.

    A bin of one value gives that value, so quantiles of a column of few values are values that occur.
    """
    upto = np.cumsum(sums.bins)
    at = int(np.searchsorted(upto, q * upto[-1]))
    low, high = sums.range(at)
    if low >= high:
        # Only infinite values are in a bin without a least and a most one.
        return low if low == high else math.copysign(float("inf"), at - 0.5)
    share = (q * upto[-1] - (upto[at] - sums.bins[at])) / sums.bins[at]
    return float(low * (1 - share) + high * share)
