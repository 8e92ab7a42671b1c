"""Trials of several units: a driver that dies in the middle of them, limits, and what is stored in the end."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.engine.audit.load import loaded
from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.results.sweep_result import SweepResult
from sparkml_track.engine.spec.spec import Failures
from sparkml_track.engine.spec.units import Units
from sparkml_track.errors import ResumeRefused
from sparkml_track.journals import read
from sparkml_track.testing.accounting import assert_accounting
from tests.faults.here import Moments, sweep

pytestmark = pytest.mark.slow


class Stop(BaseException):
    """Ends a sweep as the death of its driver would: nothing is written any more."""


def die() -> None:
    raise Stop


def noting(folder: Path, bad: tuple[int, int] | None = None) -> Any:
    """An objective that leaves a file for each execution of a unit; the unit ``bad`` raises while a file is there."""

    def objective(trial: Any) -> dict[str, float]:
        import uuid

        (folder / f"{trial.number}.{trial.unit}.{uuid.uuid4().hex}").touch()
        (Path(trial.artifact_dir) / "note").write_text(str(trial.unit))
        if bad == (trial.number, trial.unit) and (folder / "bad").exists():
            raise ValueError("this unit raises")
        return {"loss": trial.params["x"] ** 2 + trial.unit, "other": 2.0}

    return objective


def executed(folder: Path) -> Counter[str]:
    return Counter(path.name.rpartition(".")[0] for path in folder.iterdir() if path.name != "bad")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("executions")


def run(home: Path, folder: Path, moments: Moments | None = None, bad: Any = None, **given: Any) -> SweepResult:
    return sweep(home, moments, objective=noting(folder, bad), **{"max_trials": 5, "units": 3, **given})


def check(home: Path, result: SweepResult) -> None:
    assert_accounting(home, result.sweep)
    assert verify(result.sweep, home=home).differences == []


def test_a_trial_has_the_means_of_its_units_and_the_store_has_them_too(home: Path, folder: Path) -> None:
    result = run(home, folder)
    check(home, result)
    assert executed(folder) == Counter([f"{trial}.{unit}" for trial in range(5) for unit in range(3)])
    for trial in result.trials:
        square = trial.params["x"] ** 2  # type: ignore[operator]
        assert trial.metrics["loss"] == pytest.approx(square + 1)
        assert [trial.metrics[f"fold_{unit}_loss"] for unit in range(3)] == pytest.approx(
            [square, square + 1, square + 2]
        )
        assert trial.metrics["loss_std"] == pytest.approx(math.sqrt(2 / 3))
    assert loaded(result.sweep, home).spec["units"] == {"count": 3, "instead": None, "prefix": "fold_{index}_"}


@pytest.mark.parametrize("at", [("received", n) for n in (1, 2, 3, 4, 8)] + [("accepted", 1), ("submitted", 5)])
def test_a_driver_that_died_is_gone_on_with_and_no_accepted_unit_is_executed_again(
    home: Path, folder: Path, at: tuple[str, int]
) -> None:
    with pytest.raises(Stop):
        run(home, folder, Moments().at(*at, die))
    (name,) = [path.name for path in (home / "journal").iterdir() if path.is_dir()]
    said = Counter(str(r.body["a"]).rpartition(".")[0] for r in read(home, name) if r.kind == "unit")
    result = run(home, folder)
    check(home, result)
    twice = {unit for unit, count in executed(folder).items() if count > 1}
    assert not twice & said.keys()
    assert len(executed(folder)) == 15
    whole = run(home, folder, resume="never")
    assert result.summary.digest == whole.summary.digest


def test_a_sweep_that_a_limit_ended_goes_on_with_the_units_that_are_missing(home: Path, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(home, folder, Moments().at("received", 5, _interrupt))
    result = run(home, folder)
    check(home, result)
    counts = executed(folder)
    assert len(counts) == 15
    assert sum(counts.values()) <= 16, "the one that ran at most"
    assert [trial.state.value for trial in result.trials] == ["finished"] * 5


def _interrupt() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGINT)


def test_artifacts_of_units_that_an_earlier_driver_accepted_are_in_the_child_run(home: Path, folder: Path) -> None:
    from mlflow import MlflowClient

    with pytest.raises(Stop):
        run(home, folder, Moments().at("received", 2, die))
    result = run(home, folder)
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    (child,) = client.search_runs([result.experiment_id], f"tags.`sparkml.key` = '{result.sweep}/0'")
    files = {one.path for unit in range(3) for one in client.list_artifacts(child.info.run_id, f"fold_{unit}")}
    assert files == {f"fold_{unit}/note" for unit in range(3)}


def test_failed_trials_are_executed_again_where_their_units_failed(home: Path, folder: Path) -> None:
    (folder / "bad").touch()
    first = run(home, folder, bad=(1, 2))
    assert [trial.state.value for trial in first.trials].count("failed") == 1
    check(home, first)
    (folder / "bad").unlink()
    again = run(home, folder, bad=(1, 2), resume=first.sweep, failures=Failures(retry_failed=True))
    check(home, again)
    assert again.counts.finished == 5
    assert [unit for unit, count in executed(folder).items() if count > 1] == ["1.2"]


def test_a_failed_unit_counts_as_a_value_and_its_message_comes_back_after_a_resume(home: Path, folder: Path) -> None:
    (folder / "bad").touch()
    units = Units(3, instead=math.nan, prefix="split{index}_")
    with pytest.raises(Stop):
        run(home, folder, Moments().at("received", 10, die), bad=(1, 2), units=units)
    result = run(home, folder, bad=(1, 2), units=units)
    assert [(index, text.partition("\n")[0]) for index, text in result.trials[1].failed_units] == [
        (2, "ValueError: this unit raises")
    ]
    assert math.isnan(result.trials[1].metrics["split2_loss"])
    assert result.trials[0].failed_units == ()
    check(home, result)


def test_a_repaired_sweep_keeps_the_units_that_were_accepted(home: Path, folder: Path) -> None:
    with pytest.raises(Stop):
        run(home, folder, Moments().at("received", 5, die))
    (name,) = [path.name for path in (home / "journal").iterdir() if path.is_dir()]
    assert verify(name, home=home, repair=True).differences == []
    result = run(home, folder, resume=name)
    check(home, result)
    assert sum(executed(folder).values()) <= 16


def test_units_are_a_part_of_what_a_sweep_is(home: Path, folder: Path) -> None:
    with pytest.raises(Stop):
        run(home, folder, Moments().at("received", 5, die))
    (name,) = [path.name for path in (home / "journal").iterdir() if path.is_dir()]
    with pytest.raises(ResumeRefused, match=r"spec\.units\.count: was 3, is 4"):
        run(home, folder, resume=name, units=4)


def test_a_resumed_pruner_knows_the_means_of_the_units_that_ended(home: Path, folder: Path) -> None:
    given = {"pruner": {"threshold": {"upper": 4.0}}, "units": 4}
    whole = run(home, folder, **given)
    with pytest.raises(Stop):
        run(home, folder, Moments().at("received", 6, die), resume="never", **given)
    result = run(home, folder, **given)
    assert result.counts.pruned == whole.counts.pruned > 0
    assert result.summary.digest == whole.summary.digest
    check(home, result)


def test_a_unit_that_hangs_is_killed_at_its_limit(home: Path) -> None:
    def objective(trial: Any) -> float:
        import time

        if trial.number == 0 and trial.unit == 1:
            time.sleep(60)
        return 1.0

    given: dict[str, Any] = {"executor": "processes", "units": 2, "max_trials": 2, "trial_timeout": 1.0}
    result = sweep(home, objective=objective, **given)
    assert [(trial.state.value, trial.reason) for trial in result.trials] == [("killed", "timeout"), ("finished", "")]
    check(home, result)


def test_a_sweep_of_units_may_be_ended_by_time(home: Path) -> None:
    def objective(trial: Any) -> float:
        import time

        time.sleep(0.05)
        return 1.0

    result = sweep(home, objective=objective, executor="processes", units=50, max_trials=None, timeout=1.0)
    assert result.counts.killed == len(result.trials) > 0
    check(home, result)


def test_the_best_are_found_among_means(home: Path, folder: Path) -> None:
    result = run(home, folder, tracking=st.Tracking(child_runs="top:2"))
    check(home, result)
    assert result.best_value == min(trial.metrics["loss"] for trial in result.trials)


def test_artifacts_and_checkpoints_of_units_on_shared_storage(home: Path, folder: Path, tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        (Path(trial.artifact_dir) / "note").write_text(str(trial.unit))
        seen = Path(trial.checkpoint_dir, "seen")
        assert not seen.exists(), "another unit's"
        seen.touch()
        return 1.0

    given: dict[str, Any] = {
        "objective": objective,
        "units": 2,
        "max_trials": 3,
        "tracking": st.Tracking(artifact_root=str(tmp_path / "artifacts")),
        "failures": Failures(checkpoint_root=str(tmp_path / "checkpoints")),
    }
    result = sweep(home, **given)
    check(home, result)
    root = tmp_path / "artifacts" / result.sweep
    notes = {str(path.relative_to(root)): path.read_text() for path in root.rglob("note")}
    assert notes == {f"{trial}.units/fold_{unit}/note": str(unit) for trial in range(3) for unit in range(2)}
    assert {trial.artifacts for trial in result.trials} == {str(root / f"{number}.units") for number in range(3)}
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_proposals_that_are_deterministic_stay_so_with_units(home: Path, folder: Path) -> None:
    given: dict[str, Any] = {"sampler": "tpe", "deterministic": True, "max_trials": 24, "units": 2}
    with pytest.raises(Stop):
        run(home, folder, Moments().at("received", 45, die), **given)
    resumed = run(home, folder, **given)
    assert resumed.summary.digest == run(home, folder, resume="never", **given).summary.digest
