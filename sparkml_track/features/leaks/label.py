"""How well each feature alone predicts the label: a feature that knows it does so nearly without error.

A feature is cut into bins, and the label's mean in a bin is learned on one half of the rows and tried on the other,
both ways; so a column of ids scores nothing. Two classes are measured by the area under the ROC curve, more of them by
the best of one against the others, a number by the share of its variance that is explained.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sparkml_track.features.leaks.report import Hint

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["hints", "score"]

_BINS = 64
#: Labels with more values than this are numbers, not classes.
_CLASSES = 20
#: Fewer rows, or rows of a class, say nothing.
_LEAST = 20


def hints(rows: pa.Table, label: str, limit: float) -> tuple[Hint, ...]:
    """The features whose score is at the limit or above, the best first.

    Args:
        rows: label and features.
        label: the column to predict; its nulls are left out.
        limit: from 0 to 1.
    """
    import pyarrow.compute as pc

    rows = rows.filter(pc.is_valid(rows[label]))
    found = []
    for name in rows.column_names:
        made = score(rows[name], rows[label]) if name != label else None
        if made is not None and made[0] >= limit:
            found.append(Hint(name, *made))
    return tuple(sorted(found, key=lambda hint: (-hint.score, hint.feature)))


def score(feature: pa.ChunkedArray, label: pa.ChunkedArray) -> tuple[float, str] | None:
    """How well a feature alone predicts the label, and the name of the measure; None where that cannot be said."""
    bins = _bins(feature)
    if bins is None or len(bins) < 2 * _LEAST:
        return None
    classes = _codes(label)
    if classes is None:
        return None
    numbers = _numbers(label)
    if len(np.unique(classes)) > _CLASSES:
        return None if numbers is None else _explained(bins, numbers)
    areas = [_area(_learned(bins, one), one) for one in _targets(classes)]
    return (max(areas), "AUC") if areas else None


def _targets(classes: np.ndarray) -> Iterator[np.ndarray]:
    """One for each class that has rows enough, and others enough; of two classes the first says it all."""
    values, counts = np.unique(classes, return_counts=True)
    for value, count in list(zip(values, counts, strict=True))[: 1 if len(values) < 3 else None]:
        if count >= _LEAST and len(classes) - count >= _LEAST:
            yield (classes == value).astype(float)


def _explained(bins: np.ndarray, numbers: np.ndarray) -> tuple[float, str] | None:
    finite = np.isfinite(numbers)
    bins, numbers = bins[finite], numbers[finite]
    if len(numbers) < 2 * _LEAST or not (spread := float(np.var(numbers))):
        return None
    return 1 - float(np.mean((numbers - _learned(bins, numbers)) ** 2)) / spread, "R2"


def _learned(bins: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The mean of each bin, of the half of the rows that a row is not in."""
    half = np.random.default_rng(0).permutation(len(bins)) % 2
    out = np.empty(len(bins))
    for part in (0, 1):
        there = half != part
        size = int(bins.max()) + 1
        counts = np.bincount(bins[there], minlength=size)
        sums = np.bincount(bins[there], weights=target[there], minlength=size)
        # One row more of the overall mean: a bin that was never seen predicts that.
        out[~there] = ((sums + target[there].mean()) / (counts + 1))[bins[~there]]
    return out


def _area(predicted: np.ndarray, target: np.ndarray) -> float:
    """Under the ROC curve; ties count half."""
    _, places, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    ones = target.sum()
    return float((ranks[target == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(target) - ones)))


def _bins(values: pa.ChunkedArray) -> np.ndarray | None:
    """Whole numbers from 0; nulls and nan have one of their own."""
    numbers = _numbers(values)
    if numbers is None:
        return _codes(values)
    there = numbers[~np.isnan(numbers)]
    if not len(there):
        return np.zeros(len(numbers), dtype=np.int64)
    edges = np.unique(np.quantile(there, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))
    # Few values are taken as they are: a rare one must not share a bin.
    known = np.unique(there)
    edges = known if len(known) <= _BINS else edges
    return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="left") + 1).astype(np.int64)


def _numbers(values: pa.ChunkedArray) -> np.ndarray | None:
    """As doubles, with nan for null; None for what is not a number or a time."""
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = values.type
    if kinds.is_timestamp(kind) or kinds.is_date32(kind):
        values = values.cast(pa.int64() if kinds.is_timestamp(kind) else pa.int32())
    elif not (kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind) or kinds.is_boolean(kind)):
        return None
    made: np.ndarray = values.cast(pa.float64(), safe=False).to_numpy()
    return made


def _codes(values: pa.ChunkedArray) -> np.ndarray | None:
    """A number for each different value, 0 for null; None for nested values."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_nested(values.type):
        return None
    coded = pa.chunked_array([values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values])
    indices = coded.dictionary_encode().combine_chunks().indices
    made: np.ndarray = indices.fill_null(-1).to_numpy() + 1
    return made.astype(np.int64)
