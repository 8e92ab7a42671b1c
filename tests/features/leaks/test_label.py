from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from sparkml_track.features.leaks.label import _area, hints, score

CHANCE = np.random.default_rng(3)
LATE = CHANCE.random(2_000) < 0.2
DAY = datetime(2013, 1, 1, tzinfo=UTC)
NOISE = CHANCE.normal(size=2_000)


def scored(feature: object, label: object) -> tuple[float, str] | None:
    return score(pa.chunked_array([pa.array(feature)]), pa.chunked_array([pa.array(label)]))


KNOWING: list[object] = [
    LATE, np.where(LATE, 7.5, 1e9), [None if late else 3 for late in LATE], ["yes" if late else "no" for late in LATE],
    [Decimal(int(late)) for late in LATE], [DAY + timedelta(days=int(late)) for late in LATE],
    np.where(LATE, np.nan, NOISE), np.where(LATE, -1, 1) * (1 + abs(NOISE)),
]  # fmt: skip


@pytest.mark.parametrize("feature", KNOWING, ids=range(len(KNOWING)))
@pytest.mark.parametrize("label", [LATE, LATE.astype(int), ["late" if late else "fine" for late in LATE]])
def test_a_feature_that_knows_two_classes_scores_one(feature: object, label: object) -> None:
    found = scored(feature, label)
    assert found is not None and found[0] > 0.99 and found[1] == "AUC"


@pytest.mark.parametrize("feature", [NOISE, np.arange(2_000), [f"id{n}" for n in range(2_000)], [None] * 2_000])
def test_a_feature_that_knows_nothing_scores_as_chance_does(feature: object) -> None:
    found = scored(feature, LATE)
    assert found is not None and abs(found[0] - 0.5) < 0.06


def test_numbers_and_more_than_two_classes_have_scores() -> None:
    price = NOISE * 10 + 3
    found = scored(price * 2, price)
    assert found is not None and found[0] > 0.95 and found[1] == "R2"
    found = scored(CHANCE.normal(size=2_000), price)
    assert found is not None and found[0] < 0.05
    kind = np.array(["a", "b", "c", "d"])[CHANCE.integers(0, 4, 2_000)]
    found = scored(kind == "c", kind)
    assert found is not None and found[0] > 0.99


@pytest.mark.parametrize(
    ("feature", "label"),
    [([1] * 10, [0, 1] * 5), ([1.0] * 100, [1] * 100), ([{"a": 1}] * 100, [0, 1] * 50), ([1] * 100, [0] * 99 + [1])],
)
def test_too_little_says_nothing(feature: object, label: object) -> None:
    assert scored(feature, label) is None


def test_the_area_is_that_of_scikit_learn() -> None:
    predicted = np.round(NOISE + LATE, 1)
    assert _area(predicted, LATE.astype(float)) == pytest.approx(roc_auc_score(LATE, predicted))


def test_hints_are_those_at_the_limit_the_best_first() -> None:
    rows = pa.table({
        "late": pa.array(LATE, mask=CHANCE.random(2_000) < 0.1), "noise": NOISE, "copy": LATE,
        "near": np.where(CHANCE.random(2_000) < 0.02, ~LATE, LATE),
    })  # fmt: skip
    found = hints(rows, "late", 0.9)
    assert [hint.feature for hint in found] == ["copy", "near"]
    assert hints(rows, "late", 0.999)[0].score == 1
