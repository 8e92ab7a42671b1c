"""One search through every door leaves parent and child runs of one shape: that of ``sweep()``, by ``schema``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
import optuna
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.frontdoors import groups
from sparkml_track.frontdoors import hyperopt as hyperopt_door
from sparkml_track.frontdoors import optuna as optuna_door

TRIALS = 3
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


@pytest.fixture(autouse=True)
def state(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    return home


def data() -> tuple[Any, Any]:
    x, y = load_breast_cancer(return_X_y=True)
    return x[::4], y[::4]


def loss(c: float) -> float:
    x, y = data()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c)).fit(x[::2], y[::2])
    return float(log_loss(y[1::2], model.predict_proba(x[1::2])))


def through_sweep() -> st.SweepResult:
    return st.sweep(
        lambda trial: loss(trial.params["C"]),
        {"C": st.loguniform(1e-2, 10)},
        sampler="random",
        max_trials=TRIALS,
        executor="inline",
        progress=False,
    )


def through_hyperopt() -> st.SweepResult:
    trials = hyperopt_door.SparkTrials(1, executor="inline")
    hyperopt.fmin(
        lambda point: loss(point["C"]),
        {"C": hyperopt.hp.loguniform("C", np.log(1e-2), np.log(10))},
        hyperopt.rand.suggest,
        TRIALS,
        trials=trials,
        rstate=np.random.default_rng(0),
        show_progressbar=False,
    )
    assert trials.sweep_result is not None
    return trials.sweep_result


def through_optuna() -> st.SweepResult:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    result = optuna_door.optimize(
        study, lambda trial: loss(trial.suggest_float("C", 1e-2, 10, log=True)), n_trials=TRIALS, executor="inline"
    )
    assert result is not None
    return result


def through_sklearn() -> st.SweepResult:
    from sparkml_track.frontdoors.sklearn import SparkSearchCV

    x, y = data()
    search = SparkSearchCV(
        LogisticRegression(max_iter=5000), {"C": [0.1, 1.0, 10.0]}, cv=2, executor="inline", log_model=False
    )
    return search.fit(x, y).sweep_result_


def through_groups() -> st.SweepResult:
    frame = pd.DataFrame({"C": np.repeat([1, 2, 3], 2), "x": range(6)})
    models = groups.train_groups(
        frame, "C", lambda pdf: {"loss": loss(float(pdf["C"].iloc[0]))}, executor="inline", progress=False
    )
    return models.sweep_result


DOORS: list[Callable[[], st.SweepResult]] = [
    through_sweep,
    through_hyperopt,
    through_optuna,
    through_sklearn,
    through_groups,
]


@pytest.mark.slow
@pytest.mark.parametrize("search", DOORS, ids=lambda search: search.__name__.removeprefix("through_"))
def test_a_search_leaves_runs_of_one_shape(search: Callable[[], st.SweepResult], state: Path) -> None:
    result = search()
    client = MlflowClient(f"sqlite:///{state}/mlflow.db")
    parent = client.get_run(result.run_id)
    inside = f"tags.`{schema.TAG_PARENT}` = '{result.run_id}'"
    children = client.search_runs([parent.info.experiment_id], inside)
    check_shape(client, parent, children)
    assert parent.data.metrics["trials_finished"] == TRIALS
    assert [child for child in children if child.data.tags[schema.TAG_NUMBER] == parent.data.tags[schema.TAG_BEST]]


def check_shape(client: MlflowClient, parent: Run, children: list[Run]) -> None:
    """Whether runs are those of a sweep of ``TRIALS`` finished trials, with one param C or a key of that name."""
    assert set(parent.data.tags) >= OF_A_PARENT
    assert parent.data.tags[schema.TAG_KIND] == "sweep"
    assert parent.info.status == "FINISHED"
    assert files_of(client, parent.info.run_id) >= ARTIFACTS
    assert len(children) == TRIALS
    for child in children:
        assert set(child.data.tags) >= OF_A_CHILD
        assert child.data.tags[schema.TAG_KIND] == "trial"
        assert child.data.tags[schema.TAG_STATE] == "finished"
        assert child.info.status == "FINISHED"
        assert "C" in child.data.params
        assert child.info.end_time >= child.info.start_time >= parent.info.start_time
        assert child.data.metrics
    numbers = {int(child.data.tags[schema.TAG_NUMBER]) for child in children}
    keys = {child.data.tags[schema.TAG_KEY] for child in children}
    assert numbers == set(range(TRIALS))
    assert keys == {f"{parent.data.tags[schema.TAG_SWEEP]}/{number}" for number in numbers}


def files_of(client: MlflowClient, run_id: str) -> set[str]:
    return {file.path for file in client.list_artifacts(run_id, "sweep")}
