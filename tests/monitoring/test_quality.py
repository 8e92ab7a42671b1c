"""The quality of scores is what scikit-learn says of the same rows; labels that are not known yet are not counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from sparkml_track.monitoring._counting.counts import Counted
from sparkml_track.monitoring._counting.slots import CLASSES, NUMBERS
from sparkml_track.monitoring._found import Quality
from sparkml_track.monitoring._quality.calibration import calibration
from sparkml_track.monitoring._quality.estimate import calibrated, estimates
from sparkml_track.monitoring._quality.fairness import fairness
from sparkml_track.monitoring._quality.judge import quality
from tests.monitoring.passes import passed

N = 6_000
RANDOM = np.random.default_rng(77)


def scored(shift: float = 0.0, rows: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are too bold, and labels."""
    logit = RANDOM.normal(-0.5 + shift, 1.2, rows)
    return 1 / (1 + np.exp(-1.6 * logit)), (RANDOM.random(rows) < 1 / (1 + np.exp(-logit))) * 1.0


def counted(parts: dict[str, tuple[np.ndarray, np.ndarray]], labels: str = CLASSES, **more: Any) -> Counted:
    windows = [window for window, (score, _) in parts.items() for _ in score]
    score, label = (np.concatenate([pair[place] for pair in parts.values()]) for place in (0, 1))
    return passed(windows, {}, score=score, label=label, labels=labels, **more)


def test_classes_agree_with_scikit_learn_where_the_label_is_known() -> None:
    score, label = scored()
    known = RANDOM.random(N) < 0.7
    score[:50] = np.nan
    (found,) = quality(counted({"-vmay": (score, np.where(known, label, np.nan))}, threshold=0.4), "classification")
    there = known & ~np.isnan(score)
    y, s, chosen = label[there], score[there], score[there] >= 0.4
    assert (found.rows, found.scored, found.coverage) == (there.sum(), N - 50, pytest.approx(there.sum() / (N - 50)))
    assert found.log_loss == pytest.approx(log_loss(y, s))
    assert found.brier == pytest.approx(brier_score_loss(y, s))
    assert found.auc == pytest.approx(roc_auc_score(y, s), abs=1e-3)
    assert found.accuracy == pytest.approx(accuracy_score(y, chosen))
    assert found.precision == pytest.approx(precision_score(y, chosen))
    assert found.recall == pytest.approx(recall_score(y, chosen))
    assert found.f1 == pytest.approx(f1_score(y, chosen))
    assert found.base_rate == pytest.approx(y.mean())
    assert found.selection_rate == pytest.approx((score[50:] >= 0.4).mean())


def test_calibration_is_that_of_ten_bins_of_the_rows() -> None:
    score, label = scored()
    made = counted({"-vmay": (score, label)})
    tenth = np.minimum((score * 10).astype(int), 9)
    rows = [(score[tenth == t].mean(), label[tenth == t].mean(), (tenth == t).sum()) for t in range(10)]
    found = calibration(made)
    assert [(each.mean_score, each.positive, each.rows) for each in found] == [pytest.approx(row) for row in rows]
    assert [each.low for each in found] == pytest.approx(np.arange(10) / 10)
    (judged,) = quality(made, "classification")
    assert judged.ece == pytest.approx(sum(abs(mean - share) * n for mean, share, n in rows) / N)


def test_numbers_agree_with_scikit_learn() -> None:
    label = RANDOM.normal(1e6, 30, N)
    score = label + RANDOM.normal(2, 10, N)
    late = np.where(RANDOM.random(N) < 0.2, np.nan, label)
    (found,) = quality(counted({"-vmay": (score, late)}, NUMBERS, shift=1e6), "regression")
    there = ~np.isnan(late)
    y, s = label[there], score[there]
    assert found.rows == there.sum()
    assert found.mae == pytest.approx(mean_absolute_error(y, s))
    assert found.rmse == pytest.approx(mean_squared_error(y, s) ** 0.5)
    assert found.r2 == pytest.approx(r2_score(y, s))
    assert found.bias == pytest.approx((s - y).mean())
    assert np.isnan(found.auc)


def test_the_variance_of_equal_labels_is_not_explained() -> None:
    (found,) = quality(counted({"-vmay": (RANDOM.random(50), np.full(50, 7.0))}, NUMBERS), "regression")
    assert np.isnan(found.r2)
    assert found.mae > 0


def test_one_class_gives_every_figure_that_one_class_has() -> None:
    score = RANDOM.random(500)
    (found,) = quality(counted({"-vmay": (score, np.zeros(500))}), "classification")
    assert (found.base_rate, found.accuracy) == (0.0, pytest.approx((score < 0.5).mean()))
    assert np.isnan([found.auc, found.recall]).all()
    assert found.log_loss == pytest.approx(log_loss(np.zeros(500), score, labels=[0, 1]))


def test_a_label_that_never_comes_gives_no_quality_and_no_estimate() -> None:
    made = counted(
        {"+vbase": (RANDOM.random(900), np.full(900, np.nan)), "-vmay": (RANDOM.random(900), np.full(900, np.nan))}
    )
    assert quality(made, "classification") == []
    assert estimates(made, 0.5, 500) == []


def test_calibrated_scores_agree_with_isotonic_regression() -> None:
    score, label = scored()
    score = (np.floor(score * 1000) + 0.5) / 1000
    (sums,) = counted({"+vbase": (score, label)}).quality.values()
    expected = IsotonicRegression().fit(score, label).predict(score)
    assert calibrated(sums)[(score * 1000).astype(int)] == pytest.approx(expected, abs=1e-9)


def test_an_estimate_is_close_to_what_the_labels_say_later() -> None:
    base, (score, label) = scored(rows=40_000), scored(0.7, 30_000)
    (early,) = estimates(counted({"+vbase": base, "-vmay": (score, np.full(len(score), np.nan))}), 0.5, 500)
    later = next(q for q in quality(counted({"-vmay": (score, label)}), "classification"))
    assert (early.how, early.coverage, early.rows) == ("estimated", 0.0, len(score))
    assert later.ece > 0.05  # raw scores would be off by more
    for name in ("base_rate", "accuracy", "precision", "recall", "auc", "brier"):
        assert getattr(early, name) == pytest.approx(getattr(later, name), abs=0.015), name
    assert early.selection_rate == pytest.approx(later.selection_rate, abs=0.002)


def test_there_is_no_estimate_where_all_labels_are_known_or_the_baseline_has_few() -> None:
    base, now = scored(), scored()
    assert estimates(counted({"+vbase": base, "-vmay": now}), 0.5, 500) == []
    late = {"+vbase": base, "-vmay": (now[0], np.full(N, np.nan))}
    assert len(estimates(counted(late), 0.5, N)) == 1
    assert estimates(counted(late), 0.5, N + 1) == []


def sliced() -> tuple[Counted, dict[str, tuple[np.ndarray, np.ndarray]]]:
    score, label = scored()
    group = RANDOM.choice(["a", "b", "c"], N, p=[0.5, 0.45, 0.05])
    score = np.where(group == "b", score * 0.8, score)
    slicings = {"group": (group.tolist(), ("a", "b", "c"))}
    made = counted({"-vmay": (score, label)}, slicings=slicings)
    return made, {name: (score[group == name], label[group == name]) for name in "abc"}


def test_slices_are_judged_by_themselves() -> None:
    made, parts = sliced()
    found = {each.slice_value: each for each in quality(made, "classification")}
    for name, (score, label) in parts.items():
        assert found[name].rows == len(score)
        assert found[name].log_loss == pytest.approx(log_loss(label, score))


def test_fairness_compares_the_slices_that_have_enough_rows() -> None:
    made, parts = sliced()
    (found,) = fairness(quality(made, "classification"), 1_000)
    rates = {name: (score >= 0.5).mean() for name, (score, _) in parts.items()}
    recalls = {name: recall_score(label, score >= 0.5) for name, (score, label) in parts.items()}
    assert (found.slice_key, found.slices, found.least_selected, found.least_found) == ("group", 2, "b", "b")
    assert found.demographic_parity == pytest.approx(rates["a"] - rates["b"])
    assert found.equal_opportunity == pytest.approx(recalls["a"] - recalls["b"])


def test_fairness_without_a_second_slice_or_labels_says_so() -> None:
    one = Quality("may", False, 600, "group", "a", scored=600, selection_rate=0.2, recall=0.5)
    assert fairness([one], 500) == []
    few = Quality("may", False, 10, "group", "b", scored=600, selection_rate=0.5, recall=0.9)
    (found,) = fairness([one, few], 500)
    assert (found.demographic_parity, found.least_selected, found.least_found) == (pytest.approx(0.3), "a", None)
    assert np.isnan(found.equal_opportunity)
