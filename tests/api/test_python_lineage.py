"""The lineage of direct calls from Python: the main job's shape without a config file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import sparkml_track as st
from sparkml_track.catalog.lineage.graph import edges_in
from sparkml_track.catalog.queries.ask import Catalog
from sparkml_track.features import FeatureLookup, FeatureStore
from sparkml_track.frontdoors.gangs import distribute
from sparkml_track.frontdoors.groups import train_groups
from sparkml_track.frontdoors.sklearn import SparkSearchCV
from sparkml_track.governance.sources.watch import tables_of
from sparkml_track.home import Home
from sparkml_track.promotion import Promotion, Recipe, register
from sparkml_track.refs import DataRef, TableRef
from sparkml_track.registries import MlflowRegistry
from sparkml_track.scoring import Scoring, score
from sparkml_track.tables import DeltaTables, TableExpectations
from tests.calls import caller

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

N = 120


def inputs(rows: pa.Table) -> Any:
    return rows.select(["x", "size"]).to_pandas()


def labels(rows: pa.Table) -> Any:
    return rows["sold"].to_numpy()


def refit(params: Any, data: Any, seed: int) -> Any:
    return LogisticRegression(C=params["C"]).fit(inputs(data["train"]), labels(data["train"]))


def baselines(data: Any, seed: int) -> Any:
    return {"rate": DummyClassifier().fit(inputs(data["train"]), labels(data["train"]))}


def evaluate(model: Any, rows: pa.Table) -> dict[str, float]:
    return {"log_loss": log_loss(labels(rows), model.predict_proba(inputs(rows))[:, 1], labels=[0, 1])}


def train(trial: Any) -> dict[str, float]:
    return evaluate(refit(trial.params, trial.data, 0), trial.data["valid"])


def sales() -> pa.Table:
    random = np.random.default_rng(3)
    x = random.normal(size=N)
    sold = (x + random.normal(size=N) > 0).astype(np.int64)
    return pa.table({"id": range(N), "shop": [str(n % 2) for n in range(N)], "x": x, "sold": sold})


@pytest.mark.spark
@pytest.mark.slow
def test_a_champion_is_followed_from_raw_tables_to_its_scores(
    spark: SparkSession, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    here = Home.find().make()
    tables = DeltaTables(here.tables, spark)
    tables.write("raw.sales", sales(), expect=TableExpectations(keys=("id",)))
    tables.write("raw.shops", pa.table({"shop": ["0", "1"], "size": [1.0, 2.0]}))
    tables.delete("raw.sales", "id = 0")
    store = FeatureStore(tables)
    store.create_table("air.shops", ["shop"], store.read("raw.shops"))
    made = store.create_training_set(
        store.read("raw.sales"), [FeatureLookup("air.shops", "shop")], "sold", keys=["id"], exclude_columns=["shop"]
    )
    training = tables.write("air.training", made.load_df())

    rows = tables.to_arrow(training)
    parts = {"train": rows.filter(pc.less(rows["id"], 60)), "valid": rows.filter(pc.greater_equal(rows["id"], 60))}
    space = {"C": st.loguniform(0.01, 10)}
    # A part that says itself where it comes from, and a version as it is.
    data = {"train": parts["train"], "valid": training}
    found = st.sweep(train, space, data=data, metric="log_loss", sampler="random", max_trials=2,
                     executor="inline", name="shop", seed=1)  # fmt: skip

    registry = MlflowRegistry(here.tracking_uri, str(here.artifacts))
    spec = Promotion("shop_model", "shop", found.best_params, "log_loss", sweep=found.sweep,
                     data=[DataRef("train", "v0", None, training)])  # fmt: skip
    register(spec, Recipe(refit, baselines, evaluate, inputs), {**parts, "test": parts["valid"]}, registry)
    score(Scoring("shop_model", training, "air.scores", "shop", keep=["id"]), tables, registry)
    registry.close()

    def things(*arguments: str) -> set[str]:
        code, out, err = caller("catalog", capsys)("lineage", *arguments)
        assert code == 0, err
        return {line.strip().partition("  by ")[0] for line in out.splitlines() if "  by " in line}

    raw = {"table main.air.training@0", "table main.raw.sales@1", "table main.raw.sales@0"}
    raw |= {"table main.air.shops@0", "table main.raw.shops@0"}
    assert things("models:/shop_model@champion", "--up") == raw | {f"sweep {found.sweep}"}
    assert things("models:/shop_model/1", "--up") == things("models:/shop_model@champion", "--up")
    assert things("air.scores", "--up") == raw | {f"sweep {found.sweep}", "model shop_model@1"}
    reached = things("raw.shops", "--down", "--at", "0")
    assert {"table main.air.shops@0", "model shop_model@1", "table main.air.scores@0"} <= reached
    jobs = {(edge.job.kind, str(edge.target)) for edge in edges_in(Catalog(here).system.rows("lineage"))}
    assert ("SWEEP", f"sweep {found.sweep}") in jobs
    assert ("REGISTRATION", "model shop_model@1") in jobs


def test_a_sweep_reads_a_version_of_a_table(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    tables = DeltaTables(Home.find().tables)
    ref = tables.write("t", pa.table({"v": [1.0, 2.0]}))
    tables.write("t", pa.table({"v": [9.0]}), mode="append")

    def total(trial: Any) -> float:
        return float(pc.sum(trial.data["rows"]["v"]).as_py())

    found = st.sweep(
        total, {"x": st.uniform(0, 1)}, data={"rows": ref}, sampler="random", max_trials=1, executor="inline", name="s"
    )
    assert found.best_value == 3.0
    (edge,) = [one for one in edges_in(Catalog(Home.find()).system.rows("lineage")) if one.target.kind == "SWEEP"]
    assert (str(edge.source), edge.target.name, edge.job.run) == ("table main.default.t@0", found.sweep, found.run_id)
    with pytest.raises(st.SparkmlError, match="no version 7"):
        st.sweep(total, {"x": st.uniform(0, 1)}, data={"rows": type(ref)("t", ref.path, 7)}, max_trials=1)


@pytest.fixture
def version(home: Path, monkeypatch: pytest.MonkeyPatch) -> TableRef:
    """Of a table with two groups."""
    monkeypatch.setenv("SPARKML_HOME", str(home))
    rows = pa.table({"g": ["a", "b"] * 10, "x": [float(n) for n in range(20)], "y": [n % 2 for n in range(20)]})
    return DeltaTables(Home.find().tables).write("t", rows)


def edges(target: str) -> list[tuple[str, str]]:
    """What things of a kind were made from, and by what."""
    found = edges_in(Catalog(Home.find()).system.rows("lineage"))
    return sorted((str(one.source), one.job.kind) for one in found if one.target.kind == target)


def frame(version: TableRef) -> Any:
    """As people hold rows: of pandas, chosen and changed."""
    rows = DeltaTables(Home.find().tables).to_arrow(version).to_pandas()
    return rows[rows.x > 1].assign(z=1.0)


def largest(trial: Any) -> float:
    return float(trial.data["rows"].x.max())


def test_a_frame_of_pandas_says_of_which_version_it_is(version: TableRef) -> None:
    found = st.sweep(largest, {"c": st.uniform(0, 1)}, data={"rows": frame(version)}, sampler="random", max_trials=1,
                     executor="inline", name="s")  # fmt: skip
    assert (found.best_value, edges("SWEEP")) == (19.0, [("table main.default.t@0", "SWEEP")])
    back = pa.Table.from_pandas(frame(version))
    assert tables_of(back) == tables_of(back.to_pandas()["x"]) == (version,)
    assert tables_of(pandas.DataFrame({"x": [1]})) == tables_of(object()) == ()


def test_a_search_of_scikit_learn_has_the_lineage_of_its_rows(version: TableRef) -> None:
    rows = frame(version)
    search = SparkSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2, executor="inline")
    search.fit(rows[["x", "z"]], rows["y"])
    assert edges("SWEEP") == [("table main.default.t@0", "SWEEP")]


def count(pdf: Any) -> dict[str, float]:
    return {"n": float(len(pdf))}


def test_models_of_groups_have_the_lineage_of_their_rows_and_their_table_too(version: TableRef) -> None:
    trained = train_groups(frame(version), "g", count, executor="inline", table="models_of_g")
    assert edges("SWEEP") == [("table main.default.t@0", "SWEEP")]
    by_hand = ("table main.default.t@0", "PYTHON")
    assert edges("TABLE") == [(f"sweep {trained.sweep_result.sweep}", "SWEEP"), by_hand]


def rows_of(trial: Any) -> int:
    return int(trial.data["rows"].num_rows)


def test_a_distributed_call_reads_versions_of_tables_and_has_their_lineage(version: TableRef) -> None:
    assert distribute(rows_of, workers=1, executor="inline", data={"rows": version}) == 20
    assert edges("SWEEP") == [("table main.default.t@0", "SWEEP")]
