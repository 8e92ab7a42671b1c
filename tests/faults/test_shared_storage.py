"""Sweeps whose checkpoints and artifacts are on storage that outlives hosts and drivers."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.engine.audit.verify import verify
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.errors import ObjectiveError, SpecError, SweepStopped
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.trackers import StoredChild, open_tracker
from tests.faults.here import Moments, sweep


class Stop(BaseException):
    """Ends a sweep as the death of its driver would."""


def die() -> None:
    raise Stop


def writes(trial: Any) -> float:
    if trial.number == 2:
        raise ValueError("left nothing")
    (Path(trial.artifact_dir) / "note.txt").write_text(f"trial {trial.number} attempt {trial.attempt}")
    return float(trial.params["x"] ** 2)


def counts_up(trial: Any) -> float:
    """How many attempts wrote here before."""
    file = Path(trial.checkpoint_dir) / "attempts"
    before = int(file.read_text()) if file.exists() else 0
    file.write_text(str(before + 1))
    return float(before)


def stored(home: Path, run_id: str) -> dict[int, StoredChild]:
    with closing(open_tracker(None, home)) as tracker:
        return {child.number: child for child in tracker.children(run_id)}


def notes(root: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in root.glob("*/note.txt")}


def table(home: Path) -> list[dict[str, Any]]:
    (path,) = (home / "artifacts").rglob("trials.json")
    read = json.loads(path.read_text())
    return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


def newest(home: Path) -> str:
    (path,) = (path for path in (home / "journal").iterdir() if path.is_dir())
    return path.name


def test_artifacts_stay_where_they_were_written_and_runs_and_table_say_where(home: Path, tmp_path: Path) -> None:
    root = tmp_path / "storage"
    result = sweep(home, objective=writes, max_trials=4, tracking=Tracking(artifact_root=str(root)))
    folder = root / result.sweep
    assert notes(folder) == {f"{n}.0.1": f"trial {n} attempt 1" for n in (0, 1, 3)}
    want = {n: "" if n == 2 else str(folder / f"{n}.0.1") for n in range(4)}
    assert {number: child.artifacts for number, child in stored(home, result.run_id).items()} == want
    assert {row["number"]: row["artifacts"] or "" for row in table(home)} == want
    assert {trial.number: trial.artifacts for trial in result.trials} == want
    assert sorted(path.name for path in folder.iterdir()) == ["0.0.1", "1.0.1", "3.0.1"]
    assert not (home / "spool" / result.sweep).exists()
    assert list((home / "artifacts").rglob("note.txt")) == []
    assert verify(result.sweep, home=home).clean
    assert_accounting(home, result.sweep)


def test_after_the_death_of_the_driver_the_folder_of_the_accepted_attempt_stays_alone(
    home: Path, tmp_path: Path
) -> None:
    given = {"objective": writes, "max_trials": 5, "tracking": Tracking(artifact_root=str(tmp_path / "storage"))}
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 4, die), **given)
    folder = tmp_path / "storage" / newest(home)
    assert notes(folder)["3.0.1"] == "trial 3 attempt 1"
    result = sweep(home, **given)
    assert result.sweep == folder.name
    assert sorted(notes(folder)) == ["0.0.1", "1.0.1", "3.0.2", "4.0.1"]
    assert stored(home, result.run_id)[3].artifacts == str(folder / "3.0.2")
    assert stored(home, result.run_id)[0].artifacts == str(folder / "0.0.1")
    assert_accounting(home, result.sweep)


def test_a_repair_names_the_folders_too_and_removes_what_nobody_needs_any_more(home: Path, tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        (Path(trial.checkpoint_dir) / "step").touch()
        return writes(trial)

    root = str(tmp_path / "storage")
    given = {"failures": Failures(checkpoint_root=root), "tracking": Tracking(artifact_root=root)}
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 4, die), objective=objective, max_trials=5, **given)
    name = newest(home)
    found = verify(name, home=home, repair=True)
    assert found.clean
    assert not any("added the artifacts" in said for said in found.repaired), found.repaired
    assert sorted(notes(Path(root) / name)) == ["0.0.1", "1.0.1"]
    kept = [path.name for path in (Path(root) / f"{name}.checkpoints").iterdir()]
    assert kept == ["3.0"], "a resume executes it again"
    assert found.run_id is not None
    assert stored(home, found.run_id)[0].artifacts == str(tmp_path / "storage" / name / "0.0.1")


def test_a_repair_of_a_sweep_whose_child_runs_are_published_adds_nothing_to_them(home: Path, tmp_path: Path) -> None:
    root = str(tmp_path / "storage")
    given = {"failures": Failures(checkpoint_root=root), "tracking": Tracking(artifact_root=root)}
    with pytest.raises(Stop):
        sweep(home, Moments().at("parent ended", 1, die), objective=writes, max_trials=4, **given)
    found = verify(newest(home), home=home, repair=True)
    assert found.repaired == ["ended the parent run as finished"]
    assert found.clean


def test_a_journal_that_is_gone_takes_no_folder_with_it(home: Path, tmp_path: Path) -> None:
    given = {"objective": writes, "tracking": Tracking(artifact_root=str(tmp_path / "storage"))}
    first = sweep(home, max_trials=4, **given)
    shutil.rmtree(home / "journal" / first.sweep)
    result = sweep(home, max_trials=4, resume=first.sweep, **given)
    assert sorted(notes(tmp_path / "storage" / first.sweep)) == ["0.0.1", "1.0.1", "3.0.1"]
    assert result.trials[0].artifacts == str(tmp_path / "storage" / first.sweep / "0.0.1")
    assert [bool(row["artifacts"]) for row in table(home)] == [True, True, False, True]


@pytest.mark.parametrize("choice", [{"child_runs": "top:2"}, {"keep": "best:2"}], ids=["top", "best"])
def test_only_the_best_keep_their_folders_where_that_is_asked_for(
    home: Path, tmp_path: Path, choice: dict[str, str]
) -> None:
    root = tmp_path / "storage"
    result = sweep(home, objective=writes, max_trials=8, tracking=Tracking(artifact_root=str(root), **choice))
    finished = [one for one in result.trials if one.value is not None]
    best = {one.number for one in sorted(finished, key=lambda one: one.metrics["loss"])[:2]}
    folders = {number: str(root / result.sweep / f"{number}.0.1") for number in best}
    assert sorted(notes(root / result.sweep)) == sorted(f"{number}.0.1" for number in best)
    named = {number: child.artifacts for number, child in stored(home, result.run_id).items() if child.artifacts}
    assert named == folders
    assert {row["number"]: row["artifacts"] for row in table(home) if row["artifacts"]} == folders
    assert {trial.number: trial.artifacts for trial in result.trials if trial.artifacts} == folders
    assert verify(result.sweep, home=home).clean


def test_without_child_runs_the_folders_stay_and_the_table_names_them(home: Path, tmp_path: Path) -> None:
    tracking = Tracking(child_runs="none", artifact_root=str(tmp_path / "storage"))
    result = sweep(home, objective=writes, max_trials=3, tracking=tracking)
    assert sorted(notes(tmp_path / "storage" / result.sweep)) == ["0.0.1", "1.0.1"]
    assert [row["artifacts"] is not None for row in table(home)] == [True, True, False]


def test_an_attempt_after_the_death_of_the_driver_finds_the_checkpoint_of_the_one_before(
    home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "storage"
    (root / "mine").mkdir(parents=True)
    given = {"objective": counts_up, "max_trials": 5, "failures": Failures(checkpoint_root=str(root))}
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 4, die), **given)
    assert (root / f"{newest(home)}.checkpoints" / "3.0" / "attempts").read_text() == "1"
    result = sweep(home, **given)
    assert [trial.metrics["loss"] for trial in result.trials] == [0.0, 0.0, 0.0, 1.0, 0.0]
    assert [trial.attempts for trial in result.trials] == [1, 1, 1, 2, 1]
    assert [path.name for path in root.iterdir()] == ["mine"]


def test_without_a_root_that_attempt_begins_anew(home: Path) -> None:
    with pytest.raises(Stop):
        sweep(home, Moments().at("received", 4, die), objective=counts_up, max_trials=5)
    assert [trial.metrics["loss"] for trial in sweep(home, objective=counts_up, max_trials=5).trials] == [0.0] * 5


def test_a_trial_that_was_ended_with_its_sweep_goes_on_from_its_checkpoint(home: Path, tmp_path: Path) -> None:
    root, mended = tmp_path / "storage", tmp_path / "mended"

    def objective(trial: Any) -> float:
        import time
        from pathlib import Path

        file = Path(trial.checkpoint_dir) / "step"
        if trial.number == 1:
            while not (Path(trial.checkpoint_dir).parent / "0.0" / "step").exists():
                time.sleep(0.01)
            if not mended.exists():
                file.write_text("of a trial that failed")
                raise ValueError("no")
            return float(file.exists())
        if not file.exists():
            file.write_text("7")
            time.sleep(60)
        return float(file.read_text())

    given = {"objective": objective, "max_trials": 2, "executor": "processes"}
    failures = Failures(max_failed=0, checkpoint_root=str(root))
    with pytest.raises(SweepStopped):
        sweep(home, failures=failures, **given)
    name = newest(home)
    assert [path.name for path in (root / f"{name}.checkpoints").iterdir()] == ["0.0"]
    mended.touch()
    again = Failures(retry_failed=True, checkpoint_root=str(root))
    result = sweep(home, failures=again, resume=name, **given)
    assert [trial.metrics["loss"] for trial in result.trials] == [7.0, 0.0]
    assert list(root.iterdir()) == []


def test_an_objective_that_cannot_be_sent_leaves_nothing_under_the_roots(home: Path, tmp_path: Path) -> None:
    lock = threading.Lock()

    def objective(_: Any) -> float:
        with lock:
            return 1.0

    root = str(tmp_path / "storage")
    given = {"failures": Failures(checkpoint_root=root), "tracking": Tracking(artifact_root=root)}
    with pytest.raises(ObjectiveError):
        sweep(home, objective=objective, executor="processes", **given)
    assert list((tmp_path / "storage").iterdir()) == []


def test_a_root_that_cannot_be_written_is_refused_before_anything_is_made(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bad = str(tmp_path / "file" / "root")
    with pytest.raises(SpecError, match=r"2 problems:(.|\n)*checkpoint_root(.|\n)*artifact_root"):
        sweep(home, failures=Failures(checkpoint_root=bad), tracking=Tracking(artifact_root=bad))
    assert not (home / "journal").exists()


def test_an_attempt_whose_worker_was_lost_goes_on_and_only_the_second_keeps_its_files(
    home: Path, tmp_path: Path
) -> None:
    root = str(tmp_path / "storage")

    def objective(trial: Any) -> float:
        import os
        import signal
        from pathlib import Path

        file = Path(trial.checkpoint_dir) / "step"
        (Path(trial.artifact_dir) / "note.txt").write_text(f"attempt {trial.attempt}")
        if trial.number == 1 and not file.exists():
            file.write_text("5")
            os.kill(os.getppid(), signal.SIGKILL)  # the template, and with it the worker
            signal.pause()
        return float(file.read_text()) if file.exists() else 0.0

    given = {"failures": Failures(checkpoint_root=root), "tracking": Tracking(artifact_root=root)}
    result = sweep(home, objective=objective, executor="processes", parallelism=1, max_trials=3, **given)
    assert [trial.metrics["loss"] for trial in result.trials] == [0.0, 5.0, 0.0]
    assert notes(Path(root) / result.sweep) == {"0.0.1": "attempt 1", "1.0.2": "attempt 2", "2.0.1": "attempt 1"}
    assert [path.name for path in Path(root).iterdir()] == [result.sweep], "checkpoints are gone"
    assert_accounting(home, result.sweep)
