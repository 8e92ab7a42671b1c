"""The quality of each window and slice, and what is wrong with scores and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sparkml_track.errors import DataError
from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Counted, Sums, Window
from sparkml_track.monitoring._found import Quality
from sparkml_track.monitoring._judging.parts import order, slices
from sparkml_track.monitoring._quality.calibration import blocks
from sparkml_track.monitoring._quality.classes import classes
from sparkml_track.monitoring._quality.numbers import numbers
from sparkml_track.monitoring._spec import CLASSIFICATION, REGRESSION, Monitoring

__all__ = ["check_quality", "quality"]

_FIGURES: Mapping[str, Callable[[Sums], dict[str, Any]]] = {CLASSIFICATION: classes, REGRESSION: numbers}


def quality(counted: Counted, problem: str) -> list[Quality]:
    """Each window with score and label, those of the baseline too; all rows, then each slice."""
    figures = _FIGURES[problem]
    return [
        Quality(window.label, window.in_baseline, **cut.columns, **figures(part.quality[window]))
        for cut, part in slices(counted)
        for window in order(part.quality)
        if part.quality[window].total(slots.WITH_LABEL)
    ]


def check_quality(spec: Monitoring, counted: Counted) -> None:
    """Whether scores are probabilities, and labels are 0 and 1.

    Raises:
        DataError: they are not.
    """
    if spec.problem != CLASSIFICATION:
        return
    for window, sums in counted.quality.items():
        _check_scores(window, sums)
        _check_labels(spec, window, sums)
    judged = sum(sums.total(slots.WITH_LABEL) for sums in counted.quality.values())
    positives = sum(float(blocks(sums)[0].sum()) for sums in counted.quality.values())
    if spec.positive is not None and judged and not positives:
        raise DataError(
            f"no row has {spec.positive!r} in column {spec.label!r}, which positive= names; give the label that scores "
            "are the probability of"
        )


def _check_scores(window: Window, sums: Sums) -> None:
    low, high = sums.range(slots.SCORES)
    if low <= high and not 0 <= low <= high <= 1:
        raise DataError(
            f"scores from {low} to {high} in window {window.label} are not probabilities: their quality cannot be "
            "judged; leave the label out, or name the problem: problem='regression'"
        )


def _check_labels(spec: Monitoring, window: Window, sums: Sums) -> None:
    low, high = sums.range(slots.WRONG)
    if sums.total(slots.WRONG):
        raise DataError(
            f"{sums.total(slots.WRONG):.0f} labels in column {spec.label!r}, window {window.label}, are neither 0 "
            f"nor 1 but from {low:g} to {high:g}; name the one that scores are the probability of, as "
            f"positive={high:g}, or leave the label out"
        )
