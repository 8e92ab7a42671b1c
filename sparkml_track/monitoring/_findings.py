"""Counts to findings: profile, drift and quality. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add

import numpy as np

from sparkml_track.monitoring import _measures as measures
from sparkml_track.monitoring import _worker
from sparkml_track.monitoring._counts import Counted, Sums
from sparkml_track.monitoring._spec import DRIFT, FEW, OK, Drift, Guards, Monitoring, Quality

__all__ = ["BASELINE", "drift", "order", "profile", "quality"]

#: The window name under which the baseline as a whole is profiled.
BASELINE = "baseline"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def order(windows: Sequence[str]) -> list[str]:
    """Windows in their natural order: numbers by value, then text."""
    return sorted(windows, key=lambda window: (0, float(window), "") if _numeric(window) else (1, 0.0, window))


def profile(spec: Monitoring, counted: Counted) -> list[dict[str, object]]:
    """One row for each column of the baseline and of each other window: how many, how large, how spread."""
    return [
        {"window": window, "column": column, **_profiled(sums, counted.edges[column], counted.shifts[column])}
        for window, columns in [(BASELINE, _baseline(spec, counted)), *_others(spec, counted)]
        for column, sums in columns.items()
        if column != _worker.QUALITY
    ]


def drift(spec: Monitoring, counted: Counted) -> list[Drift]:
    """Each column of each window that is not in the baseline, against the baseline."""
    base = _baseline(spec, counted)
    return [
        _drifted(column, window, base[column], sums, spec.guards)
        for window, columns in _others(spec, counted)
        for column, sums in columns.items()
        if column != _worker.QUALITY
    ]


def quality(spec: Monitoring, counted: Counted) -> list[Quality]:
    """Each window with score and label, those of the baseline too."""
    known = {str(value) for value in spec.baseline}
    found = ((window, counted.windows[window].get(_worker.QUALITY)) for window in order(list(counted.windows)))
    return [_judged(window, window in known, sums) for window, sums in found if sums is not None and sums.bins.sum()]


def _baseline(spec: Monitoring, counted: Counted) -> Mapping[str, Sums]:
    parts = [counted.windows[str(value)] for value in spec.baseline if str(value) in counted.windows]
    return {column: reduce(add, [part[column] for part in parts]) for column in parts[0]}


def _others(spec: Monitoring, counted: Counted) -> Iterator[tuple[str, Mapping[str, Sums]]]:
    known = {str(value) for value in spec.baseline}
    return ((window, counted.windows[window]) for window in order(list(counted.windows)) if window not in known)


def _profiled(sums: Sums, edges: np.ndarray, shift: float) -> dict[str, object]:
    there, missing = float(sums.bins.sum()), sums.head[_worker.MISSING]
    mean = sums.head[_worker.SUM] / there if there else float("nan")
    spread = sums.head[_worker.SQUARES] / there - mean**2 if there else float("nan")
    row: dict[str, object] = {
        "rows": int(there + missing),
        "nulls": int(missing),
        "mean": mean + shift,
        "std": float(np.sqrt(max(spread, 0.0))) if there else float("nan"),
        "min": sums.low if there else float("nan"),
        "max": sums.high if there else float("nan"),
    }
    return row | {f"p{round(q * 100):02d}": _quantile(sums, edges, q) for q in _QUANTILES}


def _quantile(sums: Sums, edges: np.ndarray, q: float) -> float:
    """Between the edges of the bin that holds it, as if values lay evenly there."""
    total = sums.bins.sum()
    if not total or not np.isfinite(sums.low):
        return float("nan")
    borders = np.clip(np.concatenate([[sums.low], edges, [sums.high]]), sums.low, sums.high)
    return float(np.interp(q * total, np.concatenate([[0.0], np.cumsum(sums.bins)]), borders))


def _drifted(column: str, window: str, base: Sums, now: Sums, guards: Guards) -> Drift:
    groups = measures.regroup(base.bins, guards.bins)
    p, q = (_grouped(sums, groups, base, now) for sums in (base, now))
    limit = measures.psi_limit(p, q, guards.alpha)
    value = measures.psi(p, q)
    verdict = DRIFT if value > max(guards.psi, limit) else OK
    if min(p.sum(), q.sum()) < guards.min_rows:
        verdict = FEW
    return Drift(
        column=column,
        window=window,
        rows=int(q.sum()),
        baseline_rows=int(p.sum()),
        psi=value,
        psi_null=measures.psi_null(p, q),
        psi_limit=limit,
        ks=measures.ks(base.bins, now.bins),
        js=measures.js(p, q),
        tv=measures.tv(p, q),
        verdict=verdict,
    )


def _grouped(sums: Sums, groups: np.ndarray, base: Sums, now: Sums) -> np.ndarray:
    """Counts of the coarse bins; nulls are a bin of their own where there are any."""
    counts = np.bincount(groups, weights=sums.bins)
    holes = base.head[_worker.MISSING] + now.head[_worker.MISSING]
    return np.append(counts, sums.head[_worker.MISSING]) if holes else counts


def _judged(window: str, in_baseline: bool, sums: Sums) -> Quality:
    positives, negatives = sums.bins[: _worker.SCORE_BINS], sums.bins[_worker.SCORE_BINS :]
    rows = float(sums.bins.sum())
    rate, mean = float(positives.sum()) / rows, sums.head[_worker.SCORES] / rows
    return Quality(
        window=window,
        in_baseline=in_baseline,
        rows=int(rows),
        base_rate=rate,
        mean_score=mean,
        calibration=mean - rate,
        log_loss=sums.head[_worker.LOG_LOSS] / rows,
        brier=sums.head[_worker.BRIER] / rows,
        auc=measures.auc(positives, negatives),
    )


def _numeric(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
