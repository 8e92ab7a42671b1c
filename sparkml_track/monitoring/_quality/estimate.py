"""The quality of probabilities before labels came: an estimate, from calibrated scores.

If a score is the probability of label 1, the expected confusion matrix, log loss, Brier score and ROC curve of rows
follow from their scores alone. Scores are calibrated first, by the labels of the baseline. What this cannot see is a
change of the labels themselves that scores do not show.

Source: NannyML, confidence-based performance estimation (CBPE); Zadrozny and Elkan, Transforming Classifier Scores into
Accurate Multiclass Probability Estimates (2002), for calibration by isotonic regression.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Counted, Sums
from sparkml_track.monitoring._found import ESTIMATED, Quality
from sparkml_track.monitoring._judging import measures
from sparkml_track.monitoring._judging.parts import order, slices
from sparkml_track.monitoring._quality.calibration import blocks
from sparkml_track.monitoring._quality.classes import by_class

__all__ = ["calibrated", "estimates"]

_LEAST = 1e-6  # a probability that the log loss is taken of


def estimates(counted: Counted, threshold: float, min_rows: int) -> list[Quality]:
    """One for each window and slice outside the baseline that has scores whose label is not known.

    Args:
        counted: scores and labels.
        threshold: the score from which the class is 1.
        min_rows: labels that the baseline must have for its calibration; with fewer there is no estimate.
    """
    base = [sums for window, sums in counted.quality.items() if window.in_baseline]
    if not base or sum(sums.total(slots.WITH_LABEL) for sums in base) < min_rows:
        return []
    probability = calibrated(reduce(add, base))
    return [
        Quality(window.label, False, **cut.columns, how=ESTIMATED, **_estimated(sums, probability, threshold))
        for cut, part in slices(counted)
        for window in order(part.quality)
        for sums in [part.quality[window]]
        if not window.in_baseline and sums.total(slots.WITH_SCORE) > sums.total(slots.WITH_LABEL)
    ]


def calibrated(sums: Sums) -> measures.Counts:
    """The probability of label 1 in each of the 1,000 bins of the score, rising: isotonic regression.

    Bins without labels lie on the line between their neighbours with some.
    """
    positives, negatives, _ = blocks(sums)
    rows = positives + negatives
    used = np.flatnonzero(rows)
    rising = _isotonic(positives[used] / rows[used], rows[used])
    return np.interp(np.arange(len(rows)), used, rising)


def _isotonic(values: measures.Counts, weights: measures.Counts) -> measures.Counts:
    """Neighbours that fall are pooled until all rise."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, total, count = pools.pop()
            both = total + pool[1]
            pool = ((mean * total + pool[0] * pool[1]) / both, both, count + pool[2])
        pools.append(pool)
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])


def _estimated(sums: Sums, probability: measures.Counts, threshold: float) -> dict[str, Any]:
    _, _, scored = blocks(sums)
    rows, scores = float(scored.sum()), float(sums.scores[slots.HEAD + 2 * slots.SCORE_BINS :].sum())
    # Of a bin that the threshold cuts all rows count as those of its middle.
    selected = (np.arange(len(scored)) + 0.5) / len(scored) >= threshold
    true, false = scored * probability, scored * (1 - probability)
    clipped = np.clip(probability, _LEAST, 1 - _LEAST)
    entropy = -(clipped * np.log(clipped) + (1 - clipped) * np.log(1 - clipped))
    hits, alarms = float(true[selected].sum()), float(false[selected].sum())
    return {
        "rows": int(rows),
        "scored": int(rows),
        "coverage": sums.total(slots.WITH_LABEL) / rows,
        "base_rate": float(true.sum()) / rows,
        "mean_score": scores / rows,
        "calibration": (scores - float(true.sum())) / rows,
        "log_loss": float((scored * entropy).sum()) / rows,
        "brier": float((scored * probability * (1 - probability)).sum()) / rows,
        "auc": measures.auc(true, false),
        "selection_rate": float(scored[selected].sum()) / rows,
        **by_class(hits, alarms, float(true[~selected].sum()), float(false[~selected].sum())),
    }
