"""Where the bins of a column are: taken from a sample of the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sparkml_track.monitoring._counting.places import Cuts

__all__ = ["frequent", "number_cuts", "text_cuts"]

_FINE = 100  # bins of a column of many values, by equal counts of the baseline
_LEAST = 20  # bins of what is left of it beside heavy values
_SEEN = 10  # how often a text is in the sample to have a bin of its own
_TEXTS = 1000  # texts with a bin of their own; rarer ones share a bin with those never seen


def number_cuts(sample: NDArray[np.float64], low: float | None, high: float | None) -> Cuts:
    """Bins of a column of numbers.

    Few values get a bin each. Of many, those that more than one bin's share of the rows have get one each, and the
    others are cut by equal counts. What is outside the baseline's range has bins of its own.

    Args:
        sample: of the baseline; what is not finite is not looked at.
        low: least finite value of the whole baseline, None if there is none.
        high: most finite value of it.
    """
    finite = sample[np.isfinite(sample)]
    values, counts = np.unique(finite, return_counts=True)
    points = values if len(values) <= _FINE else np.unique(_cut(finite, values[counts * _FINE >= len(finite)]))
    points = np.union1d(points, [end for end in (low, high) if end is not None])
    return Cuts(points, float(points[len(points) // 2]) if len(points) else 0.0)


def _cut(finite: NDArray[np.float64], heavy: NDArray[np.float64]) -> NDArray[np.float64]:
    rest = finite[~np.isin(finite, heavy)]
    if not len(rest):
        return heavy
    bins = max(_LEAST, round(_FINE * len(rest) / len(finite)))
    # "lower" gives values that occur.
    return np.concatenate([heavy, np.quantile(rest, np.arange(1, bins) / bins, method="lower")])


def text_cuts(sample: Iterable[str | None]) -> Cuts:
    """Bins of a column of text: one for each of its frequent values.

    Those that are frequent by chance alone, as each of many identifiers is, have none: they are not frequent again.
    """
    counts = Counter(text for text in sample if text is not None)
    least = min(_SEEN, max(2, counts.total() // 100))
    return Cuts(_most(Counter({text: count for text, count in counts.items() if count >= least}), _TEXTS), text=True)


def frequent(sample: Iterable[str | None], most: int) -> tuple[str, ...]:
    """The most frequent texts, the most frequent first; of equally frequent ones those that sort first."""
    return _most(Counter(text for text in sample if text is not None), most)


def _most(counts: Counter[str], most: int) -> tuple[str, ...]:
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:most])
