"""Counts to findings: profile, drift and quality. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from sparkml_track.monitoring._counting import worker as _worker
from sparkml_track.monitoring._counting.counts import Counted, Sums, Window
from sparkml_track.monitoring._counting.worker import Cuts
from sparkml_track.monitoring._found import DRIFT, FEW, OK, Drift, Profile, Quality
from sparkml_track.monitoring._judging import measures
from sparkml_track.monitoring._judging.family import adjusted
from sparkml_track.monitoring._spec import Guards

__all__ = ["BASELINE", "drift", "order", "profile", "quality"]

#: The window name under which the baseline as a whole is profiled.
BASELINE = "baseline"
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def order(windows: Iterable[Window]) -> list[Window]:
    """Windows in their natural order: numbers by value, then text; what is in the baseline first."""
    return sorted(windows, key=lambda window: (*_place(window.label), not window.in_baseline))


def profile(counted: Counted) -> list[Profile]:
    """One row for each column of the baseline and of each window outside: how many, how large, how spread."""
    return [
        Profile(window=label, in_baseline=inside, column=column, **_profiled(sums, counted.cuts[column]))
        for inside, label, columns in [
            (True, BASELINE, _baseline(counted)),
            *((False, label, columns) for label, columns in _others(counted)),
        ]
        for column, sums in columns.items()
    ]


def drift(counted: Counted, guards: Guards) -> list[Drift]:
    """Each column of each window that is not in the baseline, against the baseline."""
    base = _baseline(counted)
    return [
        judged
        for label, columns in _others(counted)
        for judged in _family(
            [_drifted((c, label), (base[c], sums), guards, counted.cuts[c].text) for c, sums in columns.items()], guards
        )
    ]


def _family(found: Sequence[Drift], guards: Guards) -> list[Drift]:
    """The columns of one window, judged together: one of many differs by chance more often than one alone."""
    judged = [each for each in found if each.verdict != FEW]
    q_values = dict(zip((each.column for each in judged), adjusted([each.p_value for each in judged]), strict=True))
    return [_verdict(each, q_values.get(each.column), guards) for each in found]


def _verdict(found: Drift, q_value: float | None, guards: Guards) -> Drift:
    if q_value is None:
        return found
    alarm = found.psi >= guards.psi and q_value <= guards.alpha
    return replace(found, q_value=q_value, verdict=DRIFT if alarm else OK)


def quality(counted: Counted) -> list[Quality]:
    """Each window with score and label, those of the baseline too."""
    found = ((window, counted.quality[window]) for window in order(counted.quality))
    return [_judged(window, sums) for window, sums in found if sums.bins.sum()]


def _baseline(counted: Counted) -> Mapping[str, Sums]:
    parts = [columns for window, columns in counted.windows.items() if window.in_baseline]
    return {column: reduce(add, [part[column] for part in parts]) for column in parts[0]}


def _others(counted: Counted) -> Iterator[tuple[str, Mapping[str, Sums]]]:
    return ((each.label, counted.windows[each]) for each in order(counted.windows) if not each.in_baseline)


def _profiled(sums: Sums, cuts: Cuts) -> dict[str, Any]:
    there, missing = float(sums.bins.sum()), sums.total(_worker.MISSING)
    numbers = there if not cuts.text else 0.0
    nan = float("nan")
    mean = sums.total(_worker.SUM) / numbers if numbers else nan
    spread = sums.total(_worker.SQUARES) / numbers - mean**2 if numbers else nan
    row: dict[str, Any] = {
        "rows": int(there + missing),
        "nulls": int(missing),
        "mean": mean + cuts.shift,
        "std": float(np.sqrt(max(spread, 0.0))) if numbers else nan,
        "min": float(sums.lows.min()) if numbers else nan,
        "max": float(sums.highs.max()) if numbers else nan,
    }
    return row | {f"p{round(q * 100):02d}": _quantile(sums, q) if numbers else nan for q in _QUANTILES}


def _quantile(sums: Sums, q: float) -> float:
    """Between the least and the most value of the bin that holds it, as if values lay evenly there.

    A bin of one value gives that value, so quantiles of a column of few values are values that occur.
    """
    upto = np.cumsum(sums.bins)
    at = int(np.searchsorted(upto, q * upto[-1]))
    low, high = sums.range(at)
    if low >= high:
        # Only infinite values are in a bin without a least and a most one.
        return low if low == high else math.copysign(float("inf"), at - 0.5)
    share = (q * upto[-1] - (upto[at] - sums.bins[at])) / sums.bins[at]
    return float(low * (1 - share) + high * share)


def _drifted(what: tuple[str, str], both: tuple[Sums, Sums], guards: Guards, text: bool) -> Drift:
    base, now = both
    groups = measures.regroup(base.bins, guards.bins)
    p, q = (_grouped(sums, groups, base, now) for sums in both)
    value = measures.psi(p, q)
    return Drift(
        column=what[0],
        window=what[1],
        rows=int(q.sum()),
        baseline_rows=int(p.sum()),
        psi=value,
        psi_null=measures.psi_null(p, q),
        psi_limit=measures.psi_limit(p, q, guards.alpha),
        p_value=measures.psi_p_value(p, q),
        q_value=float("nan"),
        ks=float("nan") if text else measures.ks(base.bins, now.bins),
        js=measures.js(p, q),
        tv=measures.tv(p, q),
        verdict=FEW if min(p.sum(), q.sum()) < guards.min_rows else OK,
    )


def _grouped(sums: Sums, groups: np.ndarray, base: Sums, now: Sums) -> np.ndarray:
    """Counts of the coarse bins; nulls are a bin of their own where there are any."""
    counts = np.bincount(groups, weights=sums.bins)
    holes = base.total(_worker.MISSING) + now.total(_worker.MISSING)
    return np.append(counts, sums.total(_worker.MISSING)) if holes else counts


def _judged(window: Window, sums: Sums) -> Quality:
    positives, negatives = sums.bins[: _worker.SCORE_BINS], sums.bins[_worker.SCORE_BINS :]
    rows = float(sums.bins.sum())
    rate, mean = float(positives.sum()) / rows, sums.total(_worker.SCORES) / rows
    return Quality(
        window=window.label,
        in_baseline=window.in_baseline,
        rows=int(rows),
        base_rate=rate,
        mean_score=mean,
        calibration=mean - rate,
        log_loss=sums.total(_worker.LOG_LOSS) / rows,
        brier=sums.total(_worker.BRIER) / rows,
        auc=measures.auc(positives, negatives),
    )


def _place(label: str) -> tuple[int, float, str]:
    try:
        number = float(label)
    except ValueError:
        return 1, 0.0, label
    return (0, number, label) if math.isfinite(number) else (1, 0.0, label)
