"""What attempts leave in artifact_dir: on its way from slots, and at the driver."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.executors import Work
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.executors._shipping.artifacts import Spool
from sparkml_track.slot.attempt import artifacts
from sparkml_track.slot.host.paths import HostPaths
from sparkml_track.testing.executors import attempt, outcomes


def run(objective: Any, spool: Path, count: int = 1) -> dict[int, Any]:
    work = Work(objective, spool=str(spool))
    executor = ResidentExecutor(work, Fleet(LocalLauncher(1), f"test-{os.urandom(4).hex()}"))
    try:
        for number in range(count):
            executor.submit(attempt(number))
        return dict(outcomes(executor, count))
    finally:
        executor.close()


def test_files_and_folders_arrive_whole_and_outlive_the_executor(tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        from pathlib import Path

        folder = Path(trial.artifact_dir)
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "note.txt").write_text(f"trial {trial.number}")
        (folder / "empty").touch()
        (folder / "large.bin").write_bytes(bytes(range(256)) * 12_288)  # three pieces exactly
        return 1.0

    ended = run(objective, tmp_path, count=2)
    for number, outcome in ended.items():
        folder = Path(outcome.artifacts)
        assert folder.parent == tmp_path
        assert (folder / "deep" / "er" / "note.txt").read_text() == f"trial {number}"
        assert (folder / "empty").read_bytes() == b""
        assert (folder / "large.bin").read_bytes() == bytes(range(256)) * 12_288


def test_a_failed_attempt_leaves_its_artifacts_too_and_one_without_leaves_nothing(tmp_path: Path) -> None:
    def objective(trial: Any) -> float:
        from pathlib import Path

        if trial.number == 0:
            (Path(trial.artifact_dir) / "last.txt").write_text("before it failed")
            raise ValueError("no")
        return 1.0

    ended = run(objective, tmp_path, count=2)
    assert (Path(ended[0].artifacts) / "last.txt").read_text() == "before it failed"
    assert ended[1].artifacts == ""


def test_links_and_what_is_over_the_limit_are_left_out_and_told(tmp_path: Path) -> None:
    folder = Path(HostPaths(str(tmp_path)).artifacts("0.0.1"))
    folder.mkdir(parents=True)
    (folder / "a-small").write_bytes(b"x" * 10)
    (folder / "b-large").write_bytes(b"x" * 100)
    (folder / "c-link").symlink_to("/etc/passwd")
    (folder / "d-small").write_bytes(b"y" * 10)
    os.mkfifo(folder / "e-pipe")
    (Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt"))).write_bytes(b"z")
    sent = list(artifacts.pieces(str(tmp_path), "0.0.1", limit=50))
    assert [head.path for head, _ in sent] == ["a-small", "d-small", "ARTIFACTS_LEFT_OUT.txt"]
    said = sent[-1][1].decode()
    assert "'b-large' (100 bytes)" in said
    assert all(name in said for name in ("c-link", "e-pipe", "caf"))
    assert not folder.exists()


@pytest.mark.parametrize("path", ["../up.txt", "/etc/cron.d/x", "a/../../b", "", "."])
def test_a_path_out_of_its_folder_is_refused_and_told(tmp_path: Path, path: str) -> None:
    spool = Spool(str(tmp_path / "spool"))
    spool.take("0.0.1", path, 0, b"bad")
    folder, error = spool.finish("0.0.1")
    assert folder == ""
    assert "refused" in error
    assert not any(each.is_file() for each in tmp_path.rglob("*"))


def test_what_a_lost_attempt_had_sent_is_removed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spool.take("0.0.1", "part.bin", 0, b"half")
    spool.forget("0.0.1")
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_cannot_be_written_costs_the_artifact_and_not_the_result(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(str(tmp_path / "file"))
    spool.take("0.0.1", "a.txt", 0, b"x")
    assert "could not be kept" in spool.finish("0.0.1")[1]
