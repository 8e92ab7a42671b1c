"""Where a sweep is tracked: arguments, else an active run, else as MLflow is configured, else the home."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

import sparkml_track as st
from sparkml_track import schema

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home of its own; MLflow is not configured, before and after."""
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    mlflow.tracking.fluent._active_experiment_id = None


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


def sweep(**more: Any) -> st.SweepResult:
    given = {"name": "where", "sampler": "random", "max_trials": 2, "executor": "inline", "progress": False, **more}
    return st.sweep(lambda trial: trial.params["x"], {"x": st.uniform(0, 1)}, **given)


def experiment_of(uri: str, result: st.SweepResult) -> str:
    client = MlflowClient(uri)
    return str(client.get_experiment(client.get_run(result.run_id).info.experiment_id).name)


def test_the_environment_names_the_store_and_the_experiment(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert experiment_of(store, sweep()) == "where"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    assert experiment_of(store, result := sweep()) == "named"
    assert st.verify(result.sweep).clean


def test_an_argument_comes_before_the_environment(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    other = f"sqlite:///{tmp_path}/other.db"
    assert experiment_of(other, sweep(tracking=st.Tracking(uri=other))) == "where"
    assert experiment_of(store, sweep(experiment="mine")) == "mine"


def test_what_the_program_set_in_mlflow_counts(store: str) -> None:
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("set")
    assert experiment_of(store, sweep()) == "set"


def test_a_sweep_inside_an_active_run_goes_under_it_and_leaves_it_open(store: str) -> None:
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("outer")
    with mlflow.start_run() as outer:
        result = sweep()
        assert mlflow.active_run().info.run_id == outer.info.run_id
    client = MlflowClient(store)
    parent = client.get_run(result.run_id)
    assert parent.data.tags[schema.TAG_PARENT] == outer.info.run_id
    assert experiment_of(store, result) == "outer"
    assert client.get_run(outer.info.run_id).info.status == "FINISHED"
    assert st.verify(result.sweep).clean


def test_an_active_run_is_left_alone_by_a_sweep_that_goes_elsewhere(store: str) -> None:
    mlflow.set_tracking_uri(store)
    with mlflow.start_run() as outer:
        result = sweep(tracking=st.Tracking(uri="memory:"))
    assert result.counts.finished == 2
    found = MlflowClient(store).search_runs([outer.info.experiment_id])
    assert [run.info.run_id for run in found] == [outer.info.run_id]


def test_mlflow_is_not_imported_to_find_out() -> None:
    code = (
        "import sys; from sparkml_track.adapters.mlflow.ambient import ambient; ambient();"
        "assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_experiment_that_is_not_there_is_said_in_one_sentence(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    with pytest.raises(st.SparkmlError, match="77"):
        sweep()


def test_a_resumed_sweep_stays_where_it_began_whatever_the_environment_says(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    first = sweep()
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name)
    again = sweep(resume=first.sweep)
    assert (again.run_id, again.experiment_id) == (first.run_id, first.experiment_id)
    assert not (tmp_path / "home" / "mlflow.db").exists()
    assert st.verify(first.sweep).clean
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/another.db")
    assert sweep(resume=first.sweep).run_id == first.run_id


def last_line(caplog: pytest.LogCaptureFixture) -> str:
    return [record.getMessage() for record in caplog.records if " shows it at " in record.getMessage()][-1]


def test_the_last_lines_name_the_command_for_the_store_that_has_the_runs(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sparkml_track")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    first = sweep(progress=None)
    assert last_line(caplog).startswith(f"`sparkml-track server --store {store}` shows it at http://127.0.0.1:5000/#/")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    resumed = sweep(progress=None, resume=first.sweep, max_trials=3)
    assert last_line(caplog).startswith(f"`sparkml-track server --store {store}` shows it at ")
    assert resumed.tracked == st.load_sweep(first.sweep).tracked == store
    sweep(progress=None)
    assert last_line(caplog).startswith("`sparkml-track ui` shows it at ")


def test_a_resumed_sweep_goes_where_the_call_says(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    first = sweep()
    other = f"sqlite:///{tmp_path}/other.db"
    again = sweep(resume=first.sweep, tracking=st.Tracking(uri=other))
    assert again.run_id != first.run_id
    assert experiment_of(other, again) == "where"


def test_the_experiment_that_the_program_set_comes_before_the_environment(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("set")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    assert experiment_of(store, sweep()) == "set"
