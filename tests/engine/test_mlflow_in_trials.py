"""``mlflow`` in an objective: the child run has what the same code leaves in a store of its own on a laptop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import sparkml_track as st
from sparkml_track import schema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def objective(trial: Any) -> float:
    """Everything that an objective on Databricks does, but for models."""
    import mlflow
    import numpy as np
    import pandas as pd

    with mlflow.start_run() as run:
        mlflow.log_param("alpha", 3)
        mlflow.log_params({"beta": "b", "long": "y" * 300})
        for step in range(5):
            mlflow.log_metric("curve", step * 0.5, step=step)
        mlflow.log_metrics({"a": 1.0, "b": math.nan}, step=2)
        mlflow.log_metric("later", 4.0, synchronous=False)
        mlflow.set_tags({"colour": "red", "note": "n"})
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        mlflow.log_table({"q": [1, 2]}, "table.json")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "image.png")
        mlflow.log_artifact(mlflow.version.__file__, "files")
        frame = pd.DataFrame({"a": [1, 2]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="frame"), context="training")  # type: ignore[attr-defined]
        assert mlflow.active_run().info.run_id == run.info.run_id
        assert mlflow.get_run(run.info.run_id).data.params["alpha"] == "3"
    if trial is not None:
        with mlflow.start_run():  # the same run again
            mlflow.set_tag("again", "yes")
    return 0.5


def described(client: MlflowClient, run: Run) -> dict[str, object]:
    """What a person finds on a run, without ids and times; of a trial without what the driver adds."""
    histories = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics if key != "loss"}
    ours = (schema.TAG_STATE.partition(".")[0] + ".", "mlflow.")
    return {
        "params": {name: value for name, value in run.data.params.items() if name != "x"},
        "metrics": {key: [(str(one.value), one.step) for one in points] for key, points in histories.items()},
        "tags": {name: value for name, value in run.data.tags.items() if not name.startswith(ours) and name != "again"},
        "tables": run.data.tags["mlflow.loggedArtifacts"],
        "inputs": [
            (one.dataset.name, one.dataset.digest, one.dataset.schema, {tag.key: tag.value for tag in one.tags})
            for one in run.inputs.dataset_inputs
        ],
        "files": sorted(set(files(client, run.info.run_id)) - {"log.txt"}),
    }


def files(client: MlflowClient, run_id: str, folder: str | None = None) -> list[str]:
    found = []
    for each in client.list_artifacts(run_id, folder):
        found += files(client, run_id, each.path) if each.is_dir else [each.path]
    return found


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the objective leaves in a plain SQLite store, from a process of its own."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("laptop")
    uri = f"sqlite:///{folder}/own.db"
    code = (
        f"import mlflow, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); mlflow.set_tracking_uri({uri!r});"
        f"mlflow.create_experiment('e', {folder.as_uri()!r}); mlflow.set_experiment('e');"
        "from tests.engine.test_mlflow_in_trials import objective; objective(None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, capture_output=True)
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    return described(client, run)


@pytest.fixture
def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[MlflowClient, list[Run]]]:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))

    def run(what: Callable[[Any], object], **options: Any) -> tuple[MlflowClient, list[Run]]:
        given: dict[str, Any] = {"max_trials": 2, "sampler": "random", "progress": False, "parallelism": 1, **options}
        result = st.sweep(what, {"x": st.uniform(0, 1)}, **given)
        assert [trial.message for trial in result.trials if trial.message] == []
        assert st.verify(result.sweep, home=tmp_path).differences == []
        client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
        found = client.search_runs([result.experiment_id], f"tags.`{schema.TAG_KIND}` = 'trial'")
        return client, sorted(found, key=lambda one: int(one.data.tags[schema.TAG_NUMBER]))

    return run


def test_a_child_run_has_what_a_laptop_run_has(laptop: dict[str, object], swept: Any) -> None:
    client, runs = swept(objective, executor="processes")
    assert len(runs) == 2
    for run in runs:
        assert described(client, run) == laptop
        assert run.data.tags["again"] == "yes"
        assert run.data.metrics["loss"] == 0.5
        assert (run.info.status, run.data.tags[schema.TAG_STATE]) == ("FINISHED", "finished")


# MLflow warns of each column of integers, and takes a warning that is an error for a schema that cannot be found.
warns = pytest.mark.filterwarnings("ignore:Hint. Inferred schema:UserWarning")


@warns
def test_so_it_is_in_the_process_of_the_driver(laptop: dict[str, object], swept: Any) -> None:
    client, runs = swept(objective, executor="inline")
    for run in runs:
        assert described(client, run) == laptop
    assert [run.data.tags["again"] for run in runs] == ["yes", "yes"]


@warns
@pytest.mark.spark
def test_so_it_is_in_threads_of_the_driver(laptop: dict[str, object], swept: Any, spark: SparkSession) -> None:
    client, runs = swept(objective, executor="driver", spark=spark, max_trials=4, parallelism=3)
    assert [described(client, run) for run in runs] == [laptop] * 4


@pytest.mark.spark
@pytest.mark.parametrize("executor", ["resident", "jobs"])
def test_so_it_is_in_slots_of_spark(laptop: dict[str, object], swept: Any, spark: SparkSession, executor: str) -> None:
    client, runs = swept(objective, executor=executor, spark=spark, max_trials=1)
    assert [described(client, run) for run in runs] == [laptop]


def fits(trial: Any) -> float:
    """scikit-learn under autolog, with a param of the space's name and another value."""
    import mlflow
    from sklearn.linear_model import LogisticRegression

    mlflow.sklearn.autolog(log_models=False, silent=True)  # type: ignore[attr-defined]
    x, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    mlflow.log_param("x", "another")
    with_own = LogisticRegression(C=2.0).fit(x, y)
    return float(with_own.score(x, y))


def test_autologging_ends_in_the_child_run_and_a_param_of_the_space_keeps_its_value(swept: Any) -> None:
    _, (run, *_) = swept(fits, executor="processes", max_trials=1)
    assert run.data.params["C"] == "2.0"
    assert run.data.params["logged.x"] == "another"
    assert float(run.data.params["x"]) <= 1.0
    assert "training_score" in run.data.metrics


def goes_elsewhere(trial: Any) -> float:
    import mlflow

    if trial.number != 1:
        mlflow.log_metric("mine", trial.number)
    if trial.number < 2:  # after it has used the trial's store, and without
        mlflow.set_tracking_uri(f"sqlite:///{trial.artifact_dir}/other.db")
        mlflow.set_registry_uri(f"sqlite:///{trial.artifact_dir}/other.db")
    return float(trial.params["x"])


def test_a_trial_that_chooses_another_store_leaves_the_next_one_its_own(swept: Any) -> None:
    _, runs = swept(goes_elsewhere, executor="processes", max_trials=4)
    assert [run.data.metrics.get("mine") for run in runs] == [0.0, None, 2.0, 3.0]


def goes_and_comes_back(trial: Any) -> float:
    """Logs here, there, and here again; counts the clients that this takes."""
    import mlflow
    from mlflow.tracking import client

    made, new = [], client.MlflowClient.__init__
    client.MlflowClient.__init__ = lambda *given, **more: made.append(given) or new(*given, **more)  # type: ignore[assignment, method-assign]
    mlflow.log_metric("curve", 0.0, step=0)
    mlflow.end_run()
    here, there = mlflow.get_tracking_uri(), f"sqlite:///{trial.artifact_dir}/other.db"
    mlflow.set_tracking_uri(there)
    with mlflow.start_run():
        mlflow.log_metric("curve", 1.0, step=1)
    mlflow.set_tracking_uri(here)
    for step in range(2, 22):
        mlflow.log_metric("curve", 2.0, step=step)
    assert len(made) <= 3, f"{len(made)} clients"
    (run,) = MlflowClient(there).search_runs(["0"])
    return float(run.data.metrics["curve"])


def test_what_is_logged_goes_where_the_trial_says_at_that_moment(swept: Any) -> None:
    client, (run,) = swept(goes_and_comes_back, executor="processes", max_trials=1)
    assert [one.value for one in client.get_metric_history(run.info.run_id, "curve")] == [0.0] + [2.0] * 20
    assert run.data.metrics["loss"] == 1.0


def only_fits(trial: Any) -> float:
    """Nothing of MLflow: the sweep switches it on."""
    from sklearn.linear_model import LogisticRegression

    x, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    return float(LogisticRegression(C=2.0).fit(x, y).score(x, y))


def test_a_sweep_switches_autologging_on(swept: Any) -> None:
    how = {"sklearn": {"log_post_training_metrics": False}}  # other forms: see spec/test_check
    client, runs = swept(only_fits, executor="processes", autolog=how)
    for run in runs:
        assert run.data.params["C"] == "2.0"
        assert "training_score" in run.data.metrics
        assert run.outputs.model_outputs == [], "models are off unless they are asked for"
    assert client.search_logged_models([runs[0].info.experiment_id]) == []


def boosts(_: Any) -> float:
    import numpy as np
    import xgboost

    x, y = np.array([[0.0], [1.0], [2.0], [3.0]] * 8), np.array([0, 0, 1, 1] * 8)
    data = xgboost.DMatrix(x, y)
    given = {"max_depth": 2, "objective": "binary:logistic", "eval_metric": "logloss", "nthread": 1}
    booster = xgboost.train(given, data, 5, evals=[(data, "train")], verbose_eval=False)
    return float(np.mean((booster.predict(data) > 0.5) != y))


def test_xgboost_logs_each_round_and_a_model_that_predicts(swept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    xgboost = pytest.importorskip("xgboost")
    client, (run, *_) = swept(boosts, executor="processes", max_trials=1, autolog={"xgboost": {"log_models": True}})
    assert (run.data.params["max_depth"], run.data.params["num_boost_round"]) == ("2", "5")
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train-logloss")] == [0, 1, 2, 3, 4]
    (output,) = run.outputs.model_outputs
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", client.tracking_uri)
    booster = mlflow.xgboost.load_model(f"models:/{output.model_id}")
    low, high = booster.predict(xgboost.DMatrix([[0.0], [3.0]]))
    assert low < 0.5 < high


def test_without_it_nothing_of_mlflow_is_imported(swept: Any) -> None:
    def imports(_: Any) -> float:
        import sys

        import sklearn.linear_model  # noqa: F401

        return float("mlflow" in sys.modules)

    _, runs = swept(imports, executor="processes")
    assert [run.data.metrics["loss"] for run in runs] == [0.0, 0.0]


def models(trial: Any) -> float:
    import mlflow
    from sklearn.linear_model import LogisticRegression

    with mlflow.start_run():
        fitted = LogisticRegression(C=1 + trial.params["x"]).fit([[0.0], [1.0]], [0, 1])
        info = mlflow.sklearn.log_model(fitted, name="clf", pip_requirements=["scikit-learn"])  # type: ignore[attr-defined]
        assert mlflow.sklearn.load_model(info.model_uri).C == fitted.C  # type: ignore[attr-defined]
    return float(trial.params["x"])


@pytest.mark.parametrize("keep", ["all", pytest.param("best:1", marks=pytest.mark.slow)])
def test_models_are_those_of_the_child_run_and_can_be_registered(
    swept: Any, keep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, runs = swept(models, executor="processes", tracking=st.Tracking(keep=keep))
    found = client.search_logged_models([runs[0].info.experiment_id])
    best = min(runs, key=lambda run: float(run.data.params["x"]))
    of = {model.source_run_id: model for model in found}
    assert set(of) == ({run.info.run_id for run in runs} if keep == "all" else {best.info.run_id})
    model = of[best.info.run_id]
    (output,) = client.get_run(best.info.run_id).outputs.model_outputs
    assert (model.name, str(model.status), output.model_id) == ("clf", "READY", model.model_id)
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", client.tracking_uri)
    assert mlflow.models.get_model_info(f"models:/{model.model_id}").run_id == best.info.run_id
    client.create_registered_model("reg")
    client.create_model_version("reg", f"models:/{model.model_id}", best.info.run_id, model_id=model.model_id)
    assert 1 + float(best.data.params["x"]) == mlflow.sklearn.load_model("models:/reg/1").C


def grid(trial: Any) -> float:
    import warnings

    import mlflow
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    warnings.simplefilter("ignore")
    mlflow.sklearn.autolog(log_models=False, silent=True)  # type: ignore[attr-defined]
    # MLflow makes runs of the candidates for arrays alone, not for lists.
    x, y = np.array([[0.0], [1.0], [2.0], [3.0]] * 3), np.array([0, 0, 1, 1] * 3)
    return float(GridSearchCV(LogisticRegression(), {"C": [0.5, 1.0]}, cv=2).fit(x, y).best_score_)


def inside(client: MlflowClient, run: Run) -> list[Run]:
    return list(client.search_runs([run.info.experiment_id], f"tags.`{schema.TAG_PARENT}` = '{run.info.run_id}'"))


def test_runs_of_a_grid_search_are_grandchildren(swept: Any) -> None:
    client, (run, *_) = swept(grid, executor="processes", max_trials=1)
    assert "best_C" in run.data.params
    found = inside(client, run)
    assert sorted(one.data.params["C"] for one in found) == ["0.5", "1.0"]
    assert all("mean_test_score" in one.data.metrics for one in found)
    assert {(one.info.status, one.data.tags[schema.TAG_KIND]) for one in found} == {("FINISHED", "nested")}


def nests(_: Any) -> float:
    import mlflow

    with mlflow.start_run() as outer:
        mlflow.log_metric("out", 1.0)
        for index in range(2):
            with mlflow.start_run(run_name=f"fold {index}", nested=True) as run:
                assert run.info.run_id != outer.info.run_id
                mlflow.log_params({"fold": index})
                mlflow.log_metric("score", 0.5, step=index)
                mlflow.log_text("of a fold", "fold.txt")
                with mlflow.start_run(run_name="deep", nested=True):
                    mlflow.set_tag("depth", "2")
    return 0.5


def test_nested_runs_keep_what_they_logged_each_below_its_own(swept: Any) -> None:
    client, (run, *_) = swept(nests, executor="processes", max_trials=1)
    folds = sorted(inside(client, run), key=lambda one: str(one.info.run_name))
    assert [(one.info.run_name, one.data.params["fold"]) for one in folds] == [("fold 0", "0"), ("fold 1", "1")]
    assert [point.step for point in client.get_metric_history(folds[1].info.run_id, "score")] == [1]
    assert [each.path for each in client.list_artifacts(folds[0].info.run_id)] == ["fold.txt"]
    (deep,) = inside(client, folds[0])
    assert (deep.info.run_name, deep.data.tags["depth"]) == ("deep", "2")
    assert "fold" not in run.data.params


def test_nested_runs_can_be_merged(swept: Any) -> None:
    def merges(_: Any) -> float:
        import mlflow

        with mlflow.start_run(), mlflow.start_run(nested=True):
            mlflow.log_param("fold", 3)
        return 0.5

    client, (run, *_) = swept(merges, executor="processes", max_trials=1, tracking=st.Tracking(nested="merge"))
    assert run.data.params["fold"] == "3"
    assert inside(client, run) == []


def test_nested_runs_can_be_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    tracking = st.Tracking(nested="refuse")
    result = st.sweep(
        nests, {"x": st.uniform(0, 1)}, max_trials=1, executor="processes", progress=False, tracking=tracking
    )
    assert "a trial cannot nest runs, since the sweep's tracking has nested='refuse'" in result.trials[0].message


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("mlflow.register_model('runs:/x/m', 'm')", "a trial has no model registry"),
        ("mlflow.delete_run(mlflow.start_run().info.run_id)", "a trial cannot delete runs"),
        ("mlflow.get_run('0' * 32)", "a trial, which sees its own run alone"),
    ],
)
def test_what_a_trial_cannot_do_is_said_in_one_sentence(
    call: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))

    def forbidden(_: Any) -> float:
        import mlflow

        eval(call, {"mlflow": mlflow})
        return 0.0

    result = st.sweep(
        forbidden, {"x": st.uniform(0, 1)}, max_trials=1, executor="processes", parallelism=1, progress=False
    )
    assert said in result.trials[0].message
