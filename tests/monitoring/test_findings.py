"""From values to findings without Spark: where bins are cut, what is counted in them, what is made of the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sparkml_track.monitoring._counting.cuts import number_cuts, text_cuts
from sparkml_track.monitoring._counting.places import Cuts
from sparkml_track.monitoring._found import DRIFT, OK, Drift
from sparkml_track.monitoring._judging.drift import drift
from sparkml_track.monitoring._judging.profile import profile
from sparkml_track.monitoring._spec import Guards
from tests.monitoring.passes import passed

RANDOM = np.random.default_rng(5)


def repeated(**counts: int) -> np.ndarray:
    return np.repeat([float(name.lstrip("v")) for name in counts], list(counts.values()))


def watched(base: Any, now: Any, cuts: Cuts) -> tuple[Drift, dict[str, Any]]:
    """The drift of one column, and the profile of the window."""
    values = pa.concat_arrays([pa.array(base), pa.array(now)])
    counts = passed(["+vbase"] * len(base) + ["-vnow"] * len(now), {"x": (values, cuts)})
    (found,) = drift(counts, Guards())
    return found, next(asdict(row) for row in profile(counts) if row.window == "now")


def numbers(base: np.ndarray, now: np.ndarray, sample: int | None = None) -> tuple[Drift, dict[str, Any]]:
    return watched(base, now, number_cuts(base[:sample], base.min(), base.max()))


@pytest.mark.parametrize(
    ("base", "now"),
    [
        (repeated(v0=9_950, v1=50), repeated(v0=4_000, v1=6_000)),
        (np.zeros(10_000), np.ones(1_000)),
        (np.zeros(10_000), np.full(1_000, -1.0)),
        (np.full(10_000, 5.0), np.full(1_000, 1e6)),
        (repeated(v1=100, v2=200, v3=400, v4=300), repeated(v1=100, v2=200, v3=40, v4=660)),
        (np.repeat(np.arange(12.0), 1_000), np.repeat(np.arange(12.0), [1_000, 100, 1_900, *[1_000] * 9])),
        (np.repeat([0.0, 100.0], 5_000), np.full(1_000, 50.0)),
        (np.concatenate([np.zeros(9_000), RANDOM.lognormal(size=1_000)]), RANDOM.lognormal(size=1_000)),
        (RANDOM.normal(size=10_000), RANDOM.normal(size=1_000) + 100),
        (RANDOM.normal(size=10_000), np.full(1_000, float("inf"))),
    ],
    ids=["flag", "constant", "below", "far above", "threes", "months", "between", "zeros", "shifted", "infinite"],
)
def test_a_shift_of_heavy_values_or_out_of_the_range_is_an_alarm(base: np.ndarray, now: np.ndarray) -> None:
    found, _ = numbers(base, now)
    assert found.verdict == DRIFT
    assert found.psi > 0.2


@pytest.mark.parametrize("size", [500, 5_000])
@pytest.mark.parametrize(
    "draw",
    [
        lambda n: RANDOM.normal(size=n),
        lambda n: (RANDOM.random(n) < 0.005) * 1.0,
        lambda n: RANDOM.poisson(3, n) * 1.0,
        lambda n: np.where(RANDOM.random(n) < 0.9, 0.0, RANDOM.lognormal(size=n)),
        lambda n: RANDOM.integers(0, 60, n) * 1.0,
    ],
    ids=["normal", "flag", "counts", "zeros", "minutes"],
)
def test_rows_of_the_same_kind_are_no_alarm_and_psi_is_about_its_null_mean(draw: Any, size: int) -> None:
    found = [numbers(draw(20_000), draw(size))[0] for _ in range(20)]
    assert {each.verdict for each in found} == {OK}
    assert np.mean([each.psi / each.psi_null for each in found]) == pytest.approx(1, abs=0.5)


def test_a_value_that_the_sample_missed_is_not_outside_the_range() -> None:
    base = np.concatenate([RANDOM.random(1_000), [7.0]])
    cuts = number_cuts(base[:1_000], base.min(), base.max())
    assert cuts.points[-1] == 7.0


@pytest.mark.parametrize(
    ("now", "p50", "p95"),
    [
        (repeated(v0=4_000, v1=6_000), 1, 1),
        (repeated(v0=5_000, v1=5_000), 0, 1),
        (repeated(v0=9_000, v7=1_000), 0, 7),
        (np.full(100, 0.3), 0.3, 0.3),
    ],
)
def test_quantiles_of_few_values_are_values_that_occur(now: np.ndarray, p50: float, p95: float) -> None:
    _, row = numbers(repeated(v0=9_950, v1=50), now)
    assert (row["p50"], row["p95"]) == (p50, p95)
    _, row = numbers(np.zeros(1_000), now)
    assert (row["p50"], row["p95"]) == (p50, p95)


def test_quantiles_of_many_values_are_close_to_those_of_the_rows() -> None:
    now = RANDOM.normal(0.3, 1, 5_000)
    _, row = numbers(RANDOM.normal(size=20_000), now)
    for share in (5, 25, 50, 75, 95):
        assert row[f"p{share:02d}"] == pytest.approx(np.quantile(now, share / 100), abs=0.2)


def texts(*pairs: tuple[str | None, int]) -> Sequence[str | None]:
    return [text for text, count in pairs for _ in range(count)]


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (texts(("UA", 600), ("DL", 400)), OK),
        (texts(("UA", 100), ("DL", 900)), DRIFT),
        (texts(("UA", 600), ("new", 400)), DRIFT),
        (texts(("UA", 600), (None, 400)), DRIFT),
    ],
)
def test_text_is_watched_by_its_values(now: Sequence[str | None], verdict: str) -> None:
    base = texts(("UA", 6_000), ("DL", 4_000))
    found, row = watched(base, now, text_cuts(base))
    assert (found.verdict, row["nulls"]) == (verdict, now.count(None))
    assert np.isnan([found.ks, row["mean"], row["min"], row["p50"]]).all()


def test_rare_texts_share_a_bin_with_those_never_seen() -> None:
    base = [f"user {number}" for number in range(3_000)]
    found, _ = watched(base, base, text_cuts(base))
    assert found.psi == 0
