"""The one pass over the rows: counts by window, column and bin. Runs in Spark Python workers, sent by value.

Needs numpy and pyarrow there. Nothing here may refer to another module of the package.

Every number is a sum, a least or a most, so partitions are put together by Spark in any order. One row out is (window,
column, slot, total, low, high). A column is a number: its place in ``Pass.columns``, or ``QUALITY``. Slots from 0 are
bins; those below are named here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "BRIER",
    "HEAD",
    "LOG_LOSS",
    "MISSING",
    "QUALITY",
    "SCORES",
    "SCORE_BINS",
    "SQUARES",
    "SUM",
    "WRONG",
    "Cuts",
    "Pass",
    "count_batches",
]

HEAD = 4  # slots below 0
# Slots of a column.
MISSING, SUM, SQUARES = -1, -2, -3  # rows that are null or nan; sums of (x - shift) and of its square
# Slots of the quality pseudo-column: sums over rows that have score and label.
QUALITY = -1
LOG_LOSS, BRIER, SCORES = -1, -2, -3
WRONG = -4  # labels that are neither 0 nor 1
SCORE_BINS = 1000  # bins of the score for label 1, then as many for label 0


@dataclass(frozen=True)
class Cuts:
    """Where the bins of one column are.

    Of k numbers come 2k + 1 bins: below the first, equal to it, between it and the second, and so on to above the
    last. So a number that many rows have, and what lies outside all of them, share a bin with nothing else. Of k texts
    come k + 2 bins: one that stays empty, one for each text, and one for all others.

    Attributes:
        points: rising numbers, or texts.
        shift: a number near their middle, so that squares lose no digits.
        text: whether they are texts.
    """

    points: Any
    shift: float = 0.0
    text: bool = False

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.points) + 2 if self.text else 2 * len(self.points) + 1


@dataclass(frozen=True)
class Pass:
    """What is counted. Batches have the window first, then the columns, then score and label if there is a label.

    Attributes:
        columns: bins of each column, in order.
        quality: whether score and label follow.
    """

    columns: Sequence[Cuts]
    quality: bool = False


def count_batches(work: Pass, batches: Iterator[Any]) -> Iterator[Any]:
    """Arrow batches in; for each partition one batch out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: dict[tuple[str, int], Any] = {}
    for batch in batches:
        codes = batch.column(0).dictionary_encode()
        for code, window in enumerate(codes.dictionary.to_pylist()):
            _count_window(work, window, batch.filter(pc.equal(codes.indices, code)), found)
    rows = [row for (window, column), sums in found.items() for row in _rows(window, column, *sums)]
    names = ("window", "column", "slot", "total", "low", "high")
    types = (pa.string(), pa.int32(), pa.int32(), pa.float64(), pa.float64(), pa.float64())
    columns = zip(*rows, strict=True) if rows else ([],) * len(names)
    yield pa.RecordBatch.from_arrays([pa.array(list(c), t) for c, t in zip(columns, types, strict=True)], names)


def _count_window(work: Pass, window: str, batch: Any, found: dict[tuple[str, int], Any]) -> None:
    for place, cuts in enumerate(work.columns):
        array = batch.column(place + 1)
        _add(found, (window, place), _text(array, cuts) if cuts.text else _column(_numbers(array), cuts))
    if work.quality:
        score, label = (_numbers(batch.column(len(work.columns) + place)) for place in (1, 2))
        _add(found, (window, QUALITY), _quality(score, label))


def _numbers(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    return np.asarray(array.cast(pa.float64()).fill_null(float("nan")))


def _empty(bins: int) -> tuple[Any, Any, Any]:
    """Totals, least and most of each slot when nothing was counted."""
    import numpy as np

    return np.zeros(HEAD + bins), np.full(HEAD + bins, np.inf), np.full(HEAD + bins, -np.inf)


def _column(values: Any, cuts: Cuts) -> tuple[Any, Any, Any]:
    """Sums, least and most of one column of numbers."""
    import numpy as np

    there = values[~np.isnan(values)]
    bins = np.searchsorted(cuts.points, there, side="left") + np.searchsorted(cuts.points, there, side="right")
    totals, lows, highs = _empty(cuts.bins)
    totals[HEAD:] = np.bincount(bins, minlength=cuts.bins)
    finite = np.isfinite(there)
    number, place = there[finite], bins[finite] + HEAD
    np.minimum.at(lows, place, number)
    np.maximum.at(highs, place, number)
    totals[MISSING + HEAD] = len(values) - len(there)
    totals[SUM + HEAD] = (number - cuts.shift).sum()
    totals[SQUARES + HEAD] = np.square(number - cuts.shift).sum()
    return totals, lows, highs


def _text(array: Any, cuts: Cuts) -> tuple[Any, Any, Any]:
    """Counts of one column of text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    totals, lows, highs = _empty(cuts.bins)
    there = array.drop_null()
    known = pc.index_in(there, value_set=pa.array(cuts.points, array.type)).fill_null(len(cuts.points))
    totals[HEAD:] = np.bincount(np.asarray(known) + 1, minlength=cuts.bins)
    totals[MISSING + HEAD] = array.null_count
    return totals, lows, highs


def _quality(scores: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Sums of the scores, squared errors and log losses, wrong labels, and scores binned by label."""
    import numpy as np

    totals, lows, highs = _empty(2 * SCORE_BINS)
    there = ~(np.isnan(scores) | np.isnan(labels))
    score, label = scores[there], labels[there]
    if not len(score):
        return totals, lows, highs
    wrong = label[(label != 0) & (label != 1)]
    if len(wrong):
        totals[0], lows[0], highs[0] = len(wrong), wrong.min(), wrong.max()
    at = SCORES + HEAD
    lows[at], highs[at] = score.min(), score.max()
    # Scores that are not probabilities are refused by whoever reads the least and the most.
    score, positive = np.clip(score, 0, 1), label > 0
    right = np.clip(np.where(positive, score, 1 - score), np.finfo(float).eps, 1)
    bins = np.clip((score * SCORE_BINS).astype(int), 0, SCORE_BINS - 1) + np.where(positive, 0, SCORE_BINS)
    totals[at] = score.sum()
    totals[BRIER + HEAD] = np.square(score - positive).sum()
    totals[LOG_LOSS + HEAD] = -np.log(right).sum()
    totals[HEAD:] = np.bincount(bins, minlength=2 * SCORE_BINS)
    return totals, lows, highs


def _add(found: dict[tuple[str, int], Any], key: tuple[str, int], sums: tuple[Any, Any, Any]) -> None:
    import numpy as np

    if key in found:
        totals, lows, highs = found[key]
        sums = totals + sums[0], np.minimum(lows, sums[1]), np.maximum(highs, sums[2])
    found[key] = sums


def _rows(window: str, column: int, totals: Any, lows: Any, highs: Any) -> Iterator[tuple[Any, ...]]:
    for index in ((totals != 0) | (lows <= highs)).nonzero()[0]:
        yield window, column, int(index) - HEAD, float(totals[index]), float(lows[index]), float(highs[index])
    # A column whose every sum is zero is still there.
    yield window, column, MISSING, 0.0, float("inf"), float("-inf")
