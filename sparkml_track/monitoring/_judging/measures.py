"""Distances of two binned distributions, and how large they are if nothing changed. Counts in, numbers out.

Sources: Yurdakul, Statistical Properties of Population Stability Index (2018), for the null distribution of PSI;
Lin, Divergence Measures Based on the Shannon Entropy (1991), for Jensen-Shannon; Press and others, Numerical Recipes
(1992), 14.3, for chi-squared of two binned samples; Vallender, Calculation of the Wasserstein Distance (1974).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import chi2, kstwo

__all__ = [
    "auc",
    "chi_squared",
    "distinct",
    "js",
    "ks",
    "ks_p_value",
    "l_infinity",
    "psi",
    "psi_limit",
    "psi_null",
    "psi_p_value",
    "regroup",
    "tv",
    "wasserstein",
]

Counts = NDArray[np.float64]
_ALPHA = 0.7213 / (1 + 1.079 / 256)  # of HyperLogLog, for 256 registers


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


def ks_p_value(base: Counts, now: Counts) -> float:
    """How often the KS distance is as large or larger if nothing changed: its limit for many rows, as in scipy.

    Too large where rows share values, or bins.
    """
    rows = float(base.sum() * now.sum() / max(base.sum() + now.sum(), 1.0))
    return float(kstwo.sf(ks(base, now), max(round(rows), 1)))


def wasserstein(base: Counts, now: Counts, base_places: Counts, now_places: Counts) -> float:
    """Wasserstein distance of order 1: the area between the two distribution functions, in the column's own unit.

    Args:
        base: counts.
        now: counts in the same bins.
        base_places: where on the axis the rows of each bin lie; looked at where there are rows.
        now_places: likewise.
    """
    places = np.concatenate([base_places[base > 0], now_places[now > 0]])
    apart = np.concatenate([_share(base[base > 0]), -_share(now[now > 0])])
    order = np.argsort(places)
    return float((np.abs(np.cumsum(apart[order])[:-1]) * np.diff(places[order])).sum())


def l_infinity(base: Counts, now: Counts) -> float:
    """The largest difference of the two shares of one bin, 0 to 1."""
    return float(np.abs(_share(base) - _share(now)).max(initial=0.0))


def chi_squared(base: Counts, now: Counts) -> tuple[float, float]:
    """Pearson's statistic of two samples, and how often it is as large or larger if nothing changed.

    Bins that are empty in both are left out; the p-value is that of chi-squared with bins - 1 degrees of freedom.
    """
    used = base + now > 0
    p, q = base[used], now[used]
    if not p.sum() or not q.sum():
        return float("nan"), float("nan")
    ratio = np.sqrt(q.sum() / p.sum())
    value = float((np.square(ratio * p - q / ratio) / (p + q)).sum())
    return value, float(chi2.sf(value, len(p) - 1)) if len(p) > 1 else 1.0


def distinct(ranks: Counts) -> float:
    """How many different values registers of HyperLogLog stand for; for few of them by the empty registers.

    Args:
        ranks: the most of each register; not finite where it is empty.
    """
    count, filled = len(ranks), np.isfinite(ranks)
    empty = count - int(filled.sum())
    raw = _ALPHA * count**2 / np.exp2(-np.where(filled, ranks, 0.0)).sum()
    return float(count * np.log(count / empty)) if empty and raw <= 2.5 * count else float(raw)


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
