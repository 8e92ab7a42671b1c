"""Checkpoints and artifacts on storage that the driver and all hosts have."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import PreflightError
from sparkml_track.executors import Lost, Reported, Work
from sparkml_track.executors._attempts.messages import run_message
from sparkml_track.executors._jobs.executor import JobsExecutor
from sparkml_track.executors._jobs.submitter import JobFailed, LocalSubmitter, Request
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.executors._shipping.artifacts import InPlace
from sparkml_track.executors._shipping.work import pack_work
from sparkml_track.slot.host.paths import MARK, NotShared, Places, make
from sparkml_track.slot.wire.messages import decode
from sparkml_track.slot.worker import Config
from sparkml_track.testing.executors import attempt, outcomes
from sparkml_track.trial import Attempt, State
from tests.clusters import wait_until

pytestmark = pytest.mark.slow


def opened(objective: object, launcher: LocalLauncher | None = None, **fields: object) -> ResidentExecutor:
    work = Work(objective, **fields)  # type: ignore[arg-type]
    return ResidentExecutor(work, Fleet(launcher or LocalLauncher(1), f"test-{os.urandom(4).hex()}"))


@pytest.fixture
def hosts() -> Iterator[list[Path]]:
    """Folders that two hosts have for themselves; short, as sockets are in them."""
    made = [Path(tempfile.mkdtemp(prefix="host-", dir="/tmp")) for _ in range(2)]
    yield made
    # Templates that are ending remove folders of theirs meanwhile.
    wait_until(lambda: not any(is_left(folder) for folder in made), 20)


def is_left(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return folder.exists()


_ONCE = """
import pickle, sys
sys.path[:0] = sys.argv[1:]
from sparkml_track.slot.once import run_once
sys.stdout.buffer.write(run_once(*pickle.load(sys.stdin.buffer))[-1])
"""


def once(host: Path, work: Work, one: Attempt) -> Any:
    """What a task on that host says last of an attempt."""
    blobs = tempfile.mkdtemp(dir=host)
    (Path(blobs) / "blobs").mkdir()
    packed = pack_work(work, blobs)
    files = {digest: f"{blobs}/blobs/{digest}" for digest in packed.digests}
    config = Config(("", ""), b"", f"test-{os.urandom(4).hex()}", packed.work, packed.data, tuple(sys.path))
    task = subprocess.run(
        [sys.executable, "-c", _ONCE, *sys.path],
        input=pickle.dumps((config, run_message(one), files)),
        env={**os.environ, "TMPDIR": str(host)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return decode(task.stdout)[0]


def goes_on(trial: Any) -> float:
    import os
    import signal
    from pathlib import Path

    file = Path(trial.checkpoint_dir) / "step"
    if not file.exists():
        file.write_text("3")
        os.kill(os.getpid(), signal.SIGKILL)
    return float(file.read_text())


def test_the_next_attempt_on_another_host_goes_on_where_the_first_was_killed(tmp_path: Path, hosts: list[Path]) -> None:
    work = Work(goes_on, checkpoints=str(tmp_path / "sweep"))
    first = once(hosts[0], work, attempt(0))
    assert first.reason == "signal"
    # The host is gone with all it had.
    wait_until(lambda: not any(map(is_left, hosts[0].iterdir())), 20)
    second = once(hosts[1], work, replace(attempt(0), number=2))
    assert second.metrics == {"loss": 3.0}


def test_without_shared_storage_another_host_begins_anew(hosts: list[Path]) -> None:
    work = Work(goes_on)
    assert once(hosts[0], work, attempt(0)).reason == "signal"
    assert once(hosts[1], work, replace(attempt(0), number=2)).reason == "signal"


def test_a_host_without_the_storage_says_so_and_makes_no_folder(
    tmp_path: Path, hosts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "sweep"

    def unmounted(*_: object) -> None:
        """In the place of the driver's check: this host has nothing there."""

    with monkeypatch.context() as patch:
        patch.setattr("sparkml_track.executors._shipping.artifacts.make", unmounted)
        answer = once(hosts[0], Work(lambda _: 1.0, artifacts=str(root)), attempt(0))
    assert answer.message == f"NotShared: {root}: No such file or directory"
    assert not root.exists()


class Elsewhere(LocalLauncher):
    """Workers on a host that has another folder at the place of the driver's."""

    shared_host = False

    def __init__(self, root: Path) -> None:
        super().__init__(1)
        self._root = root

    def launch(self, config: Config) -> None:
        (self._root / MARK).unlink(missing_ok=True)
        super().launch(config)


@pytest.mark.parametrize("field", ["checkpoints", "artifacts"])
def test_a_host_with_another_folder_at_that_place_is_refused_in_words(tmp_path: Path, field: str) -> None:
    root = tmp_path / "sweep"
    executor = opened(lambda _: 1.0, Elsewhere(root), **{field: str(root)})
    try:
        executor.submit(attempt(0))
        with pytest.raises(PreflightError) as told:
            outcomes(executor, 1)
    finally:
        executor.close()
    said = str(told.value)
    assert said.startswith(f"slots on {socket.gethostname()} cannot write the folder {root} ")
    assert "(No such file or directory)" in said
    assert "mount it there, or leave the setting out" in said


def test_a_host_that_has_the_storage_read_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    make(str(tmp_path / "sweep"))
    places = Places("", str(tmp_path / "sweep"), None)
    places.check()
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(NotShared, match="sweep: Read-only file system"):
        places.check()


def test_storage_that_goes_away_fails_the_attempt_and_nothing_is_made_at_its_mount_point(tmp_path: Path) -> None:
    places = Places(str(tmp_path / "host"), str(tmp_path / "gone" / "c"), str(tmp_path / "gone" / "a"))
    with pytest.raises(FileNotFoundError):
        places.checkpoint_dir("0.0")
    with pytest.raises(FileNotFoundError):
        places.artifact_dir("0.0.1")
    assert not (tmp_path / "gone").exists()


def waits(trial: Any) -> float:
    import time
    from pathlib import Path

    (Path(trial.artifact_dir) / "half.bin").write_bytes(b"half")
    trial.report({"loss": 1.0}, step=0)
    time.sleep(60)
    return 1.0


def test_the_folder_of_a_lost_attempt_is_removed(tmp_path: Path) -> None:
    launcher, root = LocalLauncher(1), tmp_path / "sweep"
    executor = opened(waits, launcher, artifacts=str(root))
    try:
        executor.submit(attempt(0))
        while not any(isinstance(event, Reported) for event in executor.events(1.0)):
            pass
        assert (root / "0.0.1" / "half.bin").exists()
        os.kill(launcher.pid(0), signal.SIGKILL)
        while not any(isinstance(event, Lost) for event in executor.events(1.0)):
            pass
        assert not (root / "0.0.1").exists()
    finally:
        executor.close()


def test_what_a_killed_attempt_had_written_stays_with_its_outcome(tmp_path: Path) -> None:
    executor = opened(waits, artifacts=str(tmp_path / "sweep"))
    try:
        executor.submit(attempt(0, timeout=0.5))
        outcome = outcomes(executor, 1)[0]
    finally:
        executor.close()
    assert (outcome.state, outcome.reason) == (State.KILLED, "timeout")
    assert (Path(outcome.artifacts) / "half.bin").read_bytes() == b"half"


def test_a_path_that_a_slot_says_is_not_believed(tmp_path: Path) -> None:
    inbox = InPlace(str(tmp_path / "sweep"))
    (tmp_path / "sweep" / "0.0.1").mkdir(parents=True)
    for one in ("0.0.1", "0.0.2"):
        inbox.take(one, "../../elsewhere", 0, b"x")
    assert inbox.finish("0.0.1") == (str(tmp_path / "sweep" / "0.0.1"), "")
    assert inbox.finish("0.0.2") == ("", "x")
    assert list(tmp_path.iterdir()) == [tmp_path / "sweep"]


@pytest.mark.parametrize("shared", [True, False])
def test_what_a_link_in_place_of_artifact_dir_points_to_is_left_alone(tmp_path: Path, shared: bool) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()

    def objective(trial: Any) -> float:
        import os
        import shutil

        folder = trial.artifact_dir
        shutil.rmtree(folder)
        os.symlink(trial.params["precious"], folder)
        return 1.0

    executor = opened(objective, **({"artifacts": str(tmp_path / "sweep")} if shared else {}))
    one = attempt(0)
    try:
        executor.submit(replace(one, trial=replace(one.trial, params={"precious": str(precious)})))
        outcome = outcomes(executor, 1)[0]
        said = outcome.log if shared else (Path(outcome.artifacts) / "ARTIFACTS_LEFT_OUT.txt").read_text()
    finally:
        executor.close()
    assert precious.is_dir()
    assert "artifact_dir was replaced by a link" in said
    assert shared is (outcome.artifacts == "")


def test_what_a_link_of_a_lost_attempt_points_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").touch()
    (tmp_path / "0.0.1").symlink_to(tmp_path / "other")
    (tmp_path / "0.0.2").mkdir()
    (tmp_path / "0.0.2" / "inner").symlink_to(tmp_path / "other")
    inbox = InPlace(str(tmp_path))
    for one in ("0.0.1", "0.0.2"):
        inbox.forget(one)
    assert (tmp_path / "other" / "precious").exists()
    assert not (tmp_path / "0.0.2").exists()


class Failing(LocalSubmitter):
    """Jobs that leave something and end without an answer."""

    def __init__(self, root: Path) -> None:
        super().__init__(1)
        self._root = root
        self.cancelled = threading.Event()

    def run(self, key: str, request: Request) -> list[bytes]:
        folder = self._root / request.run.attempt
        folder.mkdir()
        (folder / "half.bin").touch()
        if folder.name == "1.0.1":
            self.cancelled.wait(30)
        raise JobFailed("its executor went away")

    def cancel(self, key: str) -> None:
        self.cancelled.set()


def test_the_folder_of_a_job_that_failed_or_was_cancelled_is_removed(tmp_path: Path) -> None:
    root = tmp_path / "sweep"
    executor = JobsExecutor(Work(lambda _: 1.0, artifacts=str(root)), Failing(root), f"test-{os.urandom(4).hex()}")
    try:
        executor.submit(attempt(0))
        while not any(isinstance(event, Lost) for event in executor.events(1.0)):
            pass
        executor.submit(attempt(1))
        while not (root / "1.0.1" / "half.bin").exists():
            executor.events(0.01)
        executor.stop("1.0.1", "cancelled")
        assert outcomes(executor, 1)[1].artifacts == ""
    finally:
        executor.close()
    assert [path.name for path in root.iterdir()] == [MARK]
