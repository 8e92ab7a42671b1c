"""What a sweep leaves under checkpoint_root and artifact_root, and what of it is removed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.arguments import SweepArguments
from sparkml_track.engine.spec.check import check
from sparkml_track.engine.spec.spec import Failures, Tracking
from sparkml_track.engine.storage.shared_folders import ALLOWED, Roots, check_roots
from sparkml_track.errors import InvalidInput, LeaseHeld, PreflightError, SpecError
from sparkml_track.slot.host.paths import MARK, make
from sparkml_track.trial import State
from tests.engine.spec.test_check import GOOD

FINISHED, CANCELLED = (State.FINISHED, ""), (State.KILLED, "cancelled")


def result(number: int, state: tuple[State, str] = FINISHED, **fields: Any) -> Result:
    return Result(number, {}, state[0], reason=state[1], **fields)


def folder(root: Path, *names: str) -> Path:
    make(str(root))
    for name in names:
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "file").touch()
    return root


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@pytest.mark.parametrize(
    "bad", ["", "relative/path", "~/here", "s3://bucket/x", "s3a://b", "file:///x", "dbfs:/x", "/nul\0", 7, Path("/x")]
)
def test_a_root_that_is_no_absolute_path_is_refused_with_everything_else(bad: Any) -> None:
    given = {**GOOD, "failures": Failures(checkpoint_root=bad), "tracking": Tracking(artifact_root=bad), "seed": -1}
    with pytest.raises(InvalidInput) as told:
        check(SweepArguments(**given))
    assert len(told.value.problems) == 3
    for name in ("failures.checkpoint_root", "tracking.artifact_root"):
        assert f"{name} is {bad!r}; allowed is {ALLOWED}, or None" in told.value.problems


def test_roots_that_the_driver_cannot_write_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpecError) as told:
        check_roots(str(tmp_path / "file" / "a"), str(tmp_path / "file"))
    assert len(told.value.problems) == 2
    assert "which the driver cannot write (Not a directory)" in told.value.problems[0]
    check_roots(str(tmp_path / "new" / "root"), None)
    assert names(tmp_path / "new" / "root") == []


def test_one_root_for_both_keeps_them_apart(tmp_path: Path) -> None:
    roots = Roots("s", str(tmp_path), str(tmp_path))
    assert roots.checkpoints is not None
    assert roots.artifacts is not None
    folder(roots.checkpoints, "0.0")
    folder(roots.artifacts, "0.0.1")
    roots.close([result(0, artifacts="there")], State.FINISHED)
    assert names(tmp_path) == ["s"]
    assert names(tmp_path / "s") == ["0.0.1"]


def test_checkpoints_go_while_the_sweep_runs_once_their_trial_has_ended(tmp_path: Path) -> None:
    roots = Roots("s", str(tmp_path), None)
    root = folder(tmp_path / "s.checkpoints", "0.0", "1.0", "2.0")
    results = [result(0), result(1, CANCELLED)]
    roots.look(results)
    assert (root / "0.0").exists(), "the journal may not have its result yet"
    results.append(result(2))
    roots.look(results)
    until = time.monotonic() + 10
    while (root / "0.0").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    assert names(root) == [MARK, "1.0", "2.0"]
    roots.leave(None)
    assert names(root) == [MARK, "1.0", "2.0"]


def test_a_sweep_that_has_ended_leaves_no_checkpoint_and_touches_nothing_else(tmp_path: Path) -> None:
    other = folder(tmp_path / "elsewhere", "precious")
    root = folder(tmp_path / "root" / "s.checkpoints", "0.0", "1.0", "2.1")
    (root / "0.0" / "link").symlink_to(other)
    (root / "3.0").symlink_to(other)
    folder(tmp_path / "root" / "t.checkpoints", "0.0")
    folder(tmp_path / "root" / "mine", "0.0")
    Roots("s", str(tmp_path / "root"), None).close([result(0), result(1, CANCELLED)], State.FINISHED)
    assert names(tmp_path / "root") == ["mine", "t.checkpoints"]
    assert (other / "precious" / "deep" / "file").exists()
    assert (tmp_path / "root" / "t.checkpoints" / "0.0" / "deep" / "file").exists()


def test_what_somebody_else_put_into_the_folder_stays(tmp_path: Path) -> None:
    root = folder(tmp_path / "s.checkpoints", "0.0", "notes")
    Roots("s", str(tmp_path), None).close([result(0)], State.FINISHED)
    assert names(root) == ["notes"]


@pytest.mark.parametrize("state", [State.KILLED, State.FAILED])
def test_an_interrupted_sweep_keeps_the_checkpoints_of_trials_that_are_executed_again(
    tmp_path: Path, state: State
) -> None:
    root = folder(tmp_path / "s.checkpoints", "0.0", "1.0", "2.0", "3.0")
    ended = [result(0), result(1, CANCELLED), result(2, (State.KILLED, "timeout"))]  # 3 has no outcome
    Roots("s", str(tmp_path), None).close(ended, state)
    assert names(root) == ["1.0", "3.0"]


def test_artifacts_of_attempts_that_were_not_accepted_go(tmp_path: Path) -> None:
    root = folder(tmp_path / "s", "0.0.1", "0.0.2", "1.0.1", "2.0.1", "3.0.1", "4.0.1", "notes")
    ended = [result(0, attempts=2, artifacts="x"), result(1, CANCELLED), result(2, (State.FAILED, "exception"))]
    ended.append(result(4, CANCELLED, artifacts="x"))
    Roots("s", None, str(tmp_path)).close(ended, State.FINISHED)
    assert names(root) == ["0.0.2", "2.0.1", "4.0.1", "notes"]


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    other = folder(tmp_path / "other", "0.0", "0.0.1")
    (tmp_path / "s").symlink_to(other)
    (tmp_path / "s.checkpoints").symlink_to(other)
    Roots("s", str(tmp_path), str(tmp_path)).close([], State.FINISHED)
    assert names(other) == [MARK, "0.0", "0.0.1"]


def test_another_drivers_sweep_is_left_alone(tmp_path: Path) -> None:
    root = folder(tmp_path / "s.checkpoints", "0.0")
    with pytest.raises(LeaseHeld), Roots("s", str(tmp_path), None).left_by([result(0)], State.FINISHED):
        raise LeaseHeld("taken over")
    assert names(root) == [MARK, "0.0"]
    with pytest.raises(KeyboardInterrupt), Roots("s", str(tmp_path), None).left_by([result(0)], State.KILLED):
        raise KeyboardInterrupt
    assert not root.exists()


def test_a_sweep_that_could_not_begin_leaves_nothing(tmp_path: Path) -> None:
    for kind, left in ((LeaseHeld, [MARK]), (PreflightError, [])):
        root = folder(tmp_path / "s")
        Roots("s", None, str(tmp_path)).leave(kind)
        assert (names(root) if root.exists() else []) == left


def test_what_cannot_be_removed_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder(tmp_path / "s.checkpoints", "0.0", "1.0")
    refused = "Operation not permitted"
    monkeypatch.setattr("sparkml_track.engine.storage.shared_folders.remove_tree", lambda _: refused)
    Roots("s", str(tmp_path), None).close([], State.FINISHED)
    told = [record.message for record in caplog.records]
    assert len(told) == 1
    assert "remove it by hand" in told[0]
