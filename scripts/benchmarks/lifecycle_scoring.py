"""Batch scoring beside MLflow's ``spark_udf``.

    scripts/bench lifecycle --only scoring [--rows N]

N rows (1,000,000) of 30 features are scored by one registered gradient boosting, and the scores written as Parquet: by
``scoring.score`` into a table, which counts them as well, and by ``mlflow.pyfunc.spark_udf`` of the same version. In
turn, after a round of few rows that starts the workers.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rows import Row
from sklearn.ensemble import HistGradientBoostingClassifier

from sparkml_track.registries import MlflowRegistry, Package, Run
from sparkml_track.scoring import Scoring, score
from sparkml_track.tables import DeltaTables

__all__ = ["scoring"]

ROWS, FEATURES = "SPARKML_BENCH_ROWS", 30
NAMES = [f"x{number}" for number in range(FEATURES)]


def scoring() -> Row:
    """Ours and MLflow's."""
    from lifecycle_join import session
    from pyspark.sql import functions as f

    rows, folder, spark = int(os.environ.get(ROWS, "1_000_000")), Path(os.environ["SPARKML_HOME"]), session()
    registry = MlflowRegistry(f"sqlite:///{folder}/mlflow.db", str(folder / "artifacts"))
    registry.register("boosted", Package(_fitted(), _sample(5)), Run("model", "m", "bench"))
    tables = DeltaTables(folder / "tables", spark)
    made = spark.range(0, rows, 1, 8).select("id", *[f.randn(place).alias(name) for place, name in enumerate(NAMES)])
    source = tables.write("source", made)
    few = tables.write("few", made.limit(1000))
    udf = _udf(spark, f"sqlite:///{folder}/mlflow.db")

    def ours(table: Any) -> None:
        score(Scoring("boosted", table, "scores", "bench", version=1, keep=("id",)), tables, registry)

    def theirs(table: Any) -> None:
        scored = tables.read(table).select("id", udf(*NAMES).alias("score"))
        scored.write.mode("overwrite").parquet(f"file:{folder}/udf")

    ways: dict[str, Callable[[Any], None]] = {"spark_udf": theirs, "ours": ours}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(few)
    for _ in range(3 if rows <= 2_000_000 else 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way(source)
            spent[name].append(time.perf_counter() - start)
    wall = {name: statistics.median(found) for name, found in spent.items()}
    ratio = wall["spark_udf"] / wall["ours"]
    shown: Row = {"rows": rows, **{f"{name} s": seconds for name, seconds in wall.items()}}
    return {**shown, "spark_udf / ours": ratio, "budget": "spark_udf / ours >= 1"}


def _sample(rows: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(rows, FEATURES)), columns=NAMES)


def _fitted() -> HistGradientBoostingClassifier:
    sample = _sample(20_000)
    return HistGradientBoostingClassifier(max_iter=100).fit(sample, (sample["x0"] + sample["x1"] > 0).astype(int))


def _udf(spark: Any, uri: str) -> Any:
    import mlflow

    mlflow.set_tracking_uri(uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Probabilities, as the model's predict_fn gives them.
        return mlflow.pyfunc.spark_udf(spark, "models:/boosted/1", "array<double>", env_manager="local")
