"""The quality of probabilities."""

from __future__ import annotations

from typing import Any

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Sums
from sparkml_track.monitoring._judging import measures
from sparkml_track.monitoring._quality.calibration import blocks, expected_error

__all__ = ["by_class", "classes", "ratio"]


def ratio(part: float, whole: float) -> float:
    """Nan of nothing."""
    return part / whole if whole else float("nan")


def classes(sums: Sums) -> dict[str, Any]:
    """Figures of one window; all that need labels are nan without any."""
    positives, negatives, _ = blocks(sums)
    rows, found = sums.total(slots.WITH_LABEL), float(positives.sum())
    rate, mean = ratio(found, rows), ratio(sums.total(slots.SCORES), rows)
    hits, correct = sums.total(slots.TRUE_POSITIVES), sums.total(slots.TRUE_NEGATIVES)
    return {
        "rows": int(rows),
        "scored": int(sums.total(slots.WITH_SCORE)),
        "coverage": ratio(rows, sums.total(slots.WITH_SCORE)),
        "base_rate": rate,
        "mean_score": mean,
        "calibration": mean - rate,
        "log_loss": ratio(sums.total(slots.LOG_LOSS), rows),
        "brier": ratio(sums.total(slots.BRIER), rows),
        "auc": measures.auc(positives, negatives),
        "selection_rate": ratio(sums.total(slots.SELECTED), sums.total(slots.WITH_SCORE)),
        "ece": expected_error(sums),
        **by_class(hits, float(negatives.sum()) - correct, found - hits, correct),
    }


def by_class(hits: float, false_alarms: float, missed: float, correct: float) -> dict[str, float]:
    """Figures of classes from counts of them."""
    return {
        "accuracy": ratio(hits + correct, hits + false_alarms + missed + correct),
        "precision": ratio(hits, hits + false_alarms),
        "recall": ratio(hits, hits + missed),
        "f1": ratio(2 * hits, 2 * hits + false_alarms + missed),
    }
