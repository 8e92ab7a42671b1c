"""The quality of estimates of numbers."""

from __future__ import annotations

import math
from typing import Any

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Sums
from sparkml_track.monitoring._quality.classes import ratio

__all__ = ["numbers"]


def numbers(sums: Sums) -> dict[str, Any]:
    """Figures of one window; nan without labels. R2 is nan where all labels are equal."""
    rows, scored = sums.total(slots.WITH_LABEL), sums.total(slots.WITH_SCORE)
    squared = sums.total(slots.SQUARED)
    spread = sums.total(slots.LABEL_SQUARES) - ratio(sums.total(slots.LABELS) ** 2, rows)
    flat = not spread > _ROUNDED * max(sums.total(slots.LABEL_SQUARES), 0.0)
    return {
        "rows": int(rows),
        "scored": int(scored),
        "coverage": ratio(rows, scored),
        "mean_score": ratio(sums.total(slots.SCORES), rows),
        "mae": ratio(sums.total(slots.ABSOLUTE), rows),
        "rmse": math.sqrt(ratio(squared, rows)),
        "r2": float("nan") if flat else 1 - squared / spread,
        "bias": ratio(sums.total(slots.ERRORS), rows),
    }


_ROUNDED = 1e-12  # what is left of the spread of equal labels when sums are rounded
