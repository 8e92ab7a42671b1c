"""The groups door on Spark: rows that Spark shuffles, scoring, and a session on Connect."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from pyspark.sql.utils import PythonException

import sparkml_track as st
from sparkml_track.errors import DataError, SpecError
from sparkml_track.frontdoors.groups import GroupModels, load_model, predict_groups, train_groups

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
KEYS = "t timestamp, d date, n int, s string, p decimal(10,2)"
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
FULL = (NOON, datetime.date(2026, 1, 2), 7, "ö", Decimal("1.50"))
EMPTY = (None, None, None, "", None)


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    """Groups 0 to 4 of 40 rows each, on several partitions; y is 2 x + the group."""
    frame = spark.range(0, 200, 1, 4).selectExpr(
        "cast(id % 5 AS int) AS g", "id / 200 AS x", "named_struct('a', id) AS s"
    )
    return frame.selectExpr("g", "x", "s", "2 * x + g AS y")


def trained(frame: DataFrame, keys: Any = "g", fn: Any = None, **more: Any) -> GroupModels:
    options = {"executor": "inline", "tracking": st.Tracking(uri="memory:"), "progress": False, **more}
    return train_groups(frame, keys, fn or line, **options)


def line(pdf: pd.DataFrame) -> Any:
    from sklearn.linear_model import LinearRegression

    if pdf.g.iloc[0] == 4:
        raise ValueError("four")
    return LinearRegression().fit(pdf[["x"]], pdf.y), {"rows_seen": len(pdf)}


def test_groups_are_trained_in_slots_of_spark_and_score_their_rows(rows: DataFrame, spark: SparkSession) -> None:
    models = trained(rows, executor="auto", tracking=st.Tracking(), parallelism=2)
    assert (models.counts.finished, models.counts.failed) == (4, 1)
    assert {dict(each)["rows_seen"] for each in models.to_pandas().metrics if len(each)} == {40.0}
    assert round(load_model(models, 3).intercept_, 6) == 3
    scored = predict_groups(rows, models)
    assert scored.columns == ["g", "x", "s", "y", "prediction"]
    wrong = scored.where("abs(prediction - y) > 1e-9 OR (prediction IS NULL) != (g = 4)").count()
    assert (scored.count(), wrong) == (200, 0)


def test_groups_without_a_model_are_null_or_an_error_that_names_them(rows: DataFrame, spark: SparkSession) -> None:
    models = trained(rows)
    new = spark.createDataFrame([(9, 0.5), (1, 0.5)], "g int, x double")
    assert {(row.g, row.prediction) for row in predict_groups(new, models).collect()} == {(9, None), (1, 2.0)}
    with pytest.raises(PythonException, match="group g=9 has no model; missing='null'"):
        predict_groups(new, models, missing="error").collect()


def test_keys_of_all_kinds_together_are_found_again(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(*FULL, 1.0), (*EMPTY, 5.0), (*FULL, 3.0)], f"{KEYS}, y double")

    def mean(pdf: pd.DataFrame) -> tuple[dict[str, Any], dict[str, float]]:
        return {"mean": pdf.y.mean(), "noon": str(pdf.t.iloc[0])}, {}

    models = trained(frame, list("tdnsp"), mean)
    assert load_model(models, FULL) == {"mean": 2.0, "noon": "2026-01-02 12:00:00"}
    scored = predict_groups(frame, models, predict=lambda model, pdf: [model["mean"]] * len(pdf), output="mean")
    assert sorted((row.s, row.mean) for row in scored.collect()) == [("", 5.0), ("ö", 2.0), ("ö", 2.0)]


def test_a_group_larger_than_a_batch_is_scored_in_parts_and_large_models_come_from_their_files(
    spark: SparkSession,
) -> None:
    frame = spark.range(0, 25_000, 1, 2).selectExpr("id % 2 = 0 AS g", "id AS y")

    def heavy(pdf: pd.DataFrame) -> dict[str, Any]:
        return {"low": pdf.y.min(), "ballast": b"x" * 100_000}

    models = trained(frame, fn=lambda pdf: (heavy(pdf), {}))
    assert models.to_pandas().model_path.notna().all()
    scored = predict_groups(frame, models, predict=lambda model, pdf: pdf.y * 0 + model["low"], output_type="long")
    found = {(row.g, row.prediction, row["count"]) for row in scored.groupBy("g", "prediction").count().collect()}
    assert found == {(True, 0, 12_500), (False, 1, 12_500)}


def test_the_same_rows_come_in_the_same_order_however_they_were_partitioned(rows: DataFrame) -> None:
    def order(pdf: pd.DataFrame) -> tuple[list[float], dict[str, float]]:
        return list(pdf.x), {}

    first, second = (trained(frame, fn=order) for frame in (rows, rows.repartition(3)))
    assert load_model(first, 2) == load_model(second, 2)


def test_wrong_arguments_of_scoring_are_reported_at_once(rows: DataFrame) -> None:
    models = trained(rows)
    wrong = rows.selectExpr("cast(g AS long) AS g", "x AS prediction")
    with pytest.raises(SpecError) as caught:
        predict_groups(wrong, models, features=["z"], missing="drop")
    for problem in (
        "key 'g' is long here and integer in the table of models; cast it",
        "feature 'z' is not a column",
        "output is 'prediction', which is a column already",
        "missing is 'drop'; allowed are 'null' and 'error'",
    ):
        assert problem in str(caught.value)
    with pytest.raises(SpecError, match=r"output_type 'number' failed in Spark.*allowed is a type such as 'double'"):
        predict_groups(rows, models, output_type="number")
    with pytest.raises(PythonException, match="the model is a list without predict"):
        predict_groups(rows, trained(rows, fn=lambda pdf: ([1], {}))).collect()


def test_rows_that_spark_cannot_compute_are_one_sentence(spark: SparkSession) -> None:
    broken = spark.range(3).selectExpr("id AS g", "raise_error('no such day') AS y")
    with pytest.raises(DataError, match=r"writing the rows of the groups failed in Spark: .*no such day"):
        trained(broken)
