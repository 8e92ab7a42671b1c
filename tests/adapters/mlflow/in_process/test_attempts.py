"""``mlflow`` in trials that execute in the driver's process, which uses MLflow itself."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

import sparkml_track as st
from sparkml_track import schema
from sparkml_track.adapters.mlflow.in_process.attempts import TrialRuns, in_trial, outside
from sparkml_track.slot.host.paths import Places
from sparkml_track.slot.wire.messages import Done, Logged
from sparkml_track.slot.wire.messages import Run as RunMessage

SPACE = {"x": st.uniform(0, 1)}


@pytest.fixture(autouse=True)
def chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow of this process, as a user's script has set it; after the test as it was."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.setenv(name, "")  # so that it is put back whatever MLflow sets
    monkeypatch.setenv("SPARKML_HOME", str(home))
    mlflow.set_tracking_uri(uri_of(home))
    mlflow.set_experiment("mine")
    yield
    while mlflow.active_run() is not None:
        mlflow.end_run()
    mlflow.tracking.fluent._active_experiment_id = None
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def uri_of(home: Path) -> str:
    return f"sqlite:///{home}/mlflow.db"


def settings() -> dict[str, object]:
    run = mlflow.active_run()
    return {
        "uri": mlflow.get_tracking_uri(),
        "registry": mlflow.get_registry_uri(),
        "experiment": mlflow.tracking.fluent._active_experiment_id,
        "run": None if run is None else run.info.run_id,
        "variables": {name: value for name, value in os.environ.items() if name.startswith("MLFLOW")},
        "path": list(sys.path),
    }


def sweep(objective: Any, **more: Any) -> st.SweepResult:
    given: Any = {"executor": "inline", "max_trials": 2, "sampler": "random", "progress": False, **more}
    return st.sweep(objective, SPACE, name="inside", **given)


def trials(result: st.SweepResult, home: Path, kind: str = "trial") -> list[Run]:
    found = MlflowClient(uri_of(home)).search_runs([result.experiment_id], f"tags.`{schema.TAG_KIND}` = '{kind}'")
    return sorted(found, key=lambda run: int(run.data.tags.get(schema.TAG_NUMBER, 0)))


def test_the_driver_comes_out_as_it_was_whatever_a_trial_does(home: Path, tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        mlflow.log_metric("inner", trial.number)
        mlflow.set_experiment("theirs")
        mlflow.start_run(nested=True)
        if trial.number == 0:
            mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/other.db")
            raise ValueError("never")
        if trial.number == 1:
            raise SystemExit(3)
        return 0.5

    with mlflow.start_run() as mine:
        mlflow.log_metric("outer", 1.0)
        before = settings()
        result = sweep(objective, max_trials=3)
        assert settings() == before
        mlflow.log_metric("outer", 2.0, step=1)
    assert outside() is None
    assert [one.state.value for one in result.trials] == ["failed", "failed", "finished"]
    assert [run.data.metrics["inner"] for run in trials(result, home)] == [0.0, 1.0, 2.0]
    run = MlflowClient(uri_of(home)).get_run(mine.info.run_id)
    assert (run.data.metrics, run.info.status) == ({"outer": 2.0}, "FINISHED")
    assert MlflowClient(uri_of(home)).get_experiment_by_name("theirs") is None
    assert not (tmp_path / "other.db").exists()


def test_threads_that_a_trial_starts_log_to_it(home: Path) -> None:
    def objective(trial: Any) -> float:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: mlflow.log_metric(f"m{n}", n), range(4)))
        return 0.5

    result = sweep(objective, max_trials=1)
    (run,) = trials(result, home)
    assert {*run.data.metrics} == {"loss", "m0", "m1", "m2", "m3"}
    experiment = MlflowClient(uri_of(home)).get_experiment_by_name("mine")
    kinds = [
        one.data.tags.get(schema.TAG_KIND)
        for one in mlflow.search_runs([experiment.experiment_id], output_format="list")
    ]  # type: ignore[union-attr]
    assert sorted(map(str, kinds)) == ["sweep", "trial"], "no stray run"


def test_a_run_id_in_the_environment_is_the_drivers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient(uri_of(home))
    mine = client.create_run(client.get_experiment_by_name("mine").experiment_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", mine.info.run_id)

    def objective(trial: Any) -> float:
        with mlflow.start_run() as run:
            assert run.info.run_id != mine.info.run_id
            mlflow.log_metric("inner", 1.0)
        with pytest.raises(MlflowException, match="sees its own run alone"):
            mlflow.get_run(mine.info.run_id)
        with pytest.raises(MlflowException, match="a trial has no model registry"):
            mlflow.register_model("models:/m-1", "name")
        return 0.5

    result = sweep(objective, max_trials=1)
    (run,) = trials(result, home)
    assert (run.data.tags[schema.TAG_STATE], run.data.metrics["inner"]) == ("finished", 1.0)
    assert os.environ["MLFLOW_RUN_ID"] == mine.info.run_id
    assert client.get_run(mine.info.run_id).data.metrics == {}


def test_a_sweep_inside_a_trial_is_tracked_where_the_drivers_are(home: Path) -> None:
    inner: list[st.SweepResult] = []

    def deep(trial: Any) -> float:
        mlflow.log_metric("deep", 1.0)
        return float(trial.params["x"])

    def objective(trial: Any) -> float:
        mlflow.log_metric("before", 1.0)
        inner.append(st.sweep(deep, SPACE, name="deep", executor="inline", max_trials=2, progress=False))
        mlflow.log_metric("after", 1.0)
        return inner[-1].best_value

    result = sweep(objective, max_trials=1)
    (run,) = trials(result, home)
    assert {*run.data.metrics} == {"loss", "before", "after"}
    assert [one.data.metrics["deep"] for one in trials(inner[0], home)[-2:]] == [1.0, 1.0]
    assert st.verify(result.sweep, home=home).clean
    assert st.verify(inner[0].sweep, home=home).clean


class Attempts:
    """Attempts on threads of this process, without an executor."""

    def __init__(self, host: Path) -> None:
        self.runs = TrialRuns(str(host), "keep", tracked=True)
        self.places = Places(str(host))
        self.logged: list[Logged] = []

    def execute(self, number: int, objective: Any) -> Done:
        attempt = f"{number}.0.1"

        def call() -> Done:
            assert in_trial()
            objective()
            return Done(attempt, "finished", 0.0, 0.0)

        return self.runs.executed(
            RunMessage(attempt, number, {}, 0, f"{number}.0", 1), self.places, self.logged.append, call
        )

    def names(self, number: int) -> set[object]:
        rows = [row for one in self.logged if one.attempt == f"{number}.0.1" for row in one.values]  # type: ignore[attr-defined]
        return {row[1] for row in rows if row[0] == "m"}


@pytest.fixture
def attempts(tmp_path: Path) -> Iterator[Attempts]:
    made = Attempts(tmp_path / "host")
    yield made
    made.runs.close()
    assert outside() is None


def test_other_threads_of_the_driver_keep_their_own_runs(attempts: Attempts, home: Path) -> None:
    within, logged = threading.Event(), threading.Event()

    def objective() -> None:
        mlflow.log_metric("inner", 1.0)
        within.set()
        assert logged.wait(60)
        mlflow.log_metric("later", 2.0)

    with ThreadPoolExecutor(1) as pool, mlflow.start_run() as mine:
        pool.submit(lambda: None).result()  # so that its thread is there before the attempt
        other = pool.submit(
            lambda: (within.wait(60), mlflow.log_metric("aside", 3.0, run_id=mine.info.run_id), logged.set())
        )
        with ThreadPoolExecutor(1) as executor:
            executor.submit(attempts.execute, 0, objective).result()
        other.result()
        mlflow.log_metric("outer", 1.0)
    assert attempts.names(0) == {"inner", "later"}
    assert MlflowClient(uri_of(home)).get_run(mine.info.run_id).data.metrics == {"aside": 3.0, "outer": 1.0}


def test_attempts_side_by_side_log_each_to_its_own(attempts: Attempts) -> None:
    together = threading.Barrier(4, timeout=60)

    def objective(number: int) -> None:
        with mlflow.start_run():
            together.wait()
            for step in range(20):
                mlflow.log_metric(f"of-{number}", step, step=step)
            together.wait()
            mlflow.log_metric(f"end-{number}", 1.0, synchronous=False)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(attempts.execute, number, lambda number=number: objective(number)) for number in range(4)]
        assert [one.result(60).state for one in done] == ["finished"] * 4
    for number in range(4):
        assert attempts.names(number) == {f"of-{number}", f"end-{number}"}


def test_a_thread_that_nobody_can_place_is_refused_unless_it_names_the_run(attempts: Attempts) -> None:
    said: list[str] = []
    together = threading.Barrier(2, timeout=60)

    def helper(run_id: str) -> None:
        try:
            mlflow.log_metric("whose", 1.0)
        except MlflowException as error:
            said.append(str(error))
        mlflow.log_metric("named", 1.0, run_id=run_id)

    def objective() -> None:
        run = mlflow.start_run()
        together.wait()
        thread = threading.Thread(target=helper, args=(run.info.run_id,))
        thread.start()
        thread.join()
        together.wait()

    with ThreadPoolExecutor(2) as pool:
        [one.result(60) for one in [pool.submit(attempts.execute, number, objective) for number in (0, 1)]]
    assert [attempts.names(number) for number in (0, 1)] == [{"named"}, {"named"}]
    assert len(said) == 2
    assert "started by one of 2 trials that execute in this process" in said[0]
    assert "set parallelism=1" in said[0]
