"""The Spark ML door on Spark Connect, in a process of its own: pyspark.ml takes Connect by the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters import cluster

pytestmark = [pytest.mark.spark, pytest.mark.slow]

SCRIPT = """
import json, sys
from pyspark.ml import Estimator, Model, Pipeline
from pyspark.ml.evaluation import Evaluator, RegressionEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.regression import LinearRegression
from pyspark.sql import SparkSession
from pyspark.sql.connect.session import SparkSession as Remote

import sparkml_track as st
from sparkml_track.frontdoors.sparkml import tune


class Endless(Estimator):
    x = Param(Params._dummy(), "x", "whether it has no end", TypeConverters.toFloat)

    def _fit(self, dataset):
        if self.getOrDefault(self.x):
            dataset.sparkSession.range(0, 10**15, 1, 1).selectExpr("sum(hash(id))").collect()
        return Same()


class Same(Model):
    def _transform(self, dataset):
        return dataset


class Rows(Evaluator):
    def _evaluate(self, dataset):
        return float(dataset.count())


found = {}
endless = Endless()
common = dict(sampler="grid", parallelism=2, tracking=st.Tracking(uri="memory:"), progress=False)

bare = Remote.builder.remote(sys.argv[1]).create()
try:
    tune(endless, {endless.x: [0.0]}, Rows(), bare.range(9), folds=3, **common)
except ValueError as error:
    found["refused"] = str(error)
bare.stop()

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
data = spark.range(60).selectExpr("id", "rand(1) AS a").selectExpr("*", "2 * a AS label")
lr = LinearRegression(solver="normal")
pipeline = Pipeline(stages=[VectorAssembler(inputCols=["a"], outputCol="features"), lr])
tuned = tune(pipeline, {lr.regParam: [1.0, 0.0]}, RegressionEvaluator(), data, validation=0.5, **common)
tuned.write().overwrite().save(sys.argv[2])
found["tuned"] = [tuned.best_params, tuned.avgMetrics, tuned.transform(data).count()]

ended = tune(endless, {endless.x: [1.0, 0.0]}, Rows(), data, folds=2, trial_timeout=15, refit=False, **common)
found["ended"] = [[trial.state.value, trial.reason] for trial in ended.sweep_result.trials]
print("RESULT " + json.dumps(found))
spark.stop()
"""


def test_it_tunes_and_ends_one_fit_where_pyspark_ml_works_and_refuses_where_it_does_not(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    (tmp_path / "search.py").write_text(SCRIPT)
    environ = {**os.environ, "SPARKML_HOME": str(tmp_path / "home")}
    with cluster(tmp_path / "cluster", "--only-connect", "--cores=2") as server:
        command = [sys.executable, str(tmp_path / "search.py"), server.connect, str(tmp_path / "model")]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=200)
    told = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0 and told, done.stdout[-2000:] + done.stderr[-4000:]
    found = json.loads(told[0].removeprefix("RESULT "))
    assert "allowed is a classic session, or one of SparkSession.builder.remote" in found["refused"]
    best, metrics, rows = found["tuned"]
    assert (best, rows) == ({"LinearRegression.regParam": 0.0}, 60)
    assert metrics[1] < 1e-6 < metrics[0]
    assert (tmp_path / "model" / "metadata").is_dir()
    assert found["ended"] == [["killed", "timeout"], ["finished", ""]]
