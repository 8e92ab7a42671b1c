"""Monitoring jobs on Spark: labels that come later, slices, lengths, numbers, rankings, and what cannot be judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import log_loss, ndcg_score, r2_score

from sparkml_track.errors import DataError, SpecError
from sparkml_track.monitoring import (
    CONSECUTIVE,
    DRIFT,
    OK,
    ByTime,
    ByValue,
    Guards,
    Labels,
    Monitored,
    Monitoring,
    monitor,
)
from sparkml_track.refs import TableRef
from sparkml_track.registries import MemoryRegistry
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
RANDOM = np.random.default_rng(8)
N = 4_000
NOW = datetime(2024, 5, 1, tzinfo=UTC)
GUARDS = Guards(min_rows=200)


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DeltaTables:
    return DeltaTables(tmp_path_factory.mktemp("tables"), spark)


def frame() -> dict[str, Any]:
    month = np.repeat([1, 2, 3, 4], N // 4)
    score = RANDOM.random(N)
    return {
        "id": np.arange(N),
        "month": month,
        "at": pa.array([datetime(2024, int(m), 5, tzinfo=UTC) for m in month], pa.timestamp("us", "UTC")),
        "score": score,
        "city": RANDOM.choice(["Rome", "Oslo", "Lima"], N, p=[0.6, 0.38, 0.02]),
        "note": ["x" * size for size in RANDOM.integers(1, 20, N) + 15 * (month == 4)],
        "query": RANDOM.integers(0, 100, N),
        "empty": pa.nulls(N, pa.float64()),
        "many": [f"u{number}" for number in RANDOM.permutation(N)],
        "truth": (RANDOM.random(N) < score) * 1,
        "amount": score * 10 + RANDOM.normal(size=N),
    }


ROWS = frame()


@pytest.fixture(scope="module")
def source(tables: DeltaTables) -> TableRef:
    return tables.write("scored", pa.table({name: values for name, values in ROWS.items() if name != "truth"}))


@pytest.fixture(scope="module")
def labels(tables: DeltaTables) -> TableRef:
    """Those of April come in May. Some come twice, first wrong; for some there is none, and some are of nobody."""
    there = np.arange(N) % 5 > 0
    known = [NOW + timedelta(days=int(day)) for day in np.where(ROWS["month"][there] == 4, 10, -10)]
    truth, before = ROWS["truth"][there], [at - timedelta(days=1) for at in known]
    first = {"key": ROWS["id"][there], "truth": 1 - truth, "known": before}
    last = {"key": ROWS["id"][there], "truth": truth, "known": known}
    none = {"key": [1, N + 7], "truth": [None, 1], "known": [NOW - timedelta(days=1), NOW]}
    types = pa.schema([("key", pa.int64()), ("truth", pa.int64()), ("known", pa.timestamp("us", "UTC"))])
    return tables.write("truths", pa.concat_tables([pa.table(each, types) for each in (first, last, none)]))


@pytest.fixture(scope="module")
def spec(source: TableRef, labels: TableRef) -> Monitoring:
    late = Labels(labels, {"id": "key"}, known_at="known", as_of=NOW)
    return Monitoring(
        (source,),
        ByTime("at", "month", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        "watched",
        "tests",
        ("city", "empty", "many"),
        label="truth",
        labels=late,
        lengths=("note",),
        slices=("city",),
        conditions={"high": "score > 0.5"},
        slice_values=2,
        guards=GUARDS,
    )


@pytest.fixture(scope="module")
def found(spec: Monitoring, tables: DeltaTables) -> Monitored:
    return monitor(spec, tables, MemoryRegistry())


def of(month: int) -> np.ndarray:
    return np.asarray(ROWS["month"]) == month


def test_labels_count_once_they_are_known_and_the_last_one_counts(found: Monitored) -> None:
    whole = {each.window: each for each in found.quality if each.slice_key is None}
    assert set(whole) == {"2024-01", "2024-02", "2024-03"}
    march = of(3) & (np.arange(N) % 5 > 0)
    assert (whole["2024-03"].rows, whole["2024-03"].scored) == (march.sum(), N // 4)
    assert whole["2024-03"].coverage == pytest.approx(0.8)
    assert whole["2024-03"].log_loss == pytest.approx(log_loss(ROWS["truth"][march], ROWS["score"][march]))


def test_quality_is_estimated_where_labels_are_missing_and_measured_when_they_came(
    found: Monitored, spec: Monitoring, tables: DeltaTables
) -> None:
    early = {each.window: each for each in found.estimates if each.slice_key is None}
    assert set(early) == {"2024-03", "2024-04"}
    assert (early["2024-04"].how, early["2024-04"].coverage) == ("estimated", 0.0)
    assert spec.labels is not None
    later = replace(spec, target="later", labels=replace(spec.labels, as_of=NOW + timedelta(days=20)))
    measured = {
        each.window: each for each in monitor(later, tables, MemoryRegistry()).quality if each.slice_key is None
    }
    assert measured["2024-04"].accuracy == pytest.approx(early["2024-04"].accuracy, abs=0.04)


def test_slices_have_drift_and_quality_of_their_own(found: Monitored) -> None:
    keys = {(each.slice_key, each.slice_value) for each in found.drift}
    assert keys == {(None, None), ("city", "Rome"), ("city", "Oslo"), ("city", "(other)"), ("high", "true")}
    high = next(q for q in found.quality if (q.slice_key, q.window) == ("high", "2024-03"))
    assert high.scored == (of(3) & (ROWS["score"] > 0.5)).sum()
    assert {each.slice_key for each in found.fairness} == {"city"}


def test_the_length_of_text_is_a_column(found: Monitored, tables: DeltaTables) -> None:
    alarms = [each for each in found.alarms if each.slice_key is None]
    assert [(each.column, each.window) for each in alarms] == [("length(note)", "2024-04")]
    lengths = np.array([len(text) for text in ROWS["note"]])
    assert alarms[0].mean_change == pytest.approx(lengths[of(4)].mean() - lengths[of(1) | of(2)].mean())
    verdict = found.verdicts[0]
    assert (verdict.column, verdict.state, verdict.since) == ("length(note)", DRIFT, "2024-04")
    kept = tables.to_arrow(found.tables["verdict"]).to_pylist()
    assert {row["column"] for row in kept} == {"city", "empty", "many", "score", "length(note)"}


def test_windows_of_time_are_compared_with_the_one_before(found: Monitored) -> None:
    pairs = {(each.window, each.before, each.against) for each in found.consecutive if each.slice_key is None}
    assert pairs == {("2024-03", "2024-02", CONSECUTIVE), ("2024-04", "2024-03", CONSECUTIVE)}


def test_columns_that_say_nothing_have_a_defined_result(found: Monitored, tables: DeltaTables) -> None:
    drifts = {each.column: each for each in found.drift if (each.window, each.slice_key) == ("2024-03", None)}
    assert (drifts["empty"].psi, drifts["empty"].p_value, drifts["empty"].verdict) == (0.0, 1.0, OK)
    # Texts that come once each share a bin, and new ones are in it.
    assert (drifts["many"].psi, drifts["many"].verdict) == (0.0, OK)
    profile = tables.to_arrow(found.tables["profile"]).to_pylist()
    many = next(row for row in profile if (row["column"], row["window"], row["slice_key"]) == ("many", "2024-03", None))
    assert many["distinct"] == pytest.approx(N // 4, rel=0.2)


def test_since_is_the_first_window_of_earlier_runs(spec: Monitoring, tables: DeltaTables, source: TableRef) -> None:
    first = replace(spec, target="followed", label=None, labels=None, slices=(), conditions={})
    by = ByValue("month", (1,))
    assert monitor(replace(first, windows=by), tables, MemoryRegistry()).verdicts[0].since == "4"
    rows = pa.table({name: values for name, values in ROWS.items() if name != "truth"})
    month = rows.schema.get_field_index("month")
    keep = rows.filter(pa.array(np.isin(ROWS["month"], [1, 4])))
    later = tables.write(
        "later_rows", keep.set_column(month, "month", pa.array(np.where(keep["month"].to_numpy() == 4, 5, 1)))
    )
    second = monitor(replace(first, windows=by, sources=(later,)), tables, MemoryRegistry())
    assert (second.verdicts[0].window, second.verdicts[0].since, second.verdicts[0].windows) == ("5", "4", 2)


def test_numbers_are_judged_as_numbers(spec: Monitoring, tables: DeltaTables) -> None:
    regression = replace(
        spec, target="amounts", label="amount", labels=None, problem="regression", slices=(), conditions={}
    )
    found = monitor(regression, tables, MemoryRegistry())
    march = next(each for each in found.quality if each.window == "2024-03")
    assert march.r2 == pytest.approx(r2_score(ROWS["amount"][of(3)], ROWS["score"][of(3)]))
    assert (found.estimates, found.fairness) == ((), ())


def test_rankings_agree_with_scikit_learn(spec: Monitoring, tables: DeltaTables) -> None:
    truth = (RANDOM.random(N) < 0.2) * 1
    rows = pa.table({"month": ROWS["month"], "query": ROWS["query"], "score": ROWS["score"], "hit": truth})
    ranking = Monitoring(
        (tables.write("ranked", rows),), ByValue("month", (1,)), "orders", "tests", (), label="hit", problem="ranking",
        group="query", at=3, guards=GUARDS,
    )  # fmt: skip
    march = next(each for each in monitor(ranking, tables, MemoryRegistry()).quality if each.window == "3")
    gains, precisions, recalls = [], [], []
    for query in range(100):
        mask = of(3) & (ROWS["query"] == query)
        if truth[mask].sum():
            best = truth[mask][np.argsort(-ROWS["score"][mask])][:3]
            precisions.append(best.sum() / 3)
            recalls.append(best.sum() / truth[mask].sum())
            gains.append(ndcg_score([truth[mask]], [ROWS["score"][mask]], k=3) if mask.sum() > 1 else 1.0)
    assert march.groups == len(gains)
    assert march.ndcg_at == pytest.approx(np.mean(gains))
    assert (march.precision_at, march.recall_at) == pytest.approx((np.mean(precisions), np.mean(recalls)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slices": ("town",)}, "no column 'town'"),
        ({"lengths": ("score",)}, "column 'score' is double, which has no length of text"),
        ({"conditions": {"odd": "nothing > 1"}}, "the rows could not be counted.*nothing"),
        ({"label": "lies"}, "truths@v0 has no column 'lies'; it has key, truth, known"),
    ],
)
def test_what_is_missing_is_named(spec: Monitoring, tables: DeltaTables, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        monitor(replace(spec, **change), tables, MemoryRegistry())


def test_keys_of_labels_must_fit(spec: Monitoring, tables: DeltaTables, labels: TableRef) -> None:
    for keys, message in (
        ({"city": "key"}, "key 'city' is string in scored@v0 and bigint in truths@v0"),
        ({"uid": "key"}, "key 'uid' is not there in scored@v0"),
    ):
        with pytest.raises(DataError, match=message):
            monitor(replace(spec, labels=Labels(labels, keys, known_at="known")), tables, MemoryRegistry())
    with pytest.raises(DataError, match="has more than one label for the key"):
        monitor(replace(spec, labels=Labels(labels, {"id": "key"})), tables, MemoryRegistry())


def test_a_job_that_makes_no_sense_is_refused(spec: Monitoring, labels: TableRef) -> None:
    with pytest.raises(SpecError, match="problem is 'guess', allowed are classification, regression, ranking"):
        replace(spec, problem="guess")
    with pytest.raises(SpecError, match=r"problem is 'ranking', which needs group= and label="):
        replace(spec, problem="ranking")
    with pytest.raises(SpecError, match=r"as_of is .* needs known_at="):
        Labels(labels, {"id": "key"}, as_of=NOW)
    with pytest.raises(SpecError, match="keys is empty"):
        Labels(labels, {})
