"""Scoring jobs on Spark, into a Delta table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from sparkml_track.errors import DataError, RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import MemoryRegistry, Package, Run
from sparkml_track.scoring import ADDED, Period, Scoring, score
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def rows(count: int = 300) -> pa.Table:
    random = np.random.default_rng(5)
    wind = random.normal(size=count)
    columns: dict[str, Any] = {"flight": np.arange(count), "month": random.integers(10, 13, count), "wind": wind}
    return pa.table(columns | {"late": (wind > 0).astype(np.int64), "carrier": ["UA"] * count})


def fitted(sign: float = 1.0) -> Package:
    data = rows().select(["wind"]).to_pandas()
    model = LogisticRegression().fit(data, (data["wind"] * sign > 0).astype(int))
    return Package(model, data.head(3))


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    for sign in (1.0, -1.0):
        registry.register("delay", fitted(sign), Run("model", "m", "tests"))
    registry.set_alias("delay", "champion", 1)
    return registry


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DeltaTables:
    return DeltaTables(tmp_path_factory.mktemp("tables"), spark)


@pytest.fixture(scope="module")
def spec(tables: DeltaTables) -> Scoring:
    return Scoring("delay", tables.write("training", rows()), "scores", "tests")


def frame(tables: DeltaTables, name: Any) -> pd.DataFrame:
    return tables.to_arrow(name).to_pandas().sort_values("flight", ignore_index=True)


def test_each_row_has_its_score_the_version_and_the_run(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry
) -> None:
    scored = score(replace(spec, where={"month": (11, 12)}), tables, registry)
    found = frame(tables, scored.table)
    champion = registry.version("delay", 1)
    assert set(found["month"]) == {11, 12}
    assert scored.rows == len(found) == sum(month > 10 for month in rows()["month"].to_pylist())
    expected = registry.load(champion).predict_proba(found[["wind"]])[:, 1]  # type: ignore[attr-defined]
    assert np.array_equal(found["score"], expected)
    assert set(found["model_version"]) == {1}
    assert set(found["run_id"]) == {champion.run_id}
    assert list(found.columns) == [*rows().column_names, *ADDED]
    assert scored.bad == {}


def test_the_run_has_the_counts_and_both_table_versions(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry
) -> None:
    scored = score(spec, tables, registry)
    run = registry.runs[scored.run_id]
    assert (run.kind, run.metrics["rows"], run.metrics["bad_rows"]) == ("scoring", 300, 0)
    assert [ref.table for ref in run.data] == [spec.source, scored.table]


class Moving(MemoryRegistry):
    """The alias moves after it was looked up."""

    def load(self, ref: ModelRef) -> object:
        self.set_alias("delay", "champion", 2)
        return super().load(ref)


def test_an_alias_that_moves_meanwhile_changes_nothing(spec: Scoring, tables: DeltaTables) -> None:
    registry = Moving()
    for sign in (1.0, -1.0):
        registry.register("delay", fitted(sign), Run("model", "m", "tests"))
    registry.set_alias("delay", "champion", 1)
    scored = score(spec, tables, registry)
    assert scored.model.version == 1
    assert set(frame(tables, scored.table)["model_version"]) == {1}
    assert score(spec, tables, registry).model.version == 2


def test_bad_rows_are_kept_without_a_score_and_counted(tables: DeltaTables, registry: MemoryRegistry) -> None:
    data = rows(6).set_column(2, "wind", pa.array([0.1, None, float("inf"), float("nan"), 0.2, 0.3]))
    scored = score(Scoring("delay", tables.write("holes", data), "scores_of_holes", "tests"), tables, registry)
    assert (scored.rows, scored.bad) == (6, {"null in wind": 2, "infinite wind": 1})
    assert frame(tables, scored.table)["score"].isna().tolist() == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (rows().drop_columns(["wind"]), "column 'wind' .double. is missing"),
        (rows().set_column(2, "wind", pa.array(["calm"] * 300)), "column 'wind' is string, the model takes double"),
    ],
    ids=["dropped", "retyped"],
)
def test_a_drifted_schema_is_refused_before_anything_is_written(
    tables: DeltaTables, registry: MemoryRegistry, table: pa.Table, message: str
) -> None:
    source = tables.write("drifted", table, mode="overwrite")
    with pytest.raises(DataError, match=message):
        score(Scoring("delay", source, "never", "tests"), tables, registry)
    assert not tables.exists("never")


class Broken:
    """Fails on every row."""

    def predict(self, frame: Any) -> Any:
        raise ValueError("the lookup table is gone")


def test_a_model_that_fails_everywhere_fails_the_job_in_one_sentence(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry
) -> None:
    from pyspark import cloudpickle

    # Workers of the tests cannot import this file, so the class travels with the model.
    class Sent(Broken):
        def __reduce__(self) -> Any:
            return cloudpickle.loads, (cloudpickle.dumps(Broken()),)

    ref = registry.register("broken", Package(Sent(), fitted().sample, method="predict"), Run("model", "m", "tests"))
    with pytest.raises(DataError, match="ValueError: the lookup table is gone") as caught:
        score(replace(spec, model="broken", version=ref.version, target="never"), tables, registry)
    assert "\n" not in str(caught.value)
    assert not tables.exists("never")


def test_a_missing_alias_or_column_is_named(spec: Scoring, tables: DeltaTables, registry: MemoryRegistry) -> None:
    with pytest.raises(RegistryError, match="has the alias 'canary'"):
        score(replace(spec, alias="canary"), tables, registry)
    with pytest.raises(DataError, match="has no column quarter"):
        score(replace(spec, where={"quarter": (4,)}), tables, registry)


def test_only_the_rows_of_the_period_are_scored(tables: DeltaTables, registry: MemoryRegistry) -> None:
    hours = [datetime(2013, 10, 31, 23, tzinfo=UTC) + timedelta(minutes=30 * step) for step in range(6)]
    source = tables.write("timed", rows(6).append_column("at", pa.array(hours, pa.timestamp("us", "UTC"))))
    period = Period("at", hours[2], hours[4])
    scored = score(Scoring("delay", source, "timed_scores", "tests", period=period), tables, registry)
    assert frame(tables, scored.table)["flight"].tolist() == [2, 3]


def test_only_the_columns_asked_for_are_kept(spec: Scoring, tables: DeltaTables, registry: MemoryRegistry) -> None:
    scored = score(replace(spec, keep=("flight", "month")), tables, registry)
    assert list(tables.describe(scored.table).columns) == ["flight", "month", *ADDED]
    assert Path(scored.table.path).exists()
