"""The model of a config file that carries the look-ups of its training set: asked by keys, in batches and online."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_track.carried import CarriedFeatures, CarriedLookup
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import DataError
from sparkml_track.features import FeatureStore
from sparkml_track.online_stores import MemoryOnlineStore, features_of_rows
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps import run_step
from sparkml_track.pipeline.steps.features import FeaturesBuilt
from sparkml_track.pipeline.steps.register import register
from sparkml_track.pipeline.steps.sweep import Swept
from sparkml_track.pipeline.training_set import split
from sparkml_track.refs import TableRef
from sparkml_track.serving.models.loading import load_version
from sparkml_track.serving.models.predicting import predict
from sparkml_track.serving.protocol.bodies import Body
from tests.pipeline.test_lineage import CODE, CONF

# Numbers that float32 rounds, whole ones, and one shop without them: what a model is fitted on is narrower.
NARROW = CODE
for old, new in (
    ('"size": [10.0, 20.0]}', '"size": [10.1, 20.3], "seats": [7, None]}'),
    ('["x", "size"]).to_pandas()', '["x", "size", "seats"]).to_pandas().astype("float32")'),
    ('LogisticRegression(C=params["C"])', 'make_pipeline(SimpleImputer(), LogisticRegression(C=params["C"]))'),
    ("from sklearn.linear", "from sklearn.impute import SimpleImputer\nfrom sklearn.linear"),
    ("from sklearn.metrics", "from sklearn.pipeline import make_pipeline\nfrom sklearn.metrics"),
):
    assert old in NARROW
    NARROW = NARROW.replace(old, new)


def settings(folder: Path, code: str = NARROW) -> Settings:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "shop_code.py").write_text(code)
    (folder / "conf.yaml").write_text(CONF.replace("register:\n", "register:\n  look_ups: true\n"))
    return load(folder / "conf.yaml", {})


@pytest.mark.spark
def test_training_batch_and_online_agree_to_the_last_bit(spark: SparkSession, tmp_path: Path, pristine: Path) -> None:
    made = settings(tmp_path)
    made.home.make().database.write_bytes((pristine / "mlflow.db").read_bytes())
    for step in ("prepare", "features"):
        run_step(step, made)
    project = Project(made)
    project.keep(Swept("s-1", "a" * 32, {"C": 1.0}, "log_loss", "minimize", 3))
    run_step("register", made)
    registry, tables = project.registry(), project.plain_tables(spark)
    ref = registry.version("shop_model", 1)
    kept = registry.carried(ref)
    assert kept is not None
    assert (kept.columns, [each.table for each in kept.lookups]) == (("x", "size", "seats"), ["shop_facts"])

    rows = split(project, tables.to_arrow(project.kept(FeaturesBuilt).training), "test")
    model: Any = registry.load(ref)
    inputs = project.function("shop_code:inputs")
    training = dict(zip(rows["id"].to_pylist(), model.predict_proba(inputs(rows))[:, 1].tolist(), strict=True))

    keys = tables.read(tables.latest("sales")).where("id >= 181").select("id", "shop", "x")
    scored = FeatureStore(tables).score_batch(ref, keys, registry=registry).select("id", "score", "shop", "x").collect()
    assert {row["id"]: row["score"] for row in scored} == training

    store = MemoryOnlineStore()
    FeatureStore(tables).publish_table("shop_facts", store)
    served = load_version(registry, ref, lambda carried: features_of_rows(carried, store))
    asked = {name: [row[name] for row in scored] for name in ("shop", "x")}
    answered = predict(served, Body(asked, len(scored))).answered
    assert dict(zip((row["id"] for row in scored), answered.scores, strict=True)) == training


def carried(*columns: str) -> CarriedFeatures:
    return CarriedFeatures(columns, (CarriedLookup("shops", 1, {"shop": "shop"}, {"size": "size", "age": "age"}),))


def test_a_training_set_from_before_is_to_be_built_again(tmp_path: Path) -> None:
    made = settings(tmp_path)
    project = Project(made)
    project.keep(Swept("s-1", "a" * 32, {"C": 1.0}, "log_loss", "minimize", 3))
    training = TableRef("shop_training", "/tables/shop_training", 0)
    project.keep(FeaturesBuilt(training, ("x",), {}))
    with pytest.raises(DataError, match=r"(?s)register\.look_ups is set, and the training set was built before"):
        register(project)
    built = FeaturesBuilt(training, ("x",), {}, carried=carried("x", "size"))
    project.keep(built)
    assert project.kept(FeaturesBuilt).carried == built.carried


def test_a_model_carries_its_own_part() -> None:
    whole = carried("x", "size", "age")
    part = whole.of_model(["age", "x"])
    assert (part.columns, part.lookups[0].outputs) == (("age", "x"), {"age": "age"})
    assert whole.of_model(["x"]).lookups == ()
    with pytest.raises(DataError, match="the model takes log_x, which the training set does not have from its rows"):
        whole.of_model(["x", "log_x"])
