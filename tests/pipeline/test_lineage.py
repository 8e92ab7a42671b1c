"""The whole lineage of a champion: from raw tables to its scores, recorded by the steps themselves."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sparkml_track.cli.app import main
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import DataError
from sparkml_track.governance.edges import Node
from sparkml_track.pipeline.lineage import edges_of
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps import run_step
from sparkml_track.pipeline.steps.register import Registered
from sparkml_track.pipeline.steps.sweep import Swept

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CODE = """\
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sparkml_track.features import FeatureLookup, RawTable
from sparkml_track.tables import TableExpectations

N = 240


def raw(spark):
    random = np.random.default_rng(3)
    days = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(N)]
    x = random.normal(size=N)
    sales = {"id": range(N), "shop": [str(n % 2) for n in range(N)], "day": days, "x": x,
             "sold": (x + random.normal(size=N) > 0).astype(np.int64)}
    return {
        "sales": RawTable(pa.table(sales), TableExpectations(keys=("id",))),
        "shops": RawTable(pa.table({"shop": ["0", "1"], "size": [10.0, 20.0]}), TableExpectations(keys=("shop",))),
        "unused": RawTable(pa.table({"id": [1]}), TableExpectations()),
    }


def features(store):
    store.read("unused")
    store.create_table("shop_facts", ["shop"], store.read("shops"), replace=True)
    return store.create_training_set(store.read("sales"), [FeatureLookup("shop_facts", "shop")], "sold", keys=["id"],
                                     exclude_columns=["shop"])


def inputs(rows):
    return rows.select(["x", "size"]).to_pandas()


def labels(rows):
    return rows["sold"].to_numpy()


def train(trial):
    return evaluate(refit({"C": trial.params["C"]}, trial.data, 0), trial.data["valid"])


def refit(params, data, seed):
    return LogisticRegression(C=params["C"]).fit(inputs(data["train"]), labels(data["train"]))


def baselines(data, seed):
    return {"rate": DummyClassifier().fit(inputs(data["train"]), labels(data["train"]))}


def evaluate(model, rows):
    return {"log_loss": log_loss(labels(rows), model.predict_proba(inputs(rows))[:, 1], labels=[0, 1])}
"""
CONF = """\
name: shop
home: state
code: [code]
prepare: {tables: shop_code:raw}
features:
  build: shop_code:features
  label: sold
  time: day
  split:
    train: {start: 2013-01-01, end: 2013-05-01}
    valid: {start: 2013-05-01, end: 2013-07-01}
    test: {start: 2013-07-01, end: 2013-10-01}
sweep:
  objective: shop_code:train
  metric: log_loss
  sampler: random
  executor: inline
  seed: 3
  max_trials: 2
  space: {C: {loguniform: [0.01, 10]}}
register:
  model: shop_model
  refit: shop_code:refit
  baselines: shop_code:baselines
  inputs: shop_code:inputs
  evaluate: shop_code:evaluate
score: {split: test, table: shop_scores}
monitor: {period: month, baseline: train, min_rows: 10, table: shop_monitor}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "shop_code.py").write_text(CODE)
    (tmp_path / "conf.yaml").write_text(CONF)
    return load(tmp_path / "conf.yaml", {})


@pytest.fixture
def call(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def calling(*arguments: str) -> str:
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as caught:
                main(["catalog", "lineage", *arguments, "--config", str(settings.file)])
        finally:
            signal.signal(signal.SIGTERM, before)
        out = capsys.readouterr()
        assert not caught.value.code, out.err
        return out.out

    return calling


def things(text: str) -> set[str]:
    """The things of a tree, without those that say how."""
    return {line.strip().partition("  by ")[0] for line in text.splitlines() if "  by " in line}


@pytest.mark.spark
@pytest.mark.slow
def test_a_champion_is_followed_from_raw_tables_to_its_scores(
    spark: SparkSession, settings: Settings, call: Callable[..., str]
) -> None:
    for step in ("prepare", "features", "sweep", "register", "score", "monitor"):
        run_step(step, settings)
    sweep = json.loads((settings.home.step("shop", "sweep")).read_text())["sweep"]

    training = {"table main.default.shop_training@0", "table main.default.sales@0", "source shop_code:raw"}
    training |= {"table main.default.shop_facts@0", "table main.default.shops@0"}
    followed = call("shop_scores", "--column", "score")
    for each in ("shop_training@0", "sales@0", "shop_facts@0", "shops@0"):
        assert f"of table main.default.{each}" in followed
    assert "column size of table main.default.shops@0" in followed
    # A table that was read and not used is not among them: a DataFrame knows its files.
    assert things(call("models:/shop_model@champion", "--up")) == training | {f"sweep {sweep}"}
    assert things(call("shop_scores", "--up")) == training | {f"sweep {sweep}", "model shop_model@1"}

    reached = things(call("shops@0", "--down"))
    assert {"table main.default.shop_facts@0", f"sweep {sweep}", "model shop_model@1"} <= reached
    assert {"table main.default.shop_scores@0", "table main.default.shop_monitor_baseline@0"} <= reached
    assert {"table main.default.shop_monitor_profile@0", "table main.default.shop_monitor_drift@0"} <= reached
    assert "table main.default.unused@0" not in reached

    found = [json.loads(line) for line in call("models:/shop_model/1", "--up", "--format", "openlineage").splitlines()]
    jobs = {event["job"]["name"] for event in found if event["eventType"] == "COMPLETE"}
    assert jobs == {"shop.prepare", "shop.features", "shop.sweep", "shop.register"}


def test_what_a_step_wrote_before_it_failed_is_recorded(settings: Settings) -> None:
    project = Project(settings)
    tables = project.tables()
    tables.write("sales", pa.table({"id": [1]}))
    (edge,) = edges_of(project, "prepare", None)
    assert (edge.source, edge.target) == (Node("SOURCE", "shop_code:raw"), Node("TABLE", "main.default.sales", 0))


def test_a_model_is_made_from_its_sweep_and_what_was_read(settings: Settings) -> None:
    project = Project(settings)
    settings.home.make()
    ref = project.plain_tables().write("shop_training", pa.table({"id": [1]}))
    project.tables().to_arrow(ref)
    swept = Swept("s-1", "a" * 32, {}, "log_loss", "minimize", 3)
    project.keep(swept)
    (edge,) = edges_of(project, "sweep", swept)
    assert (str(edge.source), str(edge.target)) == ("table main.default.shop_training@0", "sweep s-1")
    assert edge.job.run == "a" * 32
    edges = edges_of(project, "register", Registered("my model version 12", "champion", "first", {}))
    assert {str(edge.source) for edge in edges} == {"table main.default.shop_training@0", "sweep s-1"}


def test_a_failed_step_raises_its_own_error(settings: Settings) -> None:
    with pytest.raises(DataError, match="step 'sweep' of project 'shop' has not run"):
        run_step("register", settings)
