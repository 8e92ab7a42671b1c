"""The one pass over the rows: counts by window, column and bin. Runs in Spark Python workers, sent by value.

Needs numpy and pyarrow there. Nothing here may refer to another module of the package.

Every number is a sum, a least or a most, so partitions are put together by Spark in any order. One row out is (window,
column, slot, total, low, high). Slots from 0 are bins; those below are named here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BRIER", "LOG_LOSS", "MISSING", "QUALITY", "SCORES", "SCORE_BINS", "SQUARES", "SUM", "Pass", "count_batches"]

# Slots of a column.
MISSING, SUM, SQUARES = -1, -2, -3  # rows that are null or nan; sums of (x - shift) and of its square
# Slots of the quality pseudo-column: sums over rows that have score and label.
QUALITY = ""
LOG_LOSS, BRIER, SCORES = -1, -2, -3
SCORE_BINS = 1000  # bins of the score for label 1, then as many for label 0


@dataclass(frozen=True)
class Pass:
    """What is counted.

    Attributes:
        window: column of windows, text, never null.
        edges: column to rising inner edges; a value equal to an edge falls above it.
        shifts: column to a number near its middle, so that squares lose no digits.
        score: column, or None for no quality.
        label: column, or None for no quality.
    """

    window: str
    edges: Mapping[str, Any]
    shifts: Mapping[str, float]
    score: str | None = None
    label: str | None = None


def count_batches(work: Pass, batches: Iterator[Any]) -> Iterator[Any]:
    """Arrow batches in; for each partition one batch out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: dict[tuple[str, str], Any] = {}
    for batch in batches:
        codes = batch.column(work.window).dictionary_encode()
        for code, window in enumerate(codes.dictionary.to_pylist()):
            _count_window(work, window, batch.filter(pc.equal(codes.indices, code)), found)
    rows = [row for (window, column), sums in found.items() for row in _rows(window, column, *sums)]
    names = ("window", "column", "slot", "total", "low", "high")
    types = (pa.string(), pa.string(), pa.int32(), pa.float64(), pa.float64(), pa.float64())
    columns = zip(*rows, strict=True) if rows else ([],) * len(names)
    yield pa.RecordBatch.from_arrays([pa.array(list(c), t) for c, t in zip(columns, types, strict=True)], names)


def _count_window(work: Pass, window: str, batch: Any, found: dict[tuple[str, str], Any]) -> None:
    for name, edges in work.edges.items():
        _add(found, (window, name), *_column(_numbers(batch.column(name)), edges, work.shifts[name]))
    if work.score and work.label:
        _add(
            found, (window, QUALITY), *_quality(_numbers(batch.column(work.score)), _numbers(batch.column(work.label)))
        )


def _numbers(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return np.asarray(array.cast(pa.float64()).fill_null(float("nan")))


def _column(values: Any, edges: Any, shift: float) -> tuple[Any, float, float]:
    """Sums of one column: squares, sum, missing, then bins; and its least and most finite value."""
    import numpy as np

    there = values[~np.isnan(values)]
    finite = there[np.isfinite(there)] - shift
    bins = np.bincount(np.searchsorted(edges, there, side="right"), minlength=len(edges) + 1)
    sums = np.concatenate([[np.square(finite).sum(), finite.sum(), len(values) - len(there)], bins])
    if not len(finite):
        return sums, np.inf, -np.inf
    return sums, finite.min() + shift, finite.max() + shift


def _quality(scores: Any, labels: Any) -> tuple[Any, float, float]:
    """Sums of the scores, squared errors and log losses, then scores binned by label; and the least and most score."""
    import numpy as np

    there = ~(np.isnan(scores) | np.isnan(labels))
    score, label = scores[there], labels[there] > 0
    if not len(score):
        return np.zeros(3 + 2 * SCORE_BINS), np.inf, -np.inf
    right = np.clip(np.where(label, score, 1 - score), np.finfo(float).eps, 1)
    bins = np.clip((score * SCORE_BINS).astype(int), 0, SCORE_BINS - 1) + np.where(label, 0, SCORE_BINS)
    sums = [score.sum(), np.square(score - label).sum(), -np.log(right).sum()]
    return np.concatenate([sums, np.bincount(bins, minlength=2 * SCORE_BINS)]), score.min(), score.max()


def _add(found: dict[tuple[str, str], Any], key: tuple[str, str], sums: Any, low: float, high: float) -> None:
    known = found.get(key)
    found[key] = (sums, low, high) if known is None else (known[0] + sums, min(known[1], low), max(known[2], high))


def _rows(window: str, column: str, sums: Any, low: float, high: float) -> Iterator[tuple[Any, ...]]:
    for index in sums.nonzero()[0]:
        yield window, column, int(index) - 3, float(sums[index]), float(low), float(high)
    # A column whose every sum is zero is still there.
    yield window, column, MISSING, 0.0, float(low), float(high)
