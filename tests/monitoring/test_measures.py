"""Distances agree with other implementations, and PSI behaves under no change as its source says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from sparkml_track.monitoring._judging import measures

RANDOM = np.random.default_rng(11)


def counts(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


def test_psi_of_a_known_case() -> None:
    # Large counts, so that half a row more in each bin changes nothing.
    base, now = counts(5e8, 5e8), counts(8e8, 2e8)
    assert measures.psi(base, now) == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4), abs=1e-6)


def test_equal_distributions_are_at_no_distance() -> None:
    base = counts(10, 20, 0, 30)
    for distance in (measures.psi, measures.ks, measures.js, measures.tv):
        assert distance(base, base) == pytest.approx(0, abs=1e-7)


def test_disjoint_distributions_are_at_the_largest_distance_and_psi_is_finite() -> None:
    base, now = counts(100, 0), counts(0, 100)
    assert [measures.ks(base, now), measures.js(base, now), measures.tv(base, now)] == pytest.approx([1, 1, 1])
    assert 5 < measures.psi(base, now) < 20


@pytest.mark.parametrize(("rows", "more"), [(2_000, 300), (500, 500), (100_000, 1_000)])
def test_without_change_psi_averages_its_null_mean_and_seldom_passes_its_limit(rows: int, more: int) -> None:
    share = RANDOM.dirichlet(np.full(10, 20.0))
    pairs = [(RANDOM.multinomial(rows, share) * 1.0, RANDOM.multinomial(more, share) * 1.0) for _ in range(3_000)]
    values = np.array([measures.psi(base, now) for base, now in pairs])
    assert values.mean() == pytest.approx(measures.psi_null(*pairs[0]), rel=0.06)
    over = np.mean([value > measures.psi_limit(*pair, 0.05) for value, pair in zip(values, pairs, strict=True)])
    assert 0.025 < over < 0.08


def test_jensen_shannon_agrees_with_scipy() -> None:
    base, now = RANDOM.integers(0, 50, 12) * 1.0, RANDOM.integers(0, 50, 12) * 1.0
    assert measures.js(base, now) == pytest.approx(jensenshannon(base, now, base=2))


def test_ks_of_fine_bins_is_close_to_that_of_the_rows_and_never_above() -> None:
    a, b = RANDOM.normal(size=20_000), RANDOM.normal(0.3, size=5_000)
    edges = np.quantile(a, np.arange(1, 100) / 100)
    base, now = (np.bincount(np.searchsorted(edges, x, side="right"), minlength=100) * 1.0 for x in (a, b))
    exact = ks_2samp(a, b).statistic
    assert exact - 0.01 < measures.ks(base, now) <= exact


def test_auc_of_histograms_agrees_with_that_of_the_rows() -> None:
    label = RANDOM.integers(0, 2, 5_000)
    score = np.clip(RANDOM.normal(0.4 + 0.2 * label, 0.2), 0, 0.9999)
    bins = (score * 1000).astype(int)
    histograms = [np.bincount(bins[label == value], minlength=1000) * 1.0 for value in (1, 0)]
    assert measures.auc(*histograms) == pytest.approx(roc_auc_score(label, score), abs=1e-3)


def test_auc_without_one_class_is_nan() -> None:
    assert np.isnan(measures.auc(counts(1, 2), counts(0, 0)))


def test_groups_are_neighbours_of_about_equal_counts() -> None:
    groups = measures.regroup(np.r_[0, np.full(100, 7.0), 0], 10)
    assert np.bincount(groups).tolist() == [1, *[10] * 10, 1]
    assert np.all(np.diff(groups) >= 0)


def test_few_values_keep_a_group_each() -> None:
    assert measures.regroup(counts(0, 60, 20, 20, 0), 10).tolist() == [0, 1, 2, 3, 4]


def test_a_bin_that_holds_nearly_all_does_not_break_the_groups() -> None:
    assert measures.regroup(counts(0, 1, 9998, 1, 0), 10).tolist() == [0, 1, 2, 3, 4]


def test_a_bin_that_is_empty_in_both_says_nothing() -> None:
    base, now = counts(8_000, 8_000), counts(250, 250)
    assert measures.psi(counts(0, 8_000, 0, 8_000, 0), counts(0, 250, 0, 250, 0)) == measures.psi(base, now)
