"""Counts to findings: profile, drift and quality. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import add

import numpy as np

from sparkml_track.monitoring import _measures as measures
from sparkml_track.monitoring import _worker
from sparkml_track.monitoring._counts import Counted, Sums, Window
from sparkml_track.monitoring._spec import DRIFT, FEW, OK, Drift, Guards, Quality

__all__ = ["BASELINE", "drift", "order", "profile", "quality"]

#: The window name under which the baseline as a whole is profiled.
BASELINE = "baseline"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def order(windows: Iterable[Window]) -> list[Window]:
    """Windows in their natural order: numbers by value, then text; what is in the baseline first."""
    return sorted(windows, key=lambda window: (*_place(window.label), not window.in_baseline))


def profile(counted: Counted) -> list[dict[str, object]]:
    """One row for each column of the baseline and of each window outside: how many, how large, how spread."""
    return [
        {"window": label, "column": column, **_profiled(sums, counted.edges[column], counted.shifts[column])}
        for label, columns in [(BASELINE, _baseline(counted)), *_others(counted)]
        for column, sums in columns.items()
        if column != _worker.QUALITY
    ]


def drift(counted: Counted, guards: Guards) -> list[Drift]:
    """Each column of each window that is not in the baseline, against the baseline."""
    base = _baseline(counted)
    return [
        _drifted((column, label), base[column], sums, guards)
        for label, columns in _others(counted)
        for column, sums in columns.items()
        if column != _worker.QUALITY
    ]


def quality(counted: Counted) -> list[Quality]:
    """Each window with score and label, those of the baseline too."""
    found = ((window, counted.windows[window].get(_worker.QUALITY)) for window in order(counted.windows))
    return [_judged(window, sums) for window, sums in found if sums is not None and sums.bins.sum()]


def _baseline(counted: Counted) -> Mapping[str, Sums]:
    parts = [columns for window, columns in counted.windows.items() if window.in_baseline]
    return {column: reduce(add, [part[column] for part in parts]) for column in parts[0]}


def _others(counted: Counted) -> Iterator[tuple[str, Mapping[str, Sums]]]:
    return ((each.label, counted.windows[each]) for each in order(counted.windows) if not each.in_baseline)


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


def _drifted(what: tuple[str, str], base: Sums, now: Sums, guards: Guards) -> Drift:
    groups = measures.regroup(base.bins, guards.bins)
    p, q = (_grouped(sums, groups, base, now) for sums in (base, now))
    limit = measures.psi_limit(p, q, guards.alpha)
    value = measures.psi(p, q)
    verdict = DRIFT if value > max(guards.psi, limit) else OK
    if min(p.sum(), q.sum()) < guards.min_rows:
        verdict = FEW
    return Drift(
        column=what[0],
        window=what[1],
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


def _judged(window: Window, sums: Sums) -> Quality:
    positives, negatives = sums.bins[: _worker.SCORE_BINS], sums.bins[_worker.SCORE_BINS :]
    rows = float(sums.bins.sum())
    rate, mean = float(positives.sum()) / rows, sums.head[_worker.SCORES] / rows
    return Quality(
        window=window.label,
        in_baseline=window.in_baseline,
        rows=int(rows),
        base_rate=rate,
        mean_score=mean,
        calibration=mean - rate,
        log_loss=sums.head[_worker.LOG_LOSS] / rows,
        brier=sums.head[_worker.BRIER] / rows,
        auc=measures.auc(positives, negatives),
    )


def _place(label: str) -> tuple[int, float, str]:
    try:
        number = float(label)
    except ValueError:
        return 1, 0.0, label
    return (0, number, label) if math.isfinite(number) else (1, 0.0, label)
