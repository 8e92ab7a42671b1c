"""Each column in each window against the baseline, and against the window before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import EVERYTHING, Counted, Slice, Sums
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._found import BASELINE, CONSECUTIVE, DRIFT, FEW, OK, Drift
from sparkml_track.monitoring._judging import measures
from sparkml_track.monitoring._judging.family import adjusted
from sparkml_track.monitoring._judging.parts import baseline, distinct, mean, order, others, slices
from sparkml_track.monitoring._spec import Guards

__all__ = ["consecutive", "drift"]

_NAN = float("nan")
_NO_CHANGE = 1e-12  # of a mean score: what is left of it when sums are rounded


@dataclass(frozen=True, slots=True)
class _Pair:
    """A window and what it is compared with."""

    window: str
    against: str
    before: str
    cut: Slice
    base: Mapping[str, Sums]
    now: Mapping[str, Sums]


def drift(counted: Counted, guards: Guards) -> list[Drift]:
    """Each column of each window that is not in the baseline, against the baseline; all rows, then each slice."""
    pairs = (
        _Pair(label, BASELINE, BASELINE, cut, base, columns)
        for cut, part in slices(counted)
        for base in [baseline(part, counted.cuts)]
        for label, columns in others(part)
    )
    return _judged(pairs, counted.cuts, guards)


def consecutive(counted: Counted, guards: Guards) -> list[Drift]:
    """Each column of each window that is not in the baseline, against the window with rows before it."""
    pairs = (
        _Pair(now.label, CONSECUTIVE, before.label, cut, part.windows[before], part.windows[now])
        for cut, part in slices(counted)
        for before, now in zip(order(part.windows), order(part.windows)[1:], strict=False)
        if not now.in_baseline
    )
    return _judged(pairs, counted.cuts, guards)


def _judged(pairs: Iterator[_Pair], cuts: Mapping[str, Cuts], guards: Guards) -> list[Drift]:
    return [each for pair in pairs for each in _family([_compared(pair, c, cuts[c], guards) for c in pair.now], guards)]


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


def _compared(pair: _Pair, column: str, cuts: Cuts, guards: Guards) -> Drift:
    base, now = pair.base[column], pair.now[column]
    groups = measures.regroup(base.bins, guards.bins)
    p, q = (_grouped(sums.totals, groups, base, now) for sums in (base, now))
    moved = _moved(base, now, groups) if pair.cut == EVERYTHING else (_NAN, _NAN)
    return Drift(
        column=column,
        window=pair.window,
        against=pair.against,
        before=pair.before,
        slice_key=pair.cut.key,
        slice_value=pair.cut.value,
        rows=int(q.sum()),
        baseline_rows=int(p.sum()),
        **_distances(p, q, guards),
        **_by_order(base, now, cuts),
        null_change=_nulls(now) - _nulls(base),
        distinct_change=distinct(now, cuts) - distinct(base, cuts),
        mean_change=mean(now, cuts) - mean(base, cuts),
        score_change=moved[0],
        score_share=moved[1],
        verdict=FEW if min(p.sum(), q.sum()) < guards.min_rows else OK,
    )


def _distances(p: measures.Counts, q: measures.Counts, guards: Guards) -> dict[str, float]:
    """Measures on the coarse bins; those of nothing are nan, which no guard lets pass."""
    names = ("psi", "psi_null", "psi_limit", "p_value", "q_value", "js", "tv", "l_infinity")
    if not p.sum() or not q.sum():
        return dict.fromkeys((*names, "chi_squared", "chi_squared_p_value"), _NAN)
    value, p_value = measures.chi_squared(p, q)
    return {
        "psi": measures.psi(p, q),
        "psi_null": measures.psi_null(p, q),
        "psi_limit": measures.psi_limit(p, q, guards.alpha),
        "p_value": measures.psi_p_value(p, q),
        "q_value": _NAN,
        "js": measures.js(p, q),
        "tv": measures.tv(p, q),
        "l_infinity": measures.l_infinity(p, q),
        "chi_squared": value,
        "chi_squared_p_value": p_value,
    }


def _by_order(base: Sums, now: Sums, cuts: Cuts) -> dict[str, float]:
    """Measures on the fine bins of numbers, whose order and places count."""
    if cuts.text or not base.bins.sum() or not now.bins.sum():
        return {"ks": _NAN, "ks_p_value": _NAN, "wasserstein": _NAN}
    return {
        "ks": measures.ks(base.bins, now.bins),
        "ks_p_value": measures.ks_p_value(base.bins, now.bins),
        "wasserstein": _distance(base, now, cuts.shift),
    }


def _distance(base: Sums, now: Sums, shift: float) -> float:
    """Wasserstein's: the rows of each bin lie at their mean. Infinite rows are infinitely far."""
    if base.total(slots.INFINITE) or now.total(slots.INFINITE):
        return float("inf")
    means = (sums.sums[slots.HEAD :] / np.maximum(sums.bins, 1.0) + shift for sums in (base, now))
    return measures.wasserstein(base.bins, now.bins, *means)


def _grouped(totals: measures.Counts, groups: np.ndarray, base: Sums, now: Sums) -> measures.Counts:
    """Counts of the coarse bins; nulls are a bin of their own where there are any."""
    counts: measures.Counts = np.bincount(groups, weights=totals[slots.HEAD :]).astype(float)
    holes = base.total(slots.MISSING) + now.total(slots.MISSING)
    return np.append(counts, totals[slots.MISSING + slots.HEAD]) if holes else counts


def _nulls(sums: Sums) -> float:
    rows = sums.total(slots.MISSING) + float(sums.bins.sum())
    return sums.total(slots.MISSING) / rows if rows else _NAN


def _moved(base: Sums, now: Sums, groups: np.ndarray) -> tuple[float, float]:
    """The change of the mean score that a changed mix explains, and its share of the whole change.

    That is what a regression of the baseline's score on the binned column predicts for the window, less what it
    predicts for the baseline. In a bin without rows in the baseline it predicts the baseline's mean.
    """
    rows, sums = (_grouped(array, groups, base, now) for array in (base.scored, base.scores))
    then, new = _grouped(now.scored, groups, base, now), _grouped(now.scores, groups, base, now)
    if not rows.sum() or not then.sum():
        return _NAN, _NAN
    overall = float(sums.sum() / rows.sum())
    predicted = np.where(rows > 0, sums / np.maximum(rows, 1.0), overall)
    explained = float(((then / then.sum() - rows / rows.sum()) * predicted).sum())
    change = float(new.sum() / then.sum()) - overall
    return explained, explained / change if abs(change) > _NO_CHANGE else _NAN
