"""Sweeps whose trials are gangs, on processes of this host: what the engine makes of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import sparkml_track as st
from sparkml_track.engine.audit.load import loaded
from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.errors import InvalidInput, PreflightError, ResumeRefused
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.trial import State
from tests.faults.here import Moments, sweep

pytestmark = pytest.mark.slow


class Stop(BaseException):
    """Ends a sweep as the death of its driver would: nothing is written any more."""


def die() -> None:
    raise Stop


def training(marks: Path, kills: int = 0) -> Any:
    """An objective of five steps, from its checkpoint on; in the first attempts of trial 1 a rank dies in the middle.

    Rank 0 leaves a file for each step that it takes.
    """
    folder = str(marks)

    def objective(trial: Any) -> dict[str, float]:
        import os
        from pathlib import Path

        state = Path(trial.checkpoint_dir) / "step"
        begin = int(state.read_text()) if state.exists() else 0
        (begin,) = set(trial.all_gather(begin))
        for step in range(begin, 5):
            if trial.number == 1 and step == 3 and trial.rank == 1 and trial.attempt <= kills:
                os.kill(os.getpid(), 9)
            total = sum(trial.all_gather(trial.params["x"]))
            if trial.rank == 0:
                (Path(folder) / f"{trial.number}.{step}.{trial.attempt}").touch()
                state.with_suffix(".part").write_text(str(step + 1))
                state.with_suffix(".part").rename(state)
                trial.report({"loss": total}, step=step)
            if trial.should_stop():
                break
        return {"loss": total, "world": trial.world_size}

    return objective


@pytest.fixture
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks")


def run(home: Path, objective: Any, moments: Moments | None = None, **given: Any) -> SweepResult:
    options = {"executor": "processes", "gang": 2, "parallelism": 1, "max_trials": 3, **given}
    return sweep(home, moments, objective=objective, **options)


def test_a_gang_is_one_trial_with_one_run(home: Path, marks: Path) -> None:
    result = run(home, training(marks))
    assert_accounting(home, result.sweep)
    assert verify(result.sweep, home=home).differences == []
    for trial in result.trials:
        assert trial.metrics == {"loss": 2 * trial.params["x"], "world": 2.0}  # type: ignore[operator]
        assert trial.attempts == 1
        assert trial.slot_seconds == pytest.approx(2 * trial.duration)
    parent = MlflowClient(f"sqlite:///{home / 'mlflow.db'}").get_run(result.run_id)
    assert parent.data.params["gang"] == "2"
    assert loaded(result.sweep, home).spec["units"] == {
        "count": 1,
        "instead": None,
        "prefix": "fold_{index}_",
        "gang": 2,
    }
    with pytest.raises(ResumeRefused, match="gang"):
        run(home, training(marks), gang=1, resume=result.sweep, max_trials=4)
    again = st.reproduce(result.sweep, training(marks), home=home)
    assert again.outcome.metrics["world"] == 2.0


def test_a_rank_that_dies_costs_an_attempt_and_the_next_goes_on_from_the_checkpoint(home: Path, marks: Path) -> None:
    result = run(home, training(marks, kills=2))
    assert_accounting(home, result.sweep)
    assert [(trial.state, trial.attempts) for trial in sorted(result.trials, key=lambda one: one.number)] == [
        (State.FINISHED, 1),
        (State.FINISHED, 3),
        (State.FINISHED, 1),
    ]
    steps = sorted(path.name for path in marks.iterdir() if path.name.startswith("1."))
    assert steps == ["1.0.1", "1.1.1", "1.2.1", "1.3.3", "1.4.3"], "no step was taken twice"


def test_a_rank_that_dies_each_time_fails_its_trial(home: Path, marks: Path) -> None:
    result = run(home, training(marks, kills=9), failures=st.Failures(retries=1))
    assert_accounting(home, result.sweep)
    trial = next(one for one in result.trials if one.number == 1)
    assert (trial.state, trial.reason, trial.attempts) == (State.FAILED, "worker lost", 2)
    assert "rank 1: the process was ended by signal 9 (SIGKILL)" in trial.message
    assert result.counts.finished == 2


@pytest.mark.parametrize("at", [("submitted", 2), ("received", 2)])
def test_a_driver_that_died_is_gone_on_with(at: tuple[str, int], home: Path, marks: Path) -> None:
    with pytest.raises(Stop):
        run(home, training(marks), Moments().at(*at, die))
    result = run(home, training(marks))
    assert_accounting(home, result.sweep)
    assert result.counts.finished == 3
    assert len({path.name.rpartition(".")[0] for path in marks.iterdir()}) == 15


def test_a_gang_is_pruned_as_a_whole(home: Path) -> None:
    def objective(trial: Any) -> float:
        for step in range(500):
            trial.barrier()
            trial.report({"loss": 1.0 if trial.number else 0.0}, step=step)
            if trial.should_stop():
                break
        return 1.0

    pruner = {"threshold": {"upper": 0.5}}
    result = run(home, objective, pruner=pruner, max_trials=2)
    assert_accounting(home, result.sweep)
    assert {trial.number: trial.state for trial in result.trials} == {0: State.FINISHED, 1: State.PRUNED}


def test_what_the_first_rank_logs_through_mlflow_is_in_the_run(home: Path) -> None:
    def objective(trial: Any) -> float:
        import mlflow

        for step in range(3):
            mlflow.log_metric("curve", trial.rank + step / 10, step=step)
        mlflow.log_param("of", trial.rank)
        trial.barrier()
        return 1.0

    result = run(home, objective, max_trials=1)
    assert_accounting(home, result.sweep)
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    (child,) = client.search_runs([result.experiment_id], "tags.`sparkml.number` = '0'")
    assert child.data.params["of"] == "0"
    assert sorted(one.value for one in client.get_metric_history(child.info.run_id, "curve")) == [0.0, 0.1, 0.2]


def test_what_cannot_be_is_said_at_once_and_nothing_is_left(home: Path) -> None:
    def objective(_: Any) -> float:
        return 1.0

    began = time.monotonic()
    with pytest.raises(InvalidInput, match=r"gang is 0; allowed is a whole number of at least 1"):
        run(home, objective, gang=0)
    for executor in ("inline", "jobs", "driver"):
        with pytest.raises(
            InvalidInput, match=rf"executor '{executor}' executes attempts of one process, not gangs of 2"
        ):
            run(home, objective, executor=executor)
    with pytest.raises(PreflightError, match=r"a gang of 999 needs 999 slots, has \d+: .* set parallelism") as few:
        run(home, objective, gang=999, parallelism=None)
    assert "take a gang of at most" in str(few.value)
    assert time.monotonic() - began < 10
