"""Scoring jobs on Spark, into a Delta table."""

from __future__ import annotations

import importlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from sparkml_track.errors import DataError, NotBuilt, RegistryError
from sparkml_track.refs import ModelRef
from sparkml_track.registries import MemoryRegistry, Package, Run
from sparkml_track.scoring import ADDED, Period, Scoring, score
from sparkml_track.scoring._failures import said_of
from sparkml_track.scoring._worker import FAILED
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
    ref = registry.register("broken", Package(Broken(), fitted().sample, method="predict"), Run("model", "m", "tests"))
    with pytest.raises(DataError, match="ValueError: the lookup table is gone") as caught:
        score(replace(spec, model="broken", version=ref.version, target="never"), tables, registry)
    assert "\n" not in str(caught.value)
    assert not tables.exists("never")


def test_a_model_of_the_projects_own_class_scores_where_workers_cannot_import_it(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_models.py").write_text(
        "class Own:\n    def predict(self, frame):\n        return frame['wind'] * 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("own_models").Own()
    registry.register("own", Package(own, fitted().sample, method="predict"), Run("model", "m", "tests"))
    scored = score(replace(spec, model="own", version=1, target="own"), tables, registry)
    found = frame(tables, scored.table)
    assert np.array_equal(found["score"], found["wind"] * 2)


def test_a_model_that_gives_too_few_answers_is_refused_in_its_own_words(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry
) -> None:
    registry.register("one", Package(One(), fitted().sample, method="predict"), Run("model", "m", "tests"))
    with pytest.raises(DataError, match=r"failed: WrongAnswer: predict gave an answer of shape \(1,\) for \d+ rows"):
        score(replace(spec, model="one", version=1, target="never"), tables, registry)
    assert not tables.exists("never")


class One:
    """Gives one answer, whatever it is asked."""

    def predict(self, _: Any) -> Any:
        return np.zeros(1)


def lists(tables: DeltaTables, name: Any) -> np.ndarray:
    return np.array(frame(tables, name)["score"].tolist())


def test_a_model_of_several_outputs_or_classes_gives_a_list_for_each_row(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry
) -> None:
    data = rows().select(["wind"]).to_pandas()
    two = np.column_stack([data["wind"] > 0, data["wind"] > 1]).astype(int)
    both = KNeighborsClassifier().fit(data, two)
    three = LogisticRegression().fit(data, np.array(["calm", "fair", "storm"])[two.sum(axis=1)])
    lines = LinearRegression().fit(data, two)
    for name, model, method in (
        ("both", both, "predict_proba"),
        ("three", three, "predict_proba"),
        ("lines", lines, "predict"),
    ):
        registry.register(name, Package(model, data.head(3), method), Run("model", "m", "tests"))
    found = {
        name: score(replace(spec, model=name, version=1, target=name), tables, registry)
        for name in ("both", "three", "lines")
    }
    assert (
        lists(tables, found["both"].table).tolist()
        == np.column_stack([each[:, 1] for each in both.predict_proba(data)]).tolist()
    )
    assert np.array_equal(lists(tables, found["three"].table), three.predict_proba(data))
    assert np.array_equal(lists(tables, found["lines"].table), lines.predict(data))
    said = {name: registry.runs[each.run_id].params["scores"] for name, each in found.items()}
    assert said == {"both": "0, 1", "three": "calm, fair, storm", "lines": "0, 1"}


def test_a_bad_row_has_no_list(tables: DeltaTables, registry: MemoryRegistry) -> None:
    data = rows().select(["wind"]).to_pandas()
    lines = LinearRegression().fit(data, np.column_stack([data["wind"], -data["wind"]]))
    registry.register("lines", Package(lines, data.head(3), "predict"), Run("model", "m", "tests"))
    source = tables.write("gaps", rows(3).set_column(2, "wind", pa.array([0.5, None, float("inf")])))
    scored = score(Scoring("lines", source, "gap_scores", "tests", version=1), tables, registry)
    assert scored.bad == {"null in wind": 1, "infinite wind": 1}
    assert frame(tables, scored.table)["score"].isna().tolist() == [False, True, True]


def test_an_output_of_more_than_two_classes_among_several_is_refused_with_the_way_out(
    spec: Scoring, tables: DeltaTables, registry: MemoryRegistry
) -> None:
    data = rows().select(["wind"]).to_pandas()
    both = KNeighborsClassifier().fit(data, np.column_stack([data["wind"] > 0, data["wind"].clip(-1, 1).round()]))
    registry.register("both", Package(both, data.head(3)), Run("model", "m", "tests"))
    with pytest.raises(
        NotBuilt, match=r"both version 1 has 2 outputs, and output 1 tells 3 classes apart; .* for each output"
    ):
        score(replace(spec, model="both", version=1), tables, registry)


def test_any_column_name_goes_the_whole_way(tables: DeltaTables, registry: MemoryRegistry) -> None:
    names = ("Sepal.Length", "`tick`", "run_id", "Score", "problem", "score_")
    data = pa.table({"flight": [1, 2, 3]} | {name: [0.5, -0.5, None] for name in names})
    inputs = pd.DataFrame({name: [0.1, 0.2, -0.3, -0.4] for name in names})
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(inputs, [1, 1, 0, 0])
    registry.register("odd", Package(model, inputs.head(2)), Run("model", "m", "tests"))
    spec = Scoring(
        "odd", tables.write("odd", data), "odd_scores", "tests", version=1, where={"Sepal.Length": (0.5, None)}
    )
    scored = score(spec, tables, registry)
    found = frame(tables, scored.table)
    assert found["flight"].tolist() == [1, 3]
    added = {"score": "score__", "problem": "problem_", "run_id": "run_id_"}
    assert scored.columns == {name: added.get(name, name) for name in ADDED}
    assert list(found.columns) == ["flight", *names, *scored.columns.values()]
    assert np.array_equal(found["score__"], model.predict_proba(found[list(names)])[:, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  File \"x.py\", line 3\n    except ValueError:\nKeyError: 'a'\n\nat org.apache", "KeyError: 'a'"),
        (FAILED + '{"error": "ValueError", "message": "no\\nway"}\n at org', "ValueError: no way"),
        ("raise RuntimeError(FAILED + said)\n" + FAILED + '{"error": "A", "message": "b"}', "A: b"),
        ("no memory", "no memory"),
        ("", "no message"),
    ],
)
def test_what_a_worker_raised_is_said_and_no_line_of_code(text: str, message: str) -> None:
    assert said_of(text) == message


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
