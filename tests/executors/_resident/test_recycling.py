"""What an attempt leaves, or says in another's name, does not reach the next one of its process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparkml_track.executors import Ended, Reported, Work
from sparkml_track.executors._resident import executor as executors
from sparkml_track.executors._resident import launcher
from sparkml_track.executors._resident.early_template import EarlyTemplate
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.slot.host.folder import user_folder
from sparkml_track.testing.executors import attempt, events_until, outcomes
from sparkml_track.trial import Outcome, State

pytestmark = pytest.mark.slow


def run(objective: Callable[[Any], object], count: int) -> dict[int, Outcome]:
    executor = ResidentExecutor(Work(objective), Fleet(LocalLauncher(1), f"test-{os.urandom(4).hex()}"))
    try:
        for number in range(count):
            executor.submit(attempt(number))
        return outcomes(executor, count)
    finally:
        executor.close()


def early(trial: Any) -> dict[str, float]:
    """The first says that it has ended, in its own name and in the next one's, and goes on."""
    import sys
    import time

    if trial.number == 0:
        frame: Any = sys._getframe()
        while "link" not in frame.f_locals or "run" not in frame.f_locals:
            frame = frame.f_back
        link, mine = frame.f_locals["link"], frame.f_locals["run"]
        kind = sys.modules[type(mine).__module__].Done  # type: ignore[attr-defined]
        end = kind(mine.attempt, "finished", time.time(), 0.0, {"loss": 7.0}, clean=True, key=mine.key)
        link.send(end)
        time.sleep(0.5)  # by now this process was handed the next one, and has not read it
        link.send(end._replace(attempt="1.0.1", metrics={"loss": 9.0}))
    return {"loss": float(trial.number)}


def test_an_attempt_that_ends_early_does_not_answer_for_the_next_one() -> None:
    ended = run(early, 3)
    assert [ended[number].metrics for number in range(3)] == [{"loss": 7.0}, {"loss": 1.0}, {"loss": 2.0}]


def garbage(trial: Any) -> float:
    import gc

    if trial.number == 0:
        link = next(each for each in gc.get_objects() if type(each).__name__ == "_WorkerLink")
        link._sock.sendall(b"\x05\x00\x00\x00hello")
        __import__("time").sleep(60)
    return 1.0


def test_what_no_message_is_ends_the_attempt_that_sent_it_with_the_reason_and_no_other() -> None:
    ended = run(garbage, 3)
    assert (ended[0].state, ended[0].reason) == (State.FAILED, "result")
    assert "what it sent cannot be read" in ended[0].message
    assert ended[1].state is ended[2].state is State.FINISHED


def patched(trial: Any) -> dict[str, float]:
    """The first leaves a thread, and functions that deny it, as libraries that patch everything do."""
    import os
    import sys
    import threading

    if trial.number == 0:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        module = next(
            m for name, m in sys.modules.items() if name.endswith("slot.child") or name == "sparkml_slot.child"
        )
        module.thread_count = lambda: 1
    return {"loss": 0.0, "pid": float(os.getpid())}


def test_a_process_that_denies_what_it_left_is_not_used_again() -> None:
    ended = run(patched, 2)
    assert ended[0].metrics["pid"] != ended[1].metrics["pid"]


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm"))


def leaves_shared_memory(trial: Any) -> float:
    import time
    from multiprocessing import shared_memory

    import numpy as np
    from joblib import Parallel, delayed

    kept = shared_memory.SharedMemory(create=True, size=100_000)
    data = np.zeros(2_000_000)
    Parallel(n_jobs=2)(delayed(float)(data[i]) for i in range(4))
    Parallel(n_jobs=2)(delayed(np.sum)(data) for _ in range(2))
    if trial.number == 0:
        trial.report({"loss": 1.0}, 0)
        time.sleep(60)
    return float(kept.size)


def test_what_attempts_leave_in_shared_memory_goes_with_them() -> None:
    before = shared_memory()
    executor = ResidentExecutor(Work(leaves_shared_memory), Fleet(LocalLauncher(1), f"test-{os.urandom(4).hex()}"))

    def stop(reported: Reported) -> bool:
        executor.stop(reported.attempt, "timeout")  # in the middle, as its timeout would
        return False

    try:
        for number in range(2):
            executor.submit(attempt(number))
        states = [event.outcome.state for event in events_until(executor, 2, 60.0, stop) if isinstance(event, Ended)]
    finally:
        executor.close()
    assert states == [State.KILLED, State.FINISHED]
    until = time.monotonic() + 20
    while left := shared_memory() - before:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def leaves_temporary_files(trial: Any) -> dict[str, float]:
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    (folder / "large").write_bytes(bytes(1000))
    print(folder)
    if trial.number == 0:
        raise ValueError("in the middle")
    return {"loss": 0.0}


def test_what_attempts_leave_in_the_temporary_folder_goes_with_their_process() -> None:
    executor = ResidentExecutor(Work(leaves_temporary_files), Fleet(LocalLauncher(1), f"test-{os.urandom(4).hex()}"))
    try:
        executor.submit(attempt(0))
        folder = Path(outcomes(executor, 1)[0].log.strip())
        assert folder.is_relative_to(user_folder())
        until = time.monotonic() + 20
        while folder.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        executor.close()


@pytest.mark.parametrize("by", ["driver", "worker"])
def test_attempts_begin_in_the_drivers_folder_whoever_starts_their_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "worker":
        # One that begins elsewhere, as Spark's do.
        monkeypatch.setattr(executors, "EarlyTemplate", lambda host, _: EarlyTemplate(host, None))
        elsewhere = SimpleNamespace(
            PIPE=subprocess.PIPE, DEVNULL=subprocess.DEVNULL, Popen=partial(subprocess.Popen, cwd="/")
        )
        monkeypatch.setattr(launcher, "subprocess", elsewhere)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.txt").write_text("3")
    assert run(lambda _: float(open("beside.txt").read()), 1)[0].metrics == {"loss": 3.0}  # noqa: SIM115
