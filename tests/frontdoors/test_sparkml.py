"""The Spark ML door: against pyspark's own validators, and what it does with trials, params and wrong arguments."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from pyspark.ml import Estimator, Model, Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import Evaluator, RegressionEvaluator
from pyspark.ml.feature import Binarizer, VectorAssembler
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder, TrainValidationSplit

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.catalog.lineage.graph import edges_in
from sparkml_track.catalog.queries.ask import Catalog
from sparkml_track.errors import InvalidInput
from sparkml_track.executors import Ended, Started, Work, open_executor
from sparkml_track.frontdoors._sparkml_objective import FitAndEvaluate
from sparkml_track.frontdoors._sparkml_params import ParamSpace
from sparkml_track.frontdoors._sparkml_split import Split, SplitPlan
from sparkml_track.frontdoors.sparkml import tune
from sparkml_track.home import Home
from sparkml_track.tables import DeltaTables
from sparkml_track.testing.executors import attempt, events_until
from sparkml_track.trial import State

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = [
    pytest.mark.spark,
    # pyspark's own validators never close their pools of threads.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <function Pool.__del__"),
]

MEMORY = st.Tracking(uri="memory:")
Act = Callable[[float, "DataFrame"], float]


class Acting(Estimator[Any]):
    """Does what a test says when it is fitted; its model predicts what that returned."""

    x: Param[float] = Param(Params._dummy(), "x", "given to what the test says", TypeConverters.toFloat)

    def __init__(self, act: Act) -> None:
        super().__init__()
        self.act = act

    def _fit(self, dataset: DataFrame) -> Predicting:
        return Predicting(self.act(self.getOrDefault(self.x), dataset))


class Predicting(Model):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def _transform(self, dataset: DataFrame) -> DataFrame:
        return dataset.selectExpr("id", f"{self.value}D AS prediction")


class Mean(Evaluator):
    """The mean prediction, and as many thousands as the ids of the rows make together."""

    def __init__(self, larger: bool = False) -> None:
        super().__init__()
        self.larger = larger

    def _evaluate(self, dataset: DataFrame) -> float:
        return float(dataset.selectExpr("avg(prediction) + 1000 * sum(id)").first()[0])  # type: ignore[index]

    def isLargerBetter(self) -> bool:  # noqa: N802
        return self.larger


class First(Mean):
    """The prediction alone; nan for one that is below zero."""

    def _evaluate(self, dataset: DataFrame) -> float:
        predicted = float(dataset.select("prediction").first()[0])  # type: ignore[index]
        return predicted if predicted >= 0 else math.nan


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))


@pytest.fixture
def rows(spark: SparkSession) -> Iterator[DataFrame]:
    drawn = spark.range(60).selectExpr("id", "rand(1) AS a", "rand(2) AS b", "CAST(id % 3 AS INT) AS fold")
    yield drawn.selectExpr("*", "CAST(a + rand(3) > 1 AS DOUBLE) AS label").coalesce(1)
    assert spark._jsparkSession.sharedState().cacheManager().isEmpty()  # what was cached is not any more


def sum_of_ids(x: float, data: DataFrame) -> float:
    return x * float(data.selectExpr("sum(id)").first()[0])  # type: ignore[index]


# -- beside pyspark's own


def test_a_grid_over_a_fold_column_is_what_cross_validator_makes_of_it(
    spark: SparkSession, rows: DataFrame, home: Path, tmp_path: Path
) -> None:
    assembler, lr = VectorAssembler(inputCols=["a", "b"], outputCol="features"), LinearRegression(solver="normal")
    pipeline, evaluator = Pipeline(stages=[assembler, lr]), RegressionEvaluator(metricName="r2")
    grid = ParamGridBuilder().addGrid(lr.regParam, [1.0, 0.0]).addGrid(lr.fitIntercept, [True]).build()
    theirs = CrossValidator(
        estimator=pipeline, estimatorParamMaps=grid, evaluator=evaluator, numFolds=3, foldCol="fold", parallelism=2
    ).fit(rows)

    space = {lr.regParam: [1.0, 0.0], lr.fitIntercept: [True]}
    ours = tune(pipeline, space, evaluator, rows, folds=3, fold_column="fold", sampler="grid", parallelism=2)

    assert ours.avgMetrics == pytest.approx(theirs.avgMetrics, abs=1e-12)
    assert ours.stdMetrics == pytest.approx(theirs.stdMetrics, abs=1e-12)
    best = max(range(2), key=lambda number: theirs.avgMetrics[number])
    assert best == 1
    assert ours.bestParams == grid[best]
    assert ours.best_params == {f"LinearRegression.{param.name}": value for param, value in grid[best].items()}
    predictions = theirs.transform(rows).select("prediction").collect()
    assert ours.transform(rows).select("prediction").collect() == predictions
    ours.write().overwrite().save(str(tmp_path / "model"))
    assert PipelineModel.load(str(tmp_path / "model")).transform(rows).select("prediction").collect() == predictions

    runs = mlflow.MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    parent = runs.get_run(ours.sweep_result.run_id)
    assert (parent.info.status, parent.data.tags[schema.TAG_KIND]) == ("FINISHED", "sweep")
    assert parent.data.tags[schema.TAG_BEST] == str(best)
    inside = f"tags.`{schema.TAG_PARENT}` = '{parent.info.run_id}'"
    children = runs.search_runs([parent.info.experiment_id], inside, order_by=["attributes.start_time"])
    by_number = {int(run.data.tags[schema.TAG_NUMBER]): run for run in children}
    assert set(by_number) == {0, 1}
    for number, run in by_number.items():
        assert (run.info.status, run.data.tags[schema.TAG_STATE]) == ("FINISHED", "finished")
        named = {f"LinearRegression.{param.name}": str(value) for param, value in grid[number].items()}
        assert run.data.params == named
        assert run.data.metrics["r2"] == pytest.approx(theirs.avgMetrics[number])
        folds = runs.get_metric_history(run.info.run_id, "r2_fold")
        assert [point.step for point in folds] == [0, 1, 2]
        assert sum(point.value for point in folds) / 3 == pytest.approx(theirs.avgMetrics[number])
        assert run.info.start_time <= folds[0].timestamp <= folds[2].timestamp <= run.info.end_time


def test_drawn_folds_are_those_of_cross_validator(rows: DataFrame) -> None:
    acting = Acting(sum_of_ids)
    grid = ParamGridBuilder().addGrid(acting.x, [1.0, -1.0]).build()
    theirs = CrossValidator(
        estimator=acting, estimatorParamMaps=grid, evaluator=Mean(), numFolds=3, seed=7, parallelism=1
    ).fit(rows)
    ours = tune(acting, {acting.x: [1.0, -1.0]}, Mean(), rows, folds=3, seed=7, sampler="grid", tracking=MEMORY)
    assert ours.avgMetrics == theirs.avgMetrics
    assert ours.stdMetrics == pytest.approx(theirs.stdMetrics)
    assert len({ours.stdMetrics[0], 0.0}) == 2
    assert ours.best_params == {"Acting.x": -1.0}


def test_a_validation_part_is_that_of_train_validation_split(rows: DataFrame) -> None:
    acting = Acting(sum_of_ids)
    grid = ParamGridBuilder().addGrid(acting.x, [1.0, -1.0]).build()
    theirs = TrainValidationSplit(
        estimator=acting, estimatorParamMaps=grid, evaluator=Mean(larger=True), trainRatio=0.75, seed=7
    ).fit(rows)
    options: dict[str, Any] = {"seed": 7, "sampler": "grid", "tracking": MEMORY}
    ours = tune(acting, {acting.x: [1.0, -1.0]}, Mean(larger=True), rows, validation=0.25, **options)
    assert ours.validationMetrics == ours.avgMetrics == theirs.validationMetrics
    assert ours.stdMetrics == []
    assert ours.best_params == {"Acting.x": 1.0}
    assert isinstance(ours.bestModel, Predicting)
    assert ours.bestModel.value == sum(range(60))  # of all rows


# -- trials


def test_the_rows_are_computed_once_for_all_fits(spark: SparkSession) -> None:
    computed = spark.sparkContext.accumulator(0)

    def compute(number: int) -> tuple[int]:
        computed.add(1)
        return (number,)

    data = spark.createDataFrame(spark.sparkContext.parallelize(range(30), 1).map(compute), "id long")
    acting = Acting(sum_of_ids)
    found = tune(acting, {acting.x: [1.0, 2.0]}, First(), data, folds=3, sampler="grid", tracking=MEMORY)
    assert found.sweep_result.counts.finished == 2
    assert computed.value == 30


def test_fits_run_side_by_side_and_what_fails_or_hangs_ends_alone(spark: SparkSession, rows: DataFrame) -> None:
    both = threading.Barrier(2, timeout=60)
    pools: set[str | None] = set()

    def act(x: float, data: DataFrame) -> float:
        pools.add(spark.sparkContext.getLocalProperty("spark.scheduler.pool"))
        if x < 2:
            both.wait()
        if x == 1:
            wait_for(spark, Path("/never"))
        if x == 2:
            raise ValueError("cannot be fitted")
        return x

    acting = Acting(act)
    options: dict[str, Any] = {"sampler": "grid", "parallelism": 2, "trial_timeout": 8, "tracking": MEMORY}
    found = tune(acting, {acting.x: range(4)}, First(), rows, validation=0.5, refit=False, **options)
    states = [(trial.state, trial.reason) for trial in found.sweep_result.trials]
    finished = (State.FINISHED, "")
    assert states == [finished, (State.KILLED, "timeout"), (State.FAILED, "exception"), finished]
    assert "ValueError: cannot be fitted" in found.sweep_result.trials[2].message
    assert len(pools - {None}) == 4
    assert found.avgMetrics == pytest.approx([0.0, math.nan, math.nan, 3.0], nan_ok=True)


def test_the_spark_jobs_of_one_fit_are_cancelled_and_those_of_no_other(
    spark: SparkSession, rows: DataFrame, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"

    def act(x: float, data: DataFrame) -> float:
        if x == 0:
            try:
                wait_for(spark, Path("/never"))
            finally:
                ended.touch()
        return float(wait_for(spark, ended))

    acting = Acting(act)
    space = ParamSpace(acting, {acting.x: [0.0, 1.0]})
    split = Split(rows, SplitPlan(None, 0.5, None, 0))
    executor = open_executor(
        "driver", Work(FitAndEvaluate(acting, First(), space, split, "loss"), parallelism=2), spark
    )
    try:
        for number in range(2):
            executor.submit(attempt(number, params={"Acting": {"x": float(number)}}))
        started = 0
        while started < 2 or len(spark.sparkContext.statusTracker().getActiveJobsIds()) < 2:
            started += sum(isinstance(event, Started) for event in executor.events(0.1))
        executor.stop("0.0.1", "cancelled")
        outcomes = {each.attempt: each.outcome for each in events_until(executor, 2) if isinstance(each, Ended)}
    finally:
        executor.close()
    assert (outcomes["0.0.1"].state, outcomes["0.0.1"].reason) == (State.KILLED, "cancelled")
    assert (outcomes["1.0.1"].state, outcomes["1.0.1"].metrics) == (State.FINISHED, {"loss": 1.0})


def wait_for(spark: SparkSession, file: Path) -> int:
    """A Spark job that ends when the file is there."""
    name = str(file)

    def wait(rows: Any) -> Any:
        import os
        import time

        until = time.monotonic() + 120
        while not os.path.exists(name) and time.monotonic() < until:
            time.sleep(0.05)
        return rows

    return spark.sparkContext.parallelize([1], 1).mapPartitions(wait).count()


def test_a_pruner_leaves_a_hopeless_candidate_after_its_first_fold(rows: DataFrame) -> None:
    fits: list[float] = []

    def act(x: float, data: DataFrame) -> float:
        fits.append(x)
        return x

    acting = Acting(act)
    options: dict[str, Any] = {"folds": 3, "sampler": "grid", "parallelism": 1, "tracking": MEMORY, "refit": False}
    found = tune(acting, {acting.x: [9.0, 1.0]}, First(), rows, pruner={"threshold": {"upper": 5}}, **options)
    assert [trial.state for trial in found.sweep_result.trials] == [State.PRUNED, State.FINISHED]
    assert fits == [9.0, 1.0, 1.0, 1.0]
    assert found.avgMetrics == pytest.approx([math.nan, 1.0], nan_ok=True)
    assert found.stdMetrics == pytest.approx([math.nan, 0.0], nan_ok=True)
    assert found.bestModel is None
    with pytest.raises(ValueError, match="refit=False"):
        found.transform(rows)


def test_a_candidate_whose_metric_is_nan_is_never_the_best(rows: DataFrame) -> None:
    acting = Acting(lambda x, data: x)
    options: dict[str, Any] = {"folds": 2, "sampler": "grid", "tracking": MEMORY, "refit": False}
    found = tune(acting, {acting.x: [-1.0, 1.0]}, First(), rows, **options)
    assert found.avgMetrics == pytest.approx([math.nan, 1.0], nan_ok=True)
    assert found.bestParams == {acting.x: 1.0}


def test_rows_of_a_table_are_in_the_lineage_of_the_sweep(spark: SparkSession, rows: DataFrame) -> None:
    tables = DeltaTables(Home.find().tables, spark)
    tables.write("t", rows)
    acting = Acting(lambda x, data: x)
    options: dict[str, Any] = {"folds": 2, "sampler": "grid", "tracking": MEMORY, "refit": False}
    tune(acting, {acting.x: [1.0]}, First(), tables.read("t").where("a > 0.1"), **options)
    (edge,) = [one for one in edges_in(Catalog(Home.find()).system.rows("lineage")) if one.target.kind == "SWEEP"]
    assert (str(edge.source), edge.job.kind) == ("table main.default.t@0", "SWEEP")


def test_a_sweep_without_a_finished_trial_raises_what_the_last_one_raised(rows: DataFrame) -> None:
    def act(x: float, data: DataFrame) -> float:
        raise ValueError("cannot be fitted")

    acting = Acting(act)
    with pytest.raises(st.SparkmlError, match="cannot be fitted"):
        tune(acting, {acting.x: [1.0]}, First(), rows, validation=0.5, sampler="grid", tracking=MEMORY)


# -- params


def test_stages_of_one_class_stay_apart_and_ints_stay_ints(spark: SparkSession) -> None:
    low, high, lr = Binarizer(inputCol="a"), Binarizer(inputCol="b"), LogisticRegression()
    pipeline = Pipeline(stages=[low, high, lr])
    given = {high.threshold: st.uniform(0, 1), low.threshold: 0.5, lr.maxIter: st.quniform(1, 9, 1.0)}
    space = ParamSpace(pipeline, given)
    assert list(space.named) == ["Binarizer_2", "Binarizer_1", "LogisticRegression"]
    params = {
        "Binarizer_2": {"threshold": 0.7},
        "Binarizer_1": {"threshold": 0.5},
        "LogisticRegression": {"maxIter": 3.0},
    }
    made = space.param_map(params)
    assert made == {high.threshold: 0.7, low.threshold: 0.5, lr.maxIter: 3}
    assert type(made[lr.maxIter]) is int
    assert pipeline.copy(made).getStages()[2].getMaxIter() == 3  # type: ignore[attr-defined]


def test_options_may_be_stages_and_lists_and_have_params_of_their_own(spark: SparkSession) -> None:
    one, two, pipeline = LogisticRegression(), LogisticRegression(), Pipeline()
    stages = [[one], [two]]
    space = ParamSpace(pipeline, {pipeline.stages: stages, one.thresholds: [[0.3, 0.7], [0.5, 0.5]]})
    assert space.named["Pipeline"]["stages"] == st.choice("LogisticRegression_1", "LogisticRegression_2")
    chosen = {"Pipeline": {"stages": "LogisticRegression_2"}, "LogisticRegression_1": {"thresholds": [0.3, 0.7]}}
    made = space.param_map(chosen)
    assert made == {pipeline.stages: [two], one.thresholds: [0.3, 0.7]}
    assert [stage.uid for stage in pipeline.copy(made).getStages()] == [two.uid]


def test_what_tells_a_sweep_to_go_on_is_what_was_set_and_no_id(spark: SparkSession) -> None:
    def described(step: float) -> str:
        binarizer = Binarizer(threshold=step)
        lr = LogisticRegression(featuresCol=binarizer.getOutputCol())
        pipeline = Pipeline(stages=[binarizer, lr])
        return ParamSpace(pipeline, {lr.maxIter: 1}).described(pipeline)

    assert described(0.5) == described(0.5)  # of other objects, so with other ids
    assert described(0.5) != described(0.6)


# -- wrong arguments


CASES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({}, ValueError, "neither of folds and validation given"),
    ({"folds": 2, "validation": 0.5}, ValueError, "both of folds and validation given"),
    ({"folds": 1}, ValueError, "folds is 1; allowed is a whole number of at least 2"),
    ({"folds": 2.0}, TypeError, r"folds is 2.0 \(float\)"),
    ({"validation": 1.0}, ValueError, "validation is 1.0; allowed is a number above 0 and below 1"),
    ({"validation": True}, TypeError, r"validation is True \(bool\)"),
    ({"validation": 0.5, "fold_column": "fold"}, ValueError, "fold_column is 'fold' without folds"),
    ({"folds": 2, "fold_column": "fald"}, ValueError, "fold_column is 'fald', not a column of data"),
    ({"folds": 2, "fold_column": "a"}, ValueError, "fold_column is 'a', of type double"),
    ({"folds": 2, "fold_column": "fold"}, ValueError, "has the fold 2; allowed are whole numbers from 0 to 1"),
    ({"folds": 4, "fold_column": "fold"}, ValueError, "leaves fold 3 of 4 without rows"),
    ({"folds": 2, "seed": "x"}, TypeError, r"seed is 'x' \(str\)"),
    ({"folds": 2, "max_trials": 0}, InvalidInput, "max_trials is 0"),
    ({"folds": 2, "space": {}}, ValueError, "space is empty"),
    ({"folds": 2, "space": [1]}, TypeError, "space is a list"),
    ({"folds": 2, "space": {"regParam": 1.0}}, TypeError, r"the key 'regParam' \(str\); allowed are params"),
    ({"folds": 2, "evaluator": "auc"}, TypeError, "evaluator is a str; allowed is a pyspark Evaluator"),
    ({"folds": 2, "data": [1]}, TypeError, "data is a list; allowed is a pyspark DataFrame"),
    ({"folds": 2, "estimator": Mean()}, TypeError, "estimator is a Mean; allowed is a pyspark Estimator"),
]


@pytest.mark.parametrize(("changes", "kind", "message"), CASES, ids=[case[2][:40] for case in CASES])
def test_wrong_arguments_are_refused_in_one_sentence_before_anything_runs(
    rows: DataFrame, changes: dict[str, Any], kind: type[Exception], message: str
) -> None:
    acting = Acting(lambda x, data: pytest.fail("it was fitted"))
    given = {"estimator": acting, "space": {acting.x: [1.0]}, "evaluator": First(), "data": rows, "sampler": "grid"}
    with pytest.raises(kind, match=message):
        tune(**{**given, **changes})
    assert not Home.find().journal.exists()


def test_a_param_of_something_else_and_values_it_does_not_take_are_named(rows: DataFrame) -> None:
    lr, other = LogisticRegression(), LogisticRegression()
    with pytest.raises(ValueError, match=f"{other.uid}.regParam, which is not of this LogisticRegression; allowed are"):
        tune(lr, {other.regParam: [1.0]}, RegressionEvaluator(), rows, folds=2)
    with pytest.raises(TypeError, match=r"LogisticRegression.maxIter is uniform\(1, 9\), but the param does not take"):
        tune(lr, {lr.maxIter: st.uniform(1, 9)}, RegressionEvaluator(), rows, folds=2)
    with pytest.raises(TypeError, match=r"LogisticRegression.regParam .* does not take 'high'"):
        tune(lr, {lr.regParam: [0.1, "high"]}, RegressionEvaluator(), rows, folds=2)
