"""Verification of runs inside those of trials."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import sparkml_track as st
from sparkml_track import schema

pytestmark = pytest.mark.slow


def nests(_: Any) -> float:
    import mlflow

    with mlflow.start_run():
        for index in range(2):
            with mlflow.start_run(run_name=f"fold {index}", nested=True):
                mlflow.log_metric("score", 0.5)
                with mlflow.start_run(run_name="deep", nested=True):
                    mlflow.set_tag("depth", "2")
    return 0.5


class Nested:
    """A sweep of two trials with two runs inside each, and one inside each of these."""

    def __init__(self, home: Path, **more: Any) -> None:
        self.home = home
        given: Any = {"executor": "processes", "max_trials": 2, "parallelism": 1, "progress": False, **more}
        self.result = st.sweep(nests, {"x": st.uniform(0, 1)}, name="nests", sampler="random", **given)
        self.client = MlflowClient(f"sqlite:///{home}/mlflow.db")

    def at(self, home: Path) -> Nested:
        """The same sweep in a copy of its home."""
        other = copy(self)
        other.home, other.client = home, MlflowClient(f"sqlite:///{home}/mlflow.db")
        return other

    def runs(self, query: str) -> list[Run]:
        return list(self.client.search_runs([self.result.experiment_id], query))

    def inside(self, trial: int, name: str) -> Run:
        (child,) = self.runs(f"tags.`{schema.TAG_NUMBER}` = '{trial}'")
        (run,) = self.runs(f"tags.`{schema.TAG_PARENT}` = '{child.info.run_id}' AND run_name = '{name}'")
        return run

    def differences(self) -> Sequence[str]:
        return st.verify(self.result.sweep, home=self.home).differences


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Nested:
    """One sweep, whose home each test copies."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKML_HOME", str(home))
        return Nested(home)


@pytest.fixture
def swept(template: Nested, home: Path) -> Nested:
    shutil.copytree(template.home, home, dirs_exist_ok=True)
    return template.at(home)


def test_runs_inside_those_of_trials_must_be_there_once_and_none_besides(swept: Nested) -> None:
    assert len(swept.runs(f"tags.`{schema.TAG_KIND}` = 'nested'")) == 8
    assert swept.differences() == []
    gone = swept.inside(1, "fold 1")
    swept.client.delete_run(gone.info.run_id)
    was = gone.data.tags[schema.TAG_NESTED]
    assert any(line.startswith(f"trial 1: the run 'fold 1' inside its run ({schema.TAG_NESTED} {was}) is gone")
               for line in swept.differences())  # fmt: skip
    swept.client.restore_run(gone.info.run_id)
    assert swept.differences() == []
    for ours, said in (
        (was, f"trial 1: 2 active runs in its run ({schema.TAG_NESTED} {was}), there must be one"),
        ("f" * 32, f"nested run {schema.TAG_NESTED} {'f' * 32}: it is active, but no accepted attempt made it"),
    ):
        tags = {name: value for name, value in gone.data.tags.items() if name.startswith((schema.PREFIX, "mlflow.p"))}
        twin = swept.client.create_run(swept.result.experiment_id, tags={**tags, schema.TAG_NESTED: ours})
        assert said in swept.differences()
        swept.client.delete_run(twin.info.run_id)
    assert swept.differences() == []


def test_repair_brings_back_a_run_inside_a_trials_that_was_deleted(swept: Nested) -> None:
    for trial, name in ((1, "fold 1"), (0, "fold 0")):
        swept.client.delete_run(swept.inside(trial, name).info.run_id)
    repaired = st.verify(swept.result.sweep, home=swept.home, repair=True)
    assert repaired.differences == []
    assert "restored 2 runs inside those of trials, which somebody had deleted" in repaired.repaired
    assert len(swept.runs(f"tags.`{schema.TAG_KIND}` = 'nested'")) == 8


def test_what_is_inside_a_child_run_that_is_gone_is_not_asked_for(swept: Nested) -> None:
    (child,) = swept.runs(f"tags.`{schema.TAG_NUMBER}` = '0'")
    swept.client.delete_run(swept.inside(0, "fold 0").info.run_id)
    swept.client.delete_run(child.info.run_id)
    (first, *rest) = swept.differences()
    assert first.startswith("trial 0: its child run was published and is gone")
    assert not [line for line in rest if "inside its run" in line]


def test_runs_are_not_asked_for_that_only_other_trials_got(home: Path) -> None:
    assert Nested(home, tracking=st.Tracking(child_runs="top:1")).differences() == []
    assert Nested(home, tracking=st.Tracking(child_runs="none")).differences() == []
    assert Nested(home, tracking=st.Tracking(nested="merge")).differences() == []


def test_a_trial_that_is_executed_again_has_the_runs_of_its_last_attempt(home: Path) -> None:
    def interrupted(trial: Any) -> float:
        nests(trial)
        if not (Path(trial.params["seen"]) / str(trial.number)).exists():
            (Path(trial.params["seen"]) / str(trial.number)).touch()
            raise ValueError("the first time")
        return 0.5

    (home / "seen").mkdir()
    space = {"x": st.uniform(0, 1), "seen": str(home / "seen")}
    given: Any = {"name": "again", "executor": "processes", "max_trials": 2, "sampler": "random", "progress": False}
    first = st.sweep(interrupted, space, **given)
    assert first.counts.failed == 2
    again = st.sweep(interrupted, space, resume=first.sweep, failures=st.Failures(retry_failed=True), **given)
    assert (again.sweep, again.counts.finished) == (first.sweep, 2)
    assert st.verify(first.sweep, home=home).differences == []


def test_a_journal_that_was_made_anew_does_not_know_what_trials_nested(swept: Nested, home: Path) -> None:
    shutil.rmtree(home / "journal")
    assert Nested(home, resume=swept.result.sweep).result.sweep == swept.result.sweep
    assert swept.differences() == []
