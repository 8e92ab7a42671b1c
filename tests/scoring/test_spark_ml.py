"""Scoring with models of Spark ML that another tool registered: by their own transform, every row once."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sparkml_track.errors import DataError, NotBuilt
from sparkml_track.refs import ModelRef
from sparkml_track.registries import Column, MemoryRegistry, MlflowRegistry, Run, Signature
from sparkml_track.registries._mlflow.files import _sklearn_flavor
from sparkml_track.scoring import Scoring, score, score_frame
from sparkml_track.tables import DeltaTables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
COLUMNS = {"wind": pa.float64(), "seats": pa.int64(), "carrier": pa.string()}
KINDS = {"wind": "double", "seats": "long", "carrier": "string"}
TRAINED = {"wind": [1.0, 2.0, -1.0, -2.0] * 3, "seats": [1, 2, 3, 4] * 3, "carrier": ["UA", "AA", "DL"] * 4}


@pytest.fixture(scope="module")
def registry(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowRegistry]:
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(pristine / "mlflow.db", folder / "mlflow.db")
    made = MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts"), ("pyfunc",), lineage=False)
    yield made
    made.close()


def frame(spark: SparkSession, **columns: list[Any]) -> DataFrame:
    return spark.createDataFrame(pa.table({name: pa.array(each, COLUMNS.get(name)) for name, each in columns.items()}))


def registered(registry: MlflowRegistry, name: str, folder: Path, model: Any) -> ModelRef:
    """As whoever uses MLflow alone registers it; taken in."""
    _sklearn_flavor()  # the first import of MLflow's models warns
    import mlflow.spark
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(Schema([ColSpec(kind, column) for column, kind in KINDS.items()]))
    mlflow.spark.save_model(model, str(folder / name), signature=signature, pip_requirements=["pyspark"])
    registry._client.create_registered_model(name)
    run = registry.record(Run("model", "m", "tests"))
    registry._client.create_model_version(name, source=str(folder / name), run_id=run)
    ref = registry.version(name, 1)
    registry.adopt(ref)
    return ref


def pipeline(spark: SparkSession, last: Any, invalid: str = "error", *, imputes: bool = False) -> Any:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Imputer, StringIndexer, VectorAssembler

    stages = [StringIndexer(inputCol="carrier", outputCol="c", handleInvalid=invalid)]
    stages += [Imputer(inputCols=["wind"], outputCols=["w"])] if imputes else []  # type: ignore[list-item]
    columns = ["w" if imputes else "wind", "seats", "c"]
    stages += [VectorAssembler(inputCols=columns, outputCol="features")]  # type: ignore[list-item]
    late = {"late": [int(wind > 0) for wind in TRAINED["wind"]], "kind": [0, 1, 2, 0] * 3}  # type: ignore[operator]
    return Pipeline(stages=[*stages, last]).fit(frame(spark, **TRAINED, **late))  # type: ignore[list-item]


class Loaded(MemoryRegistry):
    """Gives a model as MLflow wraps it, without a store: saving one takes ten jobs of Spark."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def signature(self, _: ModelRef) -> Signature:
        return Signature(tuple(Column(name, kind) for name, kind in KINDS.items()), "predict")

    def load(self, _: ModelRef) -> object:
        return SimpleNamespace(get_raw_model=lambda: self.model)


REF = ModelRef("delay", 1, "r1", "models:/delay/1")


def test_a_row_has_the_probability_of_the_second_class_or_its_reason(spark: SparkSession) -> None:
    from pyspark.ml.classification import LogisticRegression

    model = pipeline(spark, LogisticRegression(labelCol="late", maxIter=2), "keep")
    rows = {
        "wind": [1.0, None, -1.0, math.inf, math.nan, 0.5],
        "seats": [1, 2, None, 1, 1, 2],
        "carrier": ["UA", "UA", "UA", "AA", "DL", "XX"],
        "probability": [0, 1, 2, 3, 4, 5],  # as the model's own column is called
        "score": ["a"] * 6,
    }
    scored = score_frame(frame(spark, **rows), REF, Loaded(model))
    found = pa.Table.from_batches(scored.toArrow().to_batches()).sort_by("probability").to_pydict()
    assert [kind for _, kind in scored.dtypes[-6:]] == ["double", "string", "string", "bigint", "string", "timestamp"]
    reasons = [None, "null in wind", "null in seats", "infinite wind", "null in wind", None]
    assert found["problem"] == reasons
    assert {name: found[name] for name in ("carrier", "score")} == {name: rows[name] for name in ("carrier", "score")}
    asked = frame(spark, wind=[1.0, 0.5], seats=[1, 2], carrier=["UA", "XX"])
    wanted = [row["probability"][1] for row in model.transform(asked).collect()]
    assert [each for each in found["score_"] if each is not None] == wanted
    assert set(found["model_version"]) == {1}
    assert set(found["run_id"]) == {"r1"}


def test_several_classes_are_a_list_and_nulls_that_it_takes_are_asked(spark: SparkSession) -> None:
    from pyspark.ml.classification import NaiveBayes

    model = pipeline(spark, NaiveBayes(labelCol="kind", modelType="gaussian"), "keep", imputes=True)
    rows = frame(spark, wind=[None, 1.0], seats=[1, None], carrier=["UA", None])
    first, second = score_frame(rows, REF, Loaded(model)).collect()
    assert (first["problem"], second["problem"]) == (None, "null in seats")
    assert len(first["score"]) == 3
    assert sum(first["score"]) == pytest.approx(1)
    assert second["score"] is None


def test_a_regression_is_its_prediction_and_what_a_stage_refuses_is_a_sentence(
    spark: SparkSession, registry: MlflowRegistry, tmp_path: Path
) -> None:
    from pyspark.ml.regression import LinearRegression

    model = pipeline(spark, LinearRegression(labelCol="wind", regParam=0.1))
    ref = registered(registry, "minutes", tmp_path, model)
    good = frame(spark, wind=[1.5, 2.0], seats=[1, 2], carrier=["UA", "AA"])
    scores = [row["score"] for row in score_frame(good, ref, registry).collect()]
    assert all(isinstance(each, float) for each in scores)
    assert scores[0] != scores[1]
    # Nothing to ask the model by.
    assert score_frame(good.limit(0), ref, registry).collect() == []
    holes = frame(spark, wind=[1.5], seats=[1], carrier=[None])
    assert [(row["score"], row["problem"]) for row in score_frame(holes, ref, registry).collect()] == [
        (None, "null in carrier")
    ]

    tables = DeltaTables(tmp_path / "tables", spark)
    source = tables.write("rows", frame(spark, wind=[1.0, 1.0], seats=[1, 1], carrier=["UA", "XX"]))
    with pytest.raises(DataError, match=r"scoring rows@v0 with minutes version 1 failed: Unseen label: XX"):
        score(Scoring("minutes", source, "scores", "tests", version=1), tables, registry)

    model.stages[0].setHandleInvalid("skip")
    with pytest.raises(NotBuilt, match=r"leaves rows out \(handleInvalid of StringIndexerModel is 'skip'\)"):
        score_frame(good, REF, Loaded(model))
