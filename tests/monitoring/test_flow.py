"""Monitoring jobs on Spark: what is written is what numpy and scikit-learn say of the same rows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from sparkml_track import schema
from sparkml_track.errors import DataError, SpecError
from sparkml_track.monitoring import (
    ARTIFACT_MONITORING,
    DRIFT,
    FEW,
    OK,
    ByTime,
    ByValue,
    Guards,
    Monitored,
    Monitoring,
    monitor,
)
from sparkml_track.registries import MemoryRegistry
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROWS = {1: 4_000, 2: 4_000, 3: 3_000, 11: 3_000, 12: 20}


def rows() -> pa.Table:
    """Month 11 has other wind and more holes; month 12 has 20 rows; month 3 is as the baseline (1 and 2)."""
    random = np.random.default_rng(2)
    month = np.repeat(list(ROWS), list(ROWS.values()))
    wind = random.normal(np.where(month == 11, 1.0, 0.0))
    score = 1 / (1 + np.exp(-wind))
    gust = np.where(
        random.random(len(month)) < np.where(month == 11, 0.5, 0.1), np.nan, random.normal(1e6, 1, len(month))
    )
    late: list[int | None] = (random.random(len(month)) < score).astype(int).tolist()
    late[-1] = None
    return pa.table(
        {
            "month": month,
            "wind": wind,
            "gust": pa.array(gust, from_pandas=True),
            "weekday": random.integers(0, 7, len(month)),
            "holiday": random.random(len(month)) < 0.02,
            "none": pa.nulls(len(month), pa.float64()),
            "score": score,
            "late": pa.array(late, pa.int64()),
            "carrier": ["UA"] * len(month),
            "tags": [["a"]] * len(month),
            "twos": [None if value is None else value + 1 for value in late],
        }
    )


COLUMNS = ("wind", "gust", "weekday", "holiday", "none")


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DeltaTables:
    return DeltaTables(tmp_path_factory.mktemp("tables"), spark)


@pytest.fixture(scope="module")
def spec(tables: DeltaTables) -> Monitoring:
    table = rows()
    early = pa.compute.less(table["month"], 4)
    sources = (tables.write("early", table.filter(early)), tables.write("late", table.filter(pa.compute.invert(early))))
    return Monitoring(sources, ByValue("month", (1, 2)), "watched", "tests", COLUMNS, label="late")


@pytest.fixture(scope="module")
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture(scope="module")
def result(spec: Monitoring, tables: DeltaTables, registry: MemoryRegistry) -> Monitored:
    return monitor(spec, tables, registry)


def of_month(month: int) -> Any:
    frame = rows().to_pandas()
    return frame[frame["month"] == month]


pytestmark = pytest.mark.spark


def test_what_moved_is_an_alarm_and_nothing_else(result: Monitored) -> None:
    verdicts = {(each.column, each.window): each.verdict for each in result.drift}
    moved = {("wind", "11"), ("gust", "11"), ("score", "11")}
    assert {key for key, verdict in verdicts.items() if verdict == DRIFT} == moved
    assert {verdict for (_, window), verdict in verdicts.items() if window == "12"} == {FEW}
    assert {verdict for (_, window), verdict in verdicts.items() if window == "3"} == {OK}
    assert [each.psi for each in result.alarms] == sorted((each.psi for each in result.alarms), reverse=True)


def test_thin_windows_would_alarm_without_the_guards(spec: Monitoring, tables: DeltaTables) -> None:
    bold = monitor(replace(spec, guards=Guards(min_rows=1, psi=0.0, alpha=0.9999)), tables, MemoryRegistry())
    assert any(each.verdict == DRIFT for each in bold.drift if each.window == "12")


def test_quality_by_window_agrees_with_scikit_learn(result: Monitored) -> None:
    assert [(each.window, each.in_baseline) for each in result.quality] == [
        ("1", True), ("2", True), ("3", False), ("11", False), ("12", False),
    ]  # fmt: skip
    for each in result.quality:
        frame = of_month(int(each.window)).dropna(subset=["late"])
        late, score = frame["late"].to_numpy(), frame["score"].to_numpy()
        assert each.rows == len(frame)
        assert each.log_loss == pytest.approx(log_loss(late, score))
        assert each.brier == pytest.approx(brier_score_loss(late, score))
        assert each.auc == pytest.approx(roc_auc_score(late, score), abs=1e-2)
        assert each.calibration == pytest.approx(score.mean() - late.mean())


def test_each_run_appends_its_rows_and_a_run_tried_again_adds_none(spec: Monitoring, tables: DeltaTables) -> None:
    kept = replace(spec, target="kept", columns=("wind",), id="first")
    first = monitor(kept, tables, MemoryRegistry())
    assert first.id == "first"
    again = monitor(kept, tables, MemoryRegistry())
    assert again.tables == first.tables
    second = monitor(replace(kept, id=None), tables, MemoryRegistry())
    for name, ref in second.tables.items():
        rows = tables.to_arrow(ref).to_pandas()
        assert set(rows["run_id"]) == {"first", second.id}
        halves = [part.drop(columns=["run_id", "monitored_at"]) for _, part in rows.groupby("run_id")]
        assert len(halves[0]) == len(halves[1]) > 0, name
        assert rows.groupby("run_id")["monitored_at"].nunique().tolist() == [1, 1]


def test_the_profile_agrees_with_pandas(result: Monitored, tables: DeltaTables) -> None:
    profile = tables.to_arrow(result.tables["profile"]).to_pandas().set_index(["window", "column"])
    frame = of_month(11)
    # gust lies at a million with a spread of one: plain sums of squares would lose it.
    for column in ("wind", "gust", "weekday"):
        row, values = profile.loc[("11", column)], frame[column]
        assert (row["rows"], row["nulls"]) == (3_000, values.isna().sum())
        assert row["mean"] == pytest.approx(values.mean())
        assert row["std"] == pytest.approx(values.std(ddof=0))
        assert (row["min"], row["max"]) == (values.min(), values.max())
    assert profile.loc[("11", "wind"), "p50"] == pytest.approx(frame["wind"].median(), abs=0.05)
    assert profile.loc[("baseline", "wind"), "rows"] == 8_000
    assert profile.loc[("11", "none"), "nulls"] == 3_000
    assert math.isnan(profile.loc[("11", "none"), "mean"])


def test_psi_is_that_of_deciles_of_the_baseline(result: Monitored) -> None:
    wind = rows().to_pandas()
    base, now = wind[wind["month"] < 3]["wind"], wind[wind["month"] == 11]["wind"]
    edges = np.quantile(base, np.arange(1, 10) / 10)
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=10) / len(x) for x in (base, now))
    found = next(each for each in result.drift if (each.column, each.window) == ("wind", "11"))
    assert found.psi == pytest.approx(np.sum((p - q) * np.log(p / q)), rel=0.03)
    # And one bin of what is above the highest wind of the baseline.
    assert now.max() > base.max()
    assert now.min() > base.min()
    assert found.psi_null == pytest.approx(10 * (1 / 8_000 + 1 / 3_000))


def test_the_run_has_figures_a_page_and_all_table_versions(
    result: Monitored, spec: Monitoring, registry: MemoryRegistry
) -> None:
    run = registry.runs[result.run_id]
    assert run.kind == "monitoring"
    assert run.metrics["alarms"] == 3
    assert run.tags[schema.TAG_MONITORING] == result.id
    assert run.metrics["log_loss.11"] == result.quality[3].log_loss
    assert run.metrics["baseline.log_loss.1"] == result.quality[0].log_loss
    assert {ref.table for ref in run.data} == {*spec.sources, *result.tables.values()}
    page = run.artifacts[ARTIFACT_MONITORING]
    assert all(text in page for text in ("Drift by column and window", "Quality by window", "wind", "plotly"))


def test_windows_of_time_are_cut_where_the_baseline_ends(tables: DeltaTables) -> None:
    days = [datetime(2013, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(59)]
    random = np.random.default_rng(3)
    table = pa.table(
        {
            "at": pa.array(np.repeat(np.array(days, dtype=object), 100).tolist(), pa.timestamp("us", "UTC")),
            "score": random.random(5_900),
            "late": random.integers(0, 2, 5_900),
        }
    )
    by = ByTime("at", "month", datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 21, tzinfo=UTC))
    spec = Monitoring((tables.write("timed", table),), by, "timed", "tests", (), label="late")
    found = monitor(spec, tables, MemoryRegistry())
    assert [(each.window, each.in_baseline, each.rows) for each in found.quality] == [
        ("2013-01", True, 2_000), ("2013-01", False, 1_100), ("2013-02", False, 2_800),
    ]  # fmt: skip
    assert [(each.column, each.window, each.verdict) for each in found.drift] == [
        ("score", "2013-01", OK), ("score", "2013-02", OK),
    ]  # fmt: skip
    weekly = monitor(replace(spec, windows=replace(by, every="week")), tables, MemoryRegistry())
    assert [each.window for each in weekly.drift][:2] == ["2013-01-21", "2013-01-28"]


def test_numbers_that_one_source_has_with_fewer_digits_have_not_drifted(tables: DeltaTables) -> None:
    """Endpoints keep what a model takes, which may be floats; the training set has doubles."""
    random = np.random.default_rng(4)
    table = pa.table({"batch": np.repeat([1, 2], 2_000), "gust": random.integers(0, 40, 4_000) * 1.15078})
    table = table.append_column("score", pa.array(random.random(4_000)))
    first, second = table.slice(0, 2_000), table.slice(2_000)
    second = second.set_column(1, "gust", second["gust"].cast(pa.float32()))
    sources = tables.write("doubles", first), tables.write("floats", second)
    found = monitor(Monitoring(sources, ByValue("batch", (1,)), "digits", "tests", ("gust",)), tables, MemoryRegistry())
    assert [each.verdict for each in found.drift] == [OK, OK]
    assert max(each.psi for each in found.drift) < 0.1


def test_labels_of_other_values_are_judged_by_the_positive_one(
    spec: Monitoring, tables: DeltaTables, result: Monitored
) -> None:
    found = monitor(replace(spec, label="twos", positive=2, target="twos"), tables, MemoryRegistry())
    assert found.quality == result.quality


def test_any_column_name_and_any_window_goes_the_whole_way(tables: DeltaTables) -> None:
    random = np.random.default_rng(4)
    where = ["R&D (south)"] * 1_000 + ["30+"] * 1_000 + ["a,b"] * 1_000 + [None] * 1_000
    columns: dict[str, Any] = {name: random.random(4_000) for name in ("Sepal.Length", "`tick`", "score", "0")}
    columns["pay.day"] = pa.array([Decimal("1.50")] * 4_000, pa.decimal128(10, 2))
    columns["the.label"] = ["yes", "no"] * 2_000
    columns["kind"] = ["new" if name is None else "old" for name in where]
    source = tables.write("odd", pa.table({"where": where, "window": where} | columns))
    watched = ("Sepal.Length", "`tick`", "0", "pay.day", "kind", "window")
    windows = ByValue("where", ("R&D (south)", "30+"))
    spec = Monitoring((source,), windows, "odd", "tests", watched, label="the.label", positive="yes")
    found = monitor(spec, tables, MemoryRegistry())
    assert {each.window for each in found.drift} == {"a,b", "null"}
    assert {(each.column, each.window) for each in found.alarms} == {
        ("kind", "null"),
        *(("window", w) for w in ("a,b", "null")),
    }
    assert [each.base_rate for each in found.quality] == [0.5] * 4
    profile = tables.to_arrow(found.tables["profile"]).to_pandas().set_index(["window", "column"])
    assert profile.loc[("a,b", "pay.day"), "p50"] == 1.5


@pytest.mark.parametrize(
    ("column", "baseline", "others"),
    [
        ("flag", [True], {"false", "null"}),
        ("size", [1e10], {"2.5", "null"}),
        ("at", [datetime(2013, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))], {"2013-01-02 00:00:00", "null"}),
        ("at", [None], {"2013-01-01 00:00:00", "2013-01-02 00:00:00"}),
        ("single", [0.1], {"0.2", "null"}),
    ],
)
def test_a_baseline_is_matched_by_value_and_not_by_text(
    tables: DeltaTables, column: str, baseline: list[object], others: set[str]
) -> None:
    days = [datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC), None]
    columns = {"flag": [True, False, None], "size": [1e10, 2.5, None], "at": pa.array(days, pa.timestamp("us", "UTC"))}
    columns["single"] = pa.array([0.1, 0.2, None], pa.float32())
    source = tables.write("typed", pa.table(columns | {"score": [0.1, 0.2, 0.3]}), mode="overwrite")
    spec = Monitoring((source,), ByValue(column, baseline), "typed", "tests", ())
    assert {each.window for each in monitor(spec, tables, MemoryRegistry()).drift} == others


def test_without_a_label_there_is_no_quality(spec: Monitoring, tables: DeltaTables) -> None:
    found = monitor(replace(spec, label=None, target="unlabelled"), tables, MemoryRegistry())
    assert found.quality == ()
    assert set(found.tables) == {"profile", "drift", "verdict"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": ("wind", "gusts")}, "early@v0 cannot be watched.*no column 'gusts'"),
        ({"columns": ("tags",)}, "column 'tags' is array<string>"),
        ({"score": "carrier"}, "column 'carrier' is string"),
        ({"label": "carrier"}, r"column 'carrier' is string.*needs positive="),
        ({"label": "twos"}, r"labels in column 'twos'.*neither 0 nor 1 but from 2 to 2.*positive=2"),
        ({"label": "twos", "positive": 3}, "no row has 3 in column 'twos'"),
        ({"windows": ByValue("month", ("May",))}, "'May' can be no value of column 'month', which is bigint"),
        ({"windows": ByValue("week", (1,))}, "no column 'week'"),
        ({"windows": ByValue("month", (7,))}, r"no row is in the baseline .*7\); there are 1, 11, 12, 2, 3"),
        ({"score": "wind"}, "are not probabilities"),
    ],
)
def test_what_cannot_be_watched_is_named(
    spec: Monitoring, tables: DeltaTables, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        monitor(replace(spec, **change), tables, MemoryRegistry())


def test_guards_that_make_no_sense_are_all_told() -> None:
    with pytest.raises(SpecError) as caught:
        Guards(min_rows=0, psi=float("nan"), alpha=1, bins=1)
    assert len(caught.value.problems) == 4


def test_a_window_of_unknown_length_is_refused() -> None:
    with pytest.raises(SpecError, match="every is 'year', allowed are day, week, month"):
        ByTime("at", "year", datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC))
