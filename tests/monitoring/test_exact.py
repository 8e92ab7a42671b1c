"""Each measure of each kind of column is what scipy and DuckDB say of the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from sparkml_track.monitoring._counting import slots
from sparkml_track.monitoring._counting.counts import Counted
from sparkml_track.monitoring._counting.cuts import number_cuts, text_cuts
from sparkml_track.monitoring._found import CONSECUTIVE, Drift, Profile
from sparkml_track.monitoring._judging import measures
from sparkml_track.monitoring._judging.drift import consecutive, drift
from sparkml_track.monitoring._judging.profile import profile
from sparkml_track.monitoring._spec import Guards
from tests.monitoring.passes import passed

ROWS = {"+vbase": 6_000, "-vmay": 2_500, "-vjune": 1_500}
#: Columns whose values have a bin each, of which every measure is exact, and columns of many values.
FEW, MANY, TEXT = ("flag", "count", "holes", "constant", "length"), ("wind", "skewed"), ("carrier", "ids")


def rows() -> dict[str, Any]:
    random = np.random.default_rng(41)
    window = np.repeat(list(ROWS), list(ROWS.values()))
    late, n = window != "+vbase", len(window)
    holes = random.integers(0, 5, n) * 1.0
    words = ["x" * size for size in random.integers(1, 30, n) + 10 * late]
    return {
        "window": window.tolist(),
        "flag": (random.random(n) < np.where(late, 0.2, 0.05)) * 1.0,
        "count": random.poisson(np.where(window == "-vjune", 6, 4)) * 1.0,
        "holes": np.where(random.random(n) < np.where(late, 0.3, 0.1), np.nan, holes),
        "constant": np.full(n, 3.5),
        "length": np.array([float(len(word)) for word in words]),
        "wind": random.normal(np.where(late, 0.2, 0.0)),
        "skewed": random.lognormal(0, np.where(late, 1.3, 1.0)),
        "carrier": random.choice(["UA", "DL", "B6"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "ids": [f"user {number}" for number in random.integers(0, 3_000, n)],
        "score": random.random(n),
    }


@dataclass(frozen=True)
class Told:
    """The same rows, and what was made of them."""

    rows: dict[str, Any]
    counted: Counted
    drift: dict[tuple[str, str], Drift]
    profile: dict[tuple[str, str], Profile]

    def of(self, column: str, window: str) -> np.ndarray:
        """The values of a column that are there."""
        values = np.asarray(self.rows[column])[np.asarray(self.rows["window"]) == window]
        return values[~np.isnan(values)] if values.dtype == float else values


@pytest.fixture(scope="module")
def told() -> Told:
    found = rows()
    inside = np.asarray(found["window"]) == "+vbase"
    columns: dict[str, Any] = {}
    for name in (*FEW, *MANY):
        base = found[name][inside]
        columns[name] = (found[name], number_cuts(base, float(np.nanmin(base)), float(np.nanmax(base))))
    for name in TEXT:
        columns[name] = (found[name], text_cuts(np.asarray(found[name])[inside].tolist()))
    counted = passed(found["window"], columns, score=found["score"])
    drifts = {(each.column, each.window): each for each in drift(counted, Guards())}
    return Told(found, counted, drifts, {(row.column, row.window): row for row in profile(counted)})


def asked(told: Told, query: str) -> list[tuple[Any, ...]]:
    """DuckDB's answer."""
    t = pa.table({name: pa.array(values, from_pandas=True) for name, values in told.rows.items()})
    with duckdb.connect() as connection:
        connection.register("t", t)
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found


def binned(told: Told, column: str, window: str) -> tuple[np.ndarray, np.ndarray]:
    """Counts of baseline and window in the coarse bins, cut from the rows by numpy alone."""
    cuts = told.counted.cuts[column]
    base, now = told.of(column, "+vbase"), told.of(column, f"-v{window}")
    if cuts.text:
        place = {text: number for number, text in enumerate(cuts.points, start=1)}
        fine = [
            np.bincount([place.get(v, len(place) + 1) for v in values], minlength=cuts.bins) for values in (base, now)
        ]
    else:
        points = np.asarray(cuts.points)
        fine = [
            np.bincount(np.searchsorted(points, v, "left") + np.searchsorted(points, v, "right"), minlength=cuts.bins)
            for v in (base, now)
        ]
    groups = measures.regroup(fine[0].astype(float), 10)
    p, q = (np.bincount(groups, weights=counts) for counts in fine)
    windows = np.asarray(told.rows["window"])
    holes = [(windows == each).sum() - len(told.of(column, each)) for each in ("+vbase", f"-v{window}")]
    return (np.append(p, holes[0]), np.append(q, holes[1])) if sum(holes) else (p, q)


@pytest.mark.parametrize("window", ["may", "june"])
@pytest.mark.parametrize("column", [*FEW, *MANY, *TEXT])
def test_measures_of_shares_agree_with_scipy_on_the_bins(told: Told, column: str, window: str) -> None:
    found, (p, q) = told.drift[column, window], binned(told, column, window)
    used = p + q > 0
    shares = p / p.sum(), q / q.sum()
    smooth = [(counts[used] + 0.5) / (counts.sum() + 0.5 * used.sum()) for counts in (p, q)]
    assert found.psi == pytest.approx(np.sum((smooth[0] - smooth[1]) * np.log(smooth[0] / smooth[1])))
    assert found.js == pytest.approx(jensenshannon(*shares, base=2), abs=1e-9)
    assert found.tv == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2)
    assert found.l_infinity == pytest.approx(np.abs(shares[0] - shares[1]).max())
    table = np.array([p[used], q[used]])
    expected = chi2_contingency(table, correction=False) if used.sum() > 1 else None
    assert found.chi_squared == pytest.approx(expected.statistic if expected else 0.0)
    assert found.chi_squared_p_value == pytest.approx(expected.pvalue if expected else 1.0)


@pytest.mark.parametrize("window", ["may", "june"])
@pytest.mark.parametrize("column", FEW)
def test_of_few_values_distances_agree_with_scipy_on_the_rows(told: Told, column: str, window: str) -> None:
    found, base, now = told.drift[column, window], told.of(column, "+vbase"), told.of(column, f"-v{window}")
    exact = ks_2samp(base, now, method="asymp")
    assert found.ks == pytest.approx(exact.statistic)
    assert found.ks_p_value == pytest.approx(exact.pvalue, abs=1e-12)
    # Lengths above the longest of the baseline share a bin.
    if now.max() <= base.max():
        assert found.wasserstein == pytest.approx(wasserstein_distance(base, now))


@pytest.mark.parametrize("column", MANY)
def test_of_many_values_distances_are_those_of_the_bins_and_close_to_those_of_the_rows(told: Told, column: str) -> None:
    found, base, now = told.drift[column, "may"], told.of(column, "+vbase"), told.of(column, "-vmay")
    points = np.asarray(told.counted.cuts[column].points)
    fine = [np.searchsorted(points, v, "left") + np.searchsorted(points, v, "right") for v in (base, now)]
    means = [
        np.bincount(place, v) / np.maximum(np.bincount(place), 1) for place, v in zip(fine, (base, now), strict=True)
    ]
    assert found.wasserstein == pytest.approx(wasserstein_distance(means[0][fine[0]], means[1][fine[1]]))
    assert found.wasserstein == pytest.approx(wasserstein_distance(base, now), rel=0.03)
    exact = ks_2samp(base, now).statistic
    assert exact - 0.011 < found.ks <= exact + 1e-12


def test_counts_and_changes_agree_with_duckdb(told: Told) -> None:
    for column in (*FEW, *MANY, *TEXT):
        counts = f"count(*), count(*) - count({column}), count(distinct {column})"
        names = ("avg", "stddev_pop", "min", "max")
        numbers = ", ".join("1" if column in TEXT else f"{name}({column})" for name in names)
        query = f'select "window", {counts}, {numbers} from t group by all'
        answers = {row[0]: row[1:] for row in asked(told, query)}
        for window in ("may", "june"):
            n, nulls, distinct, mean, std, low, high = answers[f"-v{window}"]
            row, base, moved = told.profile[column, window], answers["+vbase"], told.drift[column, window]
            assert (row.rows, row.nulls) == (n, nulls)
            assert moved.null_change == pytest.approx(nulls / n - base[1] / base[0])
            if column in FEW or column == "carrier":
                assert row.distinct == distinct or column == "length"
            assert row.distinct == pytest.approx(distinct, rel=0.2)
            if column not in TEXT:
                assert (row.mean, row.std, row.min, row.max) == pytest.approx((mean, std, low, high))
                assert moved.mean_change == pytest.approx(mean - base[3])


@pytest.mark.parametrize("column", ["flag", "count", "holes", "constant"])
def test_quantiles_of_few_values_agree_with_duckdb(told: Told, column: str) -> None:
    query = f"select quantile_disc({column}, [0.05, 0.25, 0.5, 0.75, 0.95]) from t where \"window\" = '-vmay'"
    row = told.profile[column, "may"]
    assert [row.p05, row.p25, row.p50, row.p75, row.p95] == asked(told, query)[0][0]


def test_windows_are_compared_with_the_one_before_too(told: Told) -> None:
    found = {(each.column, each.window): each for each in consecutive(told.counted, Guards())}
    assert {(each.against, each.before) for key, each in found.items() if key[1] == "june"} == {(CONSECUTIVE, "base")}
    may = found["count", "may"]
    assert (may.before, may.baseline_rows, may.rows) == ("june", 1_500, 2_500)  # labels are in the order of text
    assert may.ks == pytest.approx(ks_2samp(told.of("count", "-vjune"), told.of("count", "-vmay")).statistic)


def test_the_change_of_the_score_that_a_column_explains_is_that_of_a_regression_on_its_bins() -> None:
    random = np.random.default_rng(5)
    n = 20_000
    window = ["+vbase"] * n + ["-vnow"] * n
    late = np.repeat([0, 1], n)
    cause, other = (random.random(2 * n) < 0.2 + 0.4 * late) * 1.0, random.integers(0, 4, 2 * n) * 1.0
    score = 0.1 + 0.5 * cause + 0.02 * other + random.normal(0, 0.01, 2 * n)
    columns = {
        name: (values, number_cuts(values[:n], values[:n].min(), values[:n].max()))
        for name, values in {"cause": cause, "other": other}.items()
    }
    found = {each.column: each for each in drift(passed(window, columns, score=score), Guards())}
    slope, level = np.polyfit(cause[:n], score[:n], 1)
    predicted = (slope * cause[n:] + level).mean() - score[:n].mean()
    assert found["cause"].score_change == pytest.approx(predicted)
    assert found["cause"].score_share == pytest.approx(predicted / (score[n:].mean() - score[:n].mean()))
    assert found["cause"].score_share > 0.97
    assert abs(found["other"].score_share) < 0.03


@pytest.mark.parametrize("size", [1, 20, 300, 5_000, 80_000])
def test_many_different_values_are_counted_within_a_few_standard_errors(size: int) -> None:
    values = np.random.default_rng(size).normal(size=size) * 1e6
    base = np.zeros(10)
    window = ["+vbase"] * 10 + ["-vnow"] * size
    column = np.concatenate([base, values])
    (row,) = (
        each for each in profile(passed(window, {"x": (column, number_cuts(base, 0.0, 0.0))})) if each.window == "now"
    )
    assert row.distinct == pytest.approx(size, rel=3 * 1.04 / np.sqrt(slots.REGISTERS), abs=1)


def test_slices_are_counted_as_the_rows_of_each_alone() -> None:
    random = np.random.default_rng(9)
    n = 4_000
    window = np.array(["+vbase"] * n + ["-vnow"] * n)
    x, region = (
        random.normal(size=2 * n),
        random.choice(["east", "west", "rare", "none"], 2 * n, p=[0.5, 0.3, 0.1, 0.1]),
    )
    region = np.where(region == "none", None, region)
    wet = random.choice(["true", "false", None], 2 * n)
    cuts = number_cuts(x[:n], x[:n].min(), x[:n].max())
    slicings = {"region": (region.tolist(), ("east", "west")), "wet": (wet.tolist(), None)}
    counted = passed(window.tolist(), {"x": (x, cuts)}, slicings=slicings)
    masks = {
        ("region", "east"): region == "east",
        ("region", "west"): region == "west",
        ("region", "(other)"): region == "rare",
    }
    masks |= {("region", "null"): np.equal(region, None), ("wet", "true"): wet == "true"}
    assert set(counted.parts) == {(None, None), *masks}
    found = {(each.slice_key, each.slice_value): each for each in drift(counted, Guards(min_rows=1))}
    for key, mask in masks.items():
        (alone,) = drift(passed(window[mask].tolist(), {"x": (x[mask], cuts)}), Guards(min_rows=1))
        each = found[key]
        assert (each.rows, each.baseline_rows) == (alone.rows, alone.baseline_rows)
        assert (each.psi, each.ks, each.wasserstein) == pytest.approx((alone.psi, alone.ks, alone.wasserstein))


def test_a_slice_that_the_baseline_does_not_have_is_compared_with_nothing() -> None:
    window = ["+vbase"] * 600 + ["-vnow"] * 600
    region = ["old"] * 600 + ["new"] * 600
    x = np.tile([1.0, 2.0], 600)
    counted = passed(window, {"x": (x, number_cuts(x, 1.0, 2.0))}, slicings={"region": (region, ("old", "new"))})
    (found,) = (each for each in drift(counted, Guards()) if each.slice_value == "new")
    assert (found.rows, found.baseline_rows, found.verdict) == (600, 0, "too few rows")
    assert np.isnan([found.psi, found.ks, found.js, found.chi_squared, found.mean_change]).all()
