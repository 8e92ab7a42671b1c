"""The main job's sweep through every door leaves parent and child runs of one shape: ``sweep()``'s, by ``schema``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hyperopt
import joblib
import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from pyspark.ml import Estimator, Model
from pyspark.ml.evaluation import Evaluator
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.sql import DataFrame, SparkSession
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from threadpoolctl import threadpool_limits

import flights.model
import sparkml_track as st
import sparkml_track.frontdoors.joblib
from flights.objective import train
from sparkml_track import schema
from sparkml_track.config.settings import load
from sparkml_track.frontdoors import groups
from sparkml_track.frontdoors import hyperopt as hyperopt_door
from sparkml_track.frontdoors import optuna as optuna_door
from sparkml_track.frontdoors.sparkml import tune

#: What every trial's run says of it; more may be there where there is more to say.
OF_A_CHILD = {
    schema.TAG_ATTEMPTS,
    schema.TAG_HOST,
    schema.TAG_KEY,
    schema.TAG_KIND,
    schema.TAG_NUMBER,
    schema.TAG_PARENT,
    schema.TAG_STATE,
    schema.TAG_SWEEP,
}
#: The same of a sweep's.
OF_A_PARENT = {
    schema.TAG_BEST,
    schema.TAG_DIGEST,
    schema.TAG_FINGERPRINT,
    schema.TAG_KIND,
    schema.TAG_PLATFORM,
    schema.TAG_PYTHON,
    schema.TAG_SWEEP,
}
ARTIFACTS = {schema.ARTIFACT_SPEC, schema.ARTIFACT_SPACE, schema.ARTIFACT_PACKAGES, schema.ARTIFACT_TRIALS}
ARTIFACTS |= {schema.ARTIFACT_REPORT}

JOB = load(Path(__file__).parents[2] / "conf" / "flights.yaml")
#: Of each of the main job's models, what the config file says its parameters may be.
KINDS: dict[str, dict[str, Any]] = {option["kind"]: option for option in JOB.sweep.space["model"]["choice"]}
#: One of each kind, in that space; a trial is one of these.
POINTS: list[dict[str, Any]] = [
    {"kind": "logistic", "C": 0.5, "scaler": "standard"},
    {"kind": "forest", "linear": 0.4, "n_estimators": 20, "max_depth": 4, "min_samples_leaf": 20, "max_features": 0.4},
    {
        "kind": "boosting",
        "linear": 0.4,
        "learning_rate": 0.1,
        "max_iter": 30,
        "max_leaf_nodes": 4,
        "min_samples_leaf": 20,
        "l2_regularization": 1.0,
    },
]
TRIALS, ROWS = len(POINTS), 300
Session = Callable[[], SparkSession]


@pytest.fixture(autouse=True)
def state(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    with threadpool_limits(1):
        yield home


def flown(seed: int) -> pa.Table:
    """Some flights, made up."""
    random = np.random.default_rng(seed)
    wind, rate = random.normal(size=ROWS), random.random(ROWS)
    late = (wind * rate + random.normal(size=ROWS) / 2) > 0.3
    return pa.table(
        {
            "wind_speed": wind,
            "carrier_late_7d": rate,
            "origin": np.repeat(["EWR", "JFK", "LGA"], ROWS // 3),
            "late": late.astype(np.int32),
        }
    )


DATA = {"train": flown(1), "valid": flown(2)}


def of_the_job(model: Mapping[str, Any], data: Mapping[str, pa.Table] = DATA, **trial: Any) -> dict[str, float]:
    """The main job's objective, for doors whose functions get params and no trial."""
    trial = {"report": lambda metrics, step: None, "should_stop": lambda: False, "seed": JOB.sweep.seed, **trial}
    return train(SimpleNamespace(params={"rows": ROWS, "model": model}, data=data, **trial))


def by_its_own_name(kind: str, name: str) -> str:
    return name


@dataclass(frozen=True)
class Searched:
    """What came of a door.

    Attributes:
        result: of its sweep.
        recorded: what it records a parameter of a kind of model as.
        loss: the metric of a trial that has its log loss, with a minus where it is a score.
        conditional: a trial has the parameters of its kind alone; else those of all.
        twice: it is the mean of two losses, the second with training and validation rows exchanged.
    """

    result: st.SweepResult
    recorded: Callable[[str, str], str] = by_its_own_name
    loss: str = "log_loss"
    conditional: bool = True
    twice: bool = False


# -- the doors


def through_sweep(_: Session) -> Searched:
    result = st.sweep(
        train,
        JOB.sweep.space,
        metric=JOB.sweep.metric,
        sampler=JOB.sweep.sampler,
        pruner=JOB.sweep.pruner,
        points_to_evaluate=[{"rows": JOB.sweep.space["rows"], "model": point} for point in POINTS],
        max_trials=TRIALS,
        data=DATA,
        executor="inline",
        progress=False,
    )
    return Searched(result, lambda kind, name: f"model.{name}")


def through_hyperopt(_: Session) -> Searched:
    hp = hyperopt.hp

    def expression(label: str, said: Any) -> Any:
        (kind, given), *_ = said.items() if isinstance(said, dict) else [("", said)]
        if kind == "choice":
            return hp.choice(label, given)
        if kind == "loguniform":
            return hp.loguniform(label, *np.log(given))
        return getattr(hp, kind)(label, *given) if kind else said

    def index(kind: str, name: str, value: Any) -> Any:
        said = KINDS[kind][name]
        return said["choice"].index(value) if "choice" in said else value

    def labelled(kind: str, name: str) -> str:
        return "model.kind" if name == "kind" else f"{kind}_{name}"

    options = [{name: expression(f"{kind}_{name}", said) for name, said in KINDS[kind].items()} for kind in KINDS]
    points = [
        {
            "model": [*KINDS].index(kind),
            **{f"{kind}_{name}": index(kind, name, value) for name, value in point.items() if name != "kind"},
        }
        for point in POINTS
        for kind in [point["kind"]]
    ]
    trials = hyperopt_door.SparkTrials(1, executor="inline", points_to_evaluate=points)
    hyperopt.fmin(
        lambda point: {"loss": (found := of_the_job(point))["log_loss"], "status": "ok", **found},
        hp.choice("model", options),
        hyperopt.tpe.suggest,
        TRIALS,
        trials=trials,
        show_progressbar=False,
    )
    assert trials.sweep_result is not None
    return Searched(trials.sweep_result, labelled)


def through_optuna(_: Session) -> Searched:
    def suggested(trial: Any, name: str, said: Any) -> Any:
        (kind, given), *_ = said.items() if isinstance(said, dict) else [("", said)]
        if kind == "choice":
            return trial.suggest_categorical(name, given)
        if kind == "randint":
            return trial.suggest_int(name, given[0], given[1] - 1)
        return trial.suggest_float(name, *given, log=kind == "loguniform") if kind else said

    def objective(trial: Any) -> float:
        said = KINDS[trial.suggest_categorical("kind", [*KINDS])]
        model = {name: suggested(trial, name, each) for name, each in said.items()}
        return of_the_job(
            model, report=lambda metrics, step: trial.report(metrics["log_loss"], step), should_stop=trial.should_prune
        )["log_loss"]

    study = optuna.create_study(pruner=optuna.pruners.MedianPruner())
    for point in POINTS:
        study.enqueue_trial(point)
    result = optuna_door.optimize(study, objective, n_trials=TRIALS, executor="inline")
    assert result is not None
    return Searched(result, loss="value")


class Flights(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The main job's models, as a user of scikit-learn has them."""

    def __init__(
        self,
        kind: Any = None,
        C: Any = None,  # noqa: N803
        scaler: Any = None,
        linear: Any = None,
        n_estimators: Any = None,
        max_depth: Any = None,
        min_samples_leaf: Any = None,
        max_features: Any = None,
        learning_rate: Any = None,
        max_iter: Any = None,
        max_leaf_nodes: Any = None,
        l2_regularization: Any = None,
    ) -> None:
        given = locals()
        for name in NAMES:
            setattr(self, name, given[name])

    def fit(self, X: Any, y: Any) -> Flights:  # noqa: N803
        model = {name: value for name, value in self.get_params().items() if value is not None}
        self.model_ = flights.model.build(model, JOB.sweep.seed or 0, len(y)).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return self.model_.predict_proba(X)


NAMES = dict.fromkeys(name for point in POINTS for name in point)
GRID = [{name: [value] for name, value in point.items()} for point in POINTS]
SCORES = {"log_loss": "neg_log_loss", "auc": "roc_auc", "brier": "neg_brier_score"}


def months() -> dict[str, Any]:
    """The same rows for scikit-learn's searches, and the split of them."""
    both = pa.concat_tables(DATA.values())
    x, y = flights.model.matrix(both), flights.model.labels(both)
    return {"data": (x, y), "cv": PredefinedSplit(np.repeat([-1, 0], ROWS))}


def through_sklearn(_: Session) -> Searched:
    from sparkml_track.frontdoors.sklearn import SparkSearchCV

    given = months()
    search = SparkSearchCV(
        Flights(),
        GRID,
        scoring=SCORES,
        refit="log_loss",
        cv=given["cv"],
        executor="inline",
        log_model=False,
    )
    return Searched(search.fit(*given["data"]).sweep_result_, loss="-test_log_loss")


class SparkFlights(Estimator):  # type: ignore[type-arg]
    """The main job's models, as a user of pyspark.ml has them: all params are there at once."""

    def __init__(self) -> None:
        super().__init__()
        for name in NAMES:
            setattr(self, name, Param(self, name, f"the job's {name}", TypeConverters.identity))

    def _fit(self, dataset: DataFrame) -> SparkFlown:
        params = {name: self.getOrDefault(self.getParam(name)) for name in NAMES}
        model = {name: params[name] for name in KINDS[params["kind"]]}
        table = dataset.toArrow()
        late = flights.model.labels(table)
        unfitted = flights.model.build(model, JOB.sweep.seed or 0, len(late))
        with threadpool_limits(1):  # threads that wait for a core beside Spark spin
            return SparkFlown(unfitted.fit(flights.model.matrix(table), late))


class SparkFlown(Model):
    def __init__(self, fitted: Any) -> None:
        super().__init__()
        self.fitted = fitted

    def _transform(self, dataset: DataFrame) -> DataFrame:
        table = dataset.toArrow()
        late = flights.model.labels(table)
        with threadpool_limits(1):
            chances = self.fitted.predict_proba(flights.model.matrix(table))[:, 1]
        loss = flights.model.measure(late, chances)["log_loss"]
        return dataset.sparkSession.range(1).selectExpr(f"{loss!r}D AS log_loss")


class LogLoss(Evaluator):
    metricName = Param(Params._dummy(), "metricName", "what is measured", TypeConverters.toString)  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self._setDefault(metricName="log_loss")

    def _evaluate(self, dataset: DataFrame) -> float:
        row = dataset.first()
        assert row is not None
        return float(row[0])

    def isLargerBetter(self) -> bool:  # noqa: N802
        return False


def through_spark_ml(session: Session) -> Searched:
    parts = [table.append_column("month", pa.array([at] * ROWS, pa.int32())) for at, table in enumerate(DATA.values())]
    frame = session().createDataFrame(pa.concat_tables(parts)).coalesce(1)
    estimator = SparkFlights()
    space = {estimator.getParam(name): [POINTS[-1][name]] for name in KINDS["boosting"]}
    space |= {estimator.getParam(name): [value] for point in POINTS[:2] for name, value in point.items()}
    space[estimator.getParam("kind")] = [*KINDS]
    tuned = tune(
        estimator,
        space,
        LogLoss(),
        frame,
        folds=2,
        fold_column="month",
        sampler="grid",
        pruner=JOB.sweep.pruner,
        refit=False,
        progress=False,
    )
    return Searched(tuned.sweep_result, lambda kind, name: f"SparkFlights.{name}", conditional=False, twice=True)


def through_groups(_: Session) -> Searched:
    def fit(pdf: pd.DataFrame, params: Any) -> Any:
        whole = pa.Table.from_pandas(pdf, preserve_index=False)
        return of_the_job(params["model"], {"train": whole.slice(0, ROWS // 6), "valid": whole.slice(ROWS // 6)})

    models = groups.train_groups(
        DATA["train"].to_pandas(),
        "origin",
        fit,
        space=JOB.sweep.space,
        n_trials=2,
        metric=JOB.sweep.metric,
        executor="inline",
        progress=False,
    )
    return Searched(models.sweep_result)


DOORS = [
    through_sweep,
    through_hyperopt,
    through_optuna,
    through_sklearn,
    pytest.param(through_spark_ml, marks=pytest.mark.spark),
    through_groups,
]


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Session:
    """Starts Spark for the door that needs it alone."""
    return lambda: request.getfixturevalue("spark")


@pytest.mark.slow
@pytest.mark.parametrize("search", DOORS, ids=lambda search: search.__name__.removeprefix("through_"))
def test_the_main_job_leaves_runs_of_one_shape(
    search: Callable[[Session], Searched], session: Session, state: Path
) -> None:
    found = search(session)
    client = MlflowClient(f"sqlite:///{state}/mlflow.db")
    parent = client.get_run(found.result.run_id)
    inside = f"tags.`{schema.TAG_PARENT}` = '{found.result.run_id}'"
    children = client.search_runs([parent.info.experiment_id], inside)
    check_shape(client, parent, children)
    assert st.verify(found.result.sweep).clean
    if search is not through_groups:  # whose trials are groups
        check_models(found, children)


@pytest.mark.slow
def test_a_grid_of_the_main_job_through_joblib_finds_the_same_and_leaves_no_runs(state: Path) -> None:
    given = months()
    search = GridSearchCV(Flights(), GRID, scoring=SCORES, refit="log_loss", cv=given["cv"])
    with joblib.parallel_config(backend="sparkml", executor="processes", n_jobs=2):
        search.fit(*given["data"])
    losses = dict(zip([point["kind"] for point in POINTS], -search.cv_results_["mean_test_log_loss"], strict=True))
    assert losses["logistic"] == pytest.approx(of_the_job(POINTS[0])["log_loss"], rel=1e-3)
    client = MlflowClient(f"sqlite:///{state}/mlflow.db")
    assert not client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert not (state / "journal").exists()


def check_shape(client: MlflowClient, parent: Run, children: list[Run]) -> None:
    """Whether runs are those of a sweep of ``TRIALS`` finished trials."""
    assert set(parent.data.tags) >= OF_A_PARENT
    assert parent.data.tags[schema.TAG_KIND] == "sweep"
    assert parent.info.status == "FINISHED"
    assert files_of(client, parent.info.run_id) >= ARTIFACTS
    assert {name: parent.data.metrics[f"trials_{name}"] for name in COUNTS} == COUNTS
    assert len(children) == TRIALS
    for child in children:
        assert set(child.data.tags) >= OF_A_CHILD
        assert child.data.tags[schema.TAG_KIND] == "trial"
        assert child.data.tags[schema.TAG_STATE] == "finished"
        assert child.info.status == "FINISHED"
        assert child.info.end_time >= child.info.start_time >= parent.info.start_time
        assert child.data.params
        assert child.data.metrics
    numbers = {child.data.tags[schema.TAG_NUMBER] for child in children}
    keys = {child.data.tags[schema.TAG_KEY] for child in children}
    assert numbers == set(map(str, range(TRIALS)))
    assert parent.data.tags[schema.TAG_BEST] in numbers
    assert keys == {f"{parent.data.tags[schema.TAG_SWEEP]}/{number}" for number in numbers}


COUNTS = {"planned": TRIALS, "finished": TRIALS, "pruned": 0, "failed": 0, "killed": 0, "running": 0, "not_started": 0}


def check_models(found: Searched, children: list[Run]) -> None:
    """Whether the three models were fitted, each recorded with the params it had and the loss that the job gives it."""
    left = {point["kind"]: point for point in POINTS}
    splits = [DATA, {"train": DATA["valid"], "valid": DATA["train"]}][: 1 + found.twice]
    for child in children:
        params = child.data.params
        kind = params[found.recorded("", "kind")]
        point = left.pop(kind)
        recorded = {found.recorded(kind, name): str(value) for name, value in point.items()}
        assert params.items() >= recorded.items()
        others = {found.recorded(each, name) for each in KINDS for name in KINDS[each]} - recorded.keys()
        assert bool(params.keys() & others) is not found.conditional
        loss = child.data.metrics[found.loss.removeprefix("-")] * (-1 if found.loss.startswith("-") else 1)
        expected = np.mean([of_the_job(point, split)["log_loss"] for split in splits])
        assert loss == pytest.approx(expected, rel=1e-3 if kind == "logistic" else 0.2)  # trees are drawn by seeds
    assert not left


def files_of(client: MlflowClient, run_id: str) -> set[str]:
    return {file.path for file in client.list_artifacts(run_id, "sweep")}
