"""Distances of two binned distributions, and how large they are if nothing changed. Counts in, numbers out.

Sources: Yurdakul, Statistical Properties of Population Stability Index (2018), for the null distribution of PSI;
Lin, Divergence Measures Based on the Shannon Entropy (1991), for Jensen-Shannon.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import chi2

__all__ = ["auc", "js", "ks", "psi", "psi_limit", "psi_null", "psi_p_value", "regroup", "tv"]

Counts = NDArray[np.float64]


def psi(base: Counts, now: Counts) -> float:
    """Population stability index: sum of (p - q) ln(p / q), nats.

    Half a row is added to each bin, so that an empty one gives a large number and not infinity. A bin that is empty in
    both says nothing.
    """
    used = base + now > 0
    p, q = _smooth(base[used]), _smooth(now[used])
    return float(np.sum((p - q) * np.log(p / q)))


def psi_null(base: Counts, now: Counts) -> float:
    """The mean of PSI if both come from one distribution: (bins - 1)(1 / rows + 1 / rows)."""
    return _freedom(base, now) * _scale(base, now)


def psi_limit(base: Counts, now: Counts, alpha: float) -> float:
    """What PSI exceeds with probability ``alpha`` if both come from one distribution.

    Under no change PSI is distributed as chi-squared with bins - 1 degrees of freedom, times (1/N + 1/M).
    """
    return float(chi2.ppf(1 - alpha, _freedom(base, now))) * _scale(base, now)


def psi_p_value(base: Counts, now: Counts) -> float:
    """How often PSI is as large or larger if both come from one distribution; see ``psi_limit``."""
    return float(chi2.sf(psi(base, now) / _scale(base, now), _freedom(base, now)))


def ks(base: Counts, now: Counts) -> float:
    """Kolmogorov-Smirnov distance at the edges of the bins; a lower bound of that of the rows."""
    return float(np.max(np.abs(np.cumsum(_share(base)) - np.cumsum(_share(now)))))


def js(base: Counts, now: Counts) -> float:
    """Jensen-Shannon distance: the root of the divergence in bits, 0 (same) to 1 (disjoint)."""
    p, q = _share(base), _share(now)
    middle = (p + q) / 2
    bits = (xlogy(p, p) + xlogy(q, q) - 2 * xlogy(middle, middle)).sum() / (2 * np.log(2))
    return float(np.sqrt(max(bits, 0.0)))


def tv(base: Counts, now: Counts) -> float:
    """Total variation distance: half the sum of absolute differences, 0 to 1."""
    return float(np.abs(_share(base) - _share(now)).sum() / 2)


def regroup(base: Counts, bins: int) -> NDArray[np.intp]:
    """Which group each fine bin belongs to: neighbours that together have about one of ``bins`` equal counts.

    The first and the last bin, which are outside the baseline's range, are groups of their own, and so is each that
    alone has half of an equal count: what moves from it to its neighbour is seen.

    Returns:
        Group of each fine bin, from 0, rising.
    """
    total = max(base.sum(), 1.0)
    alone = base / total >= 0.5 / bins
    alone[[0, -1]] = True
    light = np.where(alone, 0.0, base)
    middle = ((np.cumsum(light) - light / 2) / total * bins).astype(np.intp)
    starts = (np.diff(middle) > 0) | alone[1:] | alone[:-1]
    return np.concatenate([[0], np.cumsum(starts)]).astype(np.intp)


def auc(positives: Counts, negatives: Counts) -> float:
    """Area under the ROC curve from histograms of scores by class; ties inside a bin count half.

    Returns:
        nan if a class is missing.
    """
    if not positives.sum() or not negatives.sum():
        return float("nan")
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / (positives.sum() * negatives.sum()))


def _share(counts: Counts) -> Counts:
    return np.divide(counts, max(counts.sum(), 1.0))


def _smooth(counts: Counts) -> Counts:
    smoothed: Counts = np.divide(counts + 0.5, counts.sum() + 0.5 * len(counts))
    return smoothed


def _freedom(base: Counts, now: Counts) -> int:
    return max(int(np.count_nonzero(base + now)) - 1, 1)


def _scale(base: Counts, now: Counts) -> float:
    return float(1 / max(base.sum(), 1.0) + 1 / max(now.sum(), 1.0))
