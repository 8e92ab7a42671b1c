"""Scores against what came true, bin by bin.

Source: Naeini and others, Obtaining Well Calibrated Probabilities Using Bayesian Binning (2015), for the expected
calibration error.
"""

from __future__ import annotations

import numpy as np

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Counted, Sums
from sparkml_track.monitoring._found import CalibrationBin
from sparkml_track.monitoring._judging.measures import Counts
from sparkml_track.monitoring._judging.parts import order

__all__ = ["blocks", "calibration", "expected_error", "tenths"]

_BINS = 10


def blocks(sums: Sums) -> tuple[Counts, Counts, Counts]:
    """Scores in 1,000 bins: of label 1, of label 0, of all rows with a score."""
    one, two, three = sums.bins.reshape(3, slots.SCORE_BINS)
    return one, two, three


def tenths(sums: Sums) -> tuple[Counts, Counts, Counts]:
    """Of each tenth the rows with a label, the sum of their scores, and those of label 1."""
    positives, negatives, _ = (block.reshape(_BINS, -1).sum(axis=1) for block in blocks(sums))
    scores = sums.scores[slots.HEAD :].reshape(3, _BINS, -1).sum(axis=2)
    return positives + negatives, scores[0] + scores[1], positives


def expected_error(sums: Sums) -> float:
    """The expected calibration error: how far mean score and share of label 1 are apart in a bin, over all rows."""
    rows, scores, positives = tenths(sums)
    return float(np.abs(scores - positives).sum() / rows.sum()) if rows.sum() else float("nan")


def calibration(counted: Counted) -> list[CalibrationBin]:
    """One row for each window with labels and each bin that has some."""
    return [
        CalibrationBin(window.label, window.in_baseline, place / _BINS, int(n), score / n, positive / n)
        for window in order(counted.quality)
        for place, (n, score, positive) in enumerate(
            zip(*(each.tolist() for each in tenths(counted.quality[window])), strict=True)
        )
        if n
    ]
