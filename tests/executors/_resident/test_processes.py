"""The resident executor on plain processes: everything but Spark."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from sparkml_track.errors import ExecutorError, PreflightError, SlotsLost
from sparkml_track.executors import Executor, Lost, Reported, SlotsChanged, Started, Work, open_executor
from sparkml_track.executors._resident import launcher as _launchers
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.executors._resident.slot import Limits
from sparkml_track.slot.host.folder import user_folder
from sparkml_track.testing.executors import ExecutorCase, GangsCase, attempt, events_until, outcomes
from sparkml_track.trial import State

pytestmark = pytest.mark.slow


class TestProcesses(ExecutorCase, GangsCase):
    def open(self, work: Work) -> Executor:
        return open_executor("processes", replace(work, parallelism=work.parallelism or 2), None)


class TestFresh(ExecutorCase):
    def open(self, work: Work) -> Executor:
        return open_executor("processes", replace(work, parallelism=work.parallelism or 2, isolation="fresh"), None)


def opened(objective: object, slots: int = 1, limits: Limits = Limits(), **fields: object) -> ResidentExecutor:
    work = Work(objective, **fields)  # type: ignore[arg-type]
    return ResidentExecutor(work, Fleet(LocalLauncher(slots), f"test-{os.urandom(4).hex()}", limits))


def run_all(executor: ResidentExecutor, count: int) -> dict[int, object]:
    try:
        for number in range(count):
            executor.submit(attempt(number))
        return dict(outcomes(executor, count))
    finally:
        executor.close()


def probe(trial: object) -> dict[str, float]:
    """Leaves everything changed, and tells how it found it."""
    import os
    import random
    import threading

    found = {
        "loss": 0.0,
        "cwd": float(os.getcwd() == "/"),
        "environ": float("LEAK" in os.environ),
        "umask": float(os.umask(0o022)),
        "random": random.random(),
        "threads": float(threading.active_count()),
        "pid": float(os.getpid()),
    }
    os.chdir("/")
    os.environ["LEAK"] = "1"
    os.umask(0o777)
    random.seed(1)
    return found


@pytest.mark.parametrize("isolation", ["recycled", "fresh"])
def test_an_attempt_finds_cwd_environment_umask_and_seeds_as_the_first_one_did(isolation: str) -> None:
    def objective(trial: object) -> dict[str, float]:
        return probe(trial)

    ended = run_all(opened(objective, isolation=isolation), 4)
    metrics = [outcome.metrics for outcome in ended.values()]  # type: ignore[attr-defined]
    assert all(found["cwd"] == found["environ"] == 0.0 for found in metrics)
    assert len({found["umask"] for found in metrics}) == 1
    assert len({found["random"] for found in metrics}) == 4, "each trial has a seed of its own"
    assert len({found["pid"] for found in metrics}) == (1 if isolation == "recycled" else 4)


def test_the_same_trial_has_the_same_random_numbers_wherever_it_runs() -> None:
    def objective(_: object) -> float:
        import random

        return random.random()

    first, second = (run_all(opened(objective, slots=2), 6) for _ in range(2))
    values = [[ended[n].metrics["loss"] for n in range(6)] for ended in (first, second)]  # type: ignore[attr-defined]
    assert values[0] == values[1]


def test_threads_and_processes_that_are_left_end_with_the_attempt() -> None:
    def objective(trial: object) -> dict[str, float]:
        import os
        import subprocess
        import threading

        others = threading.active_count()
        if trial.number == 0:  # type: ignore[attr-defined]
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            left = subprocess.Popen(["sleep", "600"])
            # A second one in a session of its own, as a daemon has.
            far = subprocess.Popen(["sleep", "601"], start_new_session=True)
            return {"loss": 1.0, "left": left.pid, "far": far.pid, "pid": os.getpid()}
        return {"loss": 1.0, "others": others, "pid": os.getpid()}

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        first = outcomes(executor, 1)[0]
        executor.submit(attempt(1))
        second = outcomes(executor, 1)[1]
    finally:
        executor.close()
    assert second.metrics["others"] == 1
    assert second.metrics["pid"] != first.metrics["pid"]
    wait_until(lambda: not any(alive(int(first.metrics[name])) for name in ("left", "far")))


def test_a_killed_worker_is_replaced_and_its_attempt_told_as_lost() -> None:
    def objective(trial: object) -> float:
        import time

        time.sleep(600 if trial.attempt == 1 else 0)  # type: ignore[attr-defined]
        return 1.0

    executor = opened(objective)
    try:
        first = attempt(0)
        executor.submit(first)
        wait_for(executor, Started)
        os.kill(executor._fleet.launcher.pid(0), signal.SIGKILL)  # type: ignore[attr-defined]
        lost = wait_for(executor, Lost)
        assert (lost.attempt, lost.charged) == ("0.0.1", True)
        executor.submit(replace(first, number=2))
        assert outcomes(executor, 1)[0].state is State.FINISHED
    finally:
        executor.close()


def test_what_only_waited_at_a_lost_worker_is_not_charged() -> None:
    def objective(_: object) -> float:
        return 1.0

    executor = opened(objective)
    try:
        for number in range(60):
            executor.submit(attempt(number))
        outcomes(executor, 60)  # short trials: from now on attempts are sent ahead
        os.kill(executor._fleet.launcher.pid(0), signal.SIGSTOP)  # type: ignore[attr-defined]
        for number in range(60, 63):
            executor.submit(attempt(number))
        os.kill(executor._fleet.launcher.pid(0), signal.SIGKILL)  # type: ignore[attr-defined]
        lost = [wait_for(executor, Lost)]
        lost += [event for event in executor.events(0.1) if isinstance(event, Lost)]
        assert [event.charged for event in lost] == [True, False][: len(lost)] or sum(e.charged for e in lost) == 1
    finally:
        executor.close()


def test_a_template_that_dies_loses_attempts_and_comes_back() -> None:
    def objective(trial: object) -> float:
        import os
        import time

        if trial.attempt == 1:  # type: ignore[attr-defined]
            os.kill(os.getppid(), 9)
            time.sleep(60)
        return 1.0

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        wait_for(executor, Lost)
        executor.submit(replace(attempt(0), number=2))
        assert outcomes(executor, 1)[0].state is State.FINISHED
    finally:
        executor.close()


def test_output_is_kept_bounded_head_and_tail() -> None:
    def objective(_: object) -> float:
        import os

        print("first line", flush=True)
        for _ in range(400):
            os.write(1, b"x" * (1 << 16))
        print("last line", flush=True)
        raise ValueError("after much output")

    outcome = run_all(opened(objective), 1)[0]
    log = outcome.log  # type: ignore[attr-defined]
    assert log.startswith("first line")
    assert log.rstrip().endswith("last line")
    assert "bytes cut" in log
    assert len(log) < 100_000


def test_a_message_is_clipped_whatever_the_error_does() -> None:
    def objective(trial: object) -> float:
        class Rude(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

        if trial.number == 0:  # type: ignore[attr-defined]
            raise Rude
        raise ValueError("x" * 20_000_000)

    ended = run_all(opened(objective), 2)
    assert "Rude" in ended[0].message  # type: ignore[attr-defined]
    assert all(len(outcome.message) <= 4096 for outcome in ended.values())  # type: ignore[attr-defined]


def test_memory_over_the_limit_fails_the_attempt() -> None:
    from sparkml_track.executors import Resources

    def objective(trial: object) -> float:
        import numpy

        return float(numpy.ones((trial.number * 400 + 1) * 131072).sum())  # type: ignore[attr-defined]

    executor = opened(objective, resources=Resources(memory=100 << 20))
    ended = run_all(executor, 2)
    assert ended[0].state is State.FINISHED  # type: ignore[attr-defined]
    assert (ended[1].state, ended[1].reason) == (State.FAILED, "memory")  # type: ignore[attr-defined]


def test_an_objective_that_does_not_load_in_slots_is_refused_before_trial_0() -> None:
    class Poison:
        def __reduce__(self) -> tuple[object, ...]:
            return (exec, ("raise ImportError('no module named secret_sauce')",))

    poison = Poison()

    def objective(_: object) -> float:
        return float(poison is None)

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        with pytest.raises(PreflightError, match="secret_sauce"):
            outcomes(executor, 1)
    finally:
        executor.close()


def test_workers_that_never_come_are_told_with_the_reason() -> None:
    class Broken(LocalLauncher):
        def launch(self, config: object) -> None:
            self._processes[config.slot] = subprocess.Popen(["false"])  # type: ignore[attr-defined]

    executor = ResidentExecutor(
        Work(lambda _: 1.0), Fleet(Broken(1), f"test-{os.urandom(4).hex()}", Limits(check=0.05))
    )
    try:
        executor.submit(attempt(0))
        with pytest.raises(ExecutorError, match=r"workers end as soon as they start: worker.*status 1"):
            outcomes(executor, 1)
    finally:
        executor.close()


def test_close_leaves_no_process() -> None:
    def objective(_: object) -> float:
        import os
        import time

        time.sleep(0.01)
        return float(os.getpid())

    executor = opened(objective, slots=2)
    for number in range(4):
        executor.submit(attempt(number))
    pids = {int(outcome.metrics["loss"]) for outcome in outcomes(executor, 4).values()}
    workers = {executor._fleet.launcher.pid(slot) for slot in range(2)}  # type: ignore[attr-defined]
    executor.close()
    wait_until(lambda: not any(alive(pid) for pid in pids | workers))


def wait_for(executor: Executor, kind: type, seconds: float = 20.0) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for event in executor.events(0.5):
            if isinstance(event, kind) and not isinstance(event, SlotsChanged):
                return event
    raise AssertionError(f"no {kind.__name__} within {seconds} s")


def wait_until(holds: object, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_reports_that_nobody_asks_about_do_not_stop_the_worker() -> None:
    def objective(trial: object) -> float:
        import time

        for step in range(2000):
            trial.report({"loss": 1.0}, step=step)  # type: ignore[attr-defined]
        time.sleep(60)
        return 1.0

    executor = opened(objective)
    try:
        executor.submit(attempt(0, timeout=2.0))
        events = events_until(executor, 1)
    finally:
        executor.close()
    assert sum(isinstance(event, Reported) for event in events) == 2000
    assert events[-1].outcome.reason == "timeout"  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["array", "table", "frame"])
def test_a_process_that_opened_data_serves_the_next_short_trial_and_shows_it_no_changes(kind: str) -> None:
    import numpy
    import pandas
    import pyarrow

    def objective(trial: Any) -> dict[str, float]:
        import os

        data = trial.data["given"]
        if kind == "frame":
            data["x"] *= 2
            return {"loss": float(data["x"].sum()), "pid": os.getpid()}
        return {"loss": float(len(data)), "pid": os.getpid()}

    given = {
        "array": numpy.arange(3.0),
        "table": pyarrow.table({"x": [1.0, 2.0, 3.0]}),
        "frame": pandas.DataFrame({"x": [0.0, 0.5, 1.0]}),
    }
    ended = run_all(opened(objective, data={"given": given[kind]}), 5)
    assert {outcome.metrics["loss"] for outcome in ended.values()} == {3.0}
    assert len({outcome.metrics["pid"] for outcome in ended.values()}) == 1


def test_the_slot_of_a_frozen_worker_gets_another_one() -> None:
    def objective(_: object) -> float:
        return 1.0

    executor = opened(objective, limits=Limits(silent=1.0, check=0.05))
    frozen = executor._fleet.launcher.pid(0)
    try:
        executor.submit(attempt(0))
        outcomes(executor, 1)
        os.kill(frozen, signal.SIGSTOP)
        executor.submit(attempt(1))
        wait_for(executor, Lost)
        executor.submit(replace(attempt(1), number=2))
        assert outcomes(executor, 1)[1].state is State.FINISHED
    finally:
        executor.close()


def test_what_a_worker_says_after_it_was_given_up_is_counted_as_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    def objective(trial: Any) -> float:
        import time

        time.sleep(0.5 if trial.attempt == 1 else 0.0)
        return float(trial.attempt)

    executor = opened(objective, limits=Limits(silent=1.0, check=0.05))
    launcher = executor._fleet.launcher
    first = launcher._processes[0]
    # As with a frozen Spark executor, which cannot be told that its task was cancelled.
    monkeypatch.setattr(launcher, "cancel", lambda slot: None)
    try:
        executor.submit(attempt(0))
        wait_for(executor, Started)
        os.kill(first.pid, signal.SIGSTOP)  # its attempt goes on, and ends
        wait_for(executor, Lost)
        executor.submit(replace(attempt(0), number=2))
        assert outcomes(executor, 1)[0].metrics == {"loss": 2.0}
        assert executor.stale == 0
        os.kill(first.pid, signal.SIGCONT)
        until = time.monotonic() + 10
        while first.poll() is None and time.monotonic() < until:
            assert executor.events(0.1) == []
        assert first.returncode == 0, "it was told to go"
        assert executor.stale == 1
    finally:
        os.kill(first.pid, signal.SIGKILL) if first.poll() is None else None
        executor.close()


def test_a_background_process_of_one_attempt_outlives_the_crash_of_another_one() -> None:
    def objective(trial: Any) -> dict[str, float]:
        import os
        import subprocess
        import time

        if trial.number == 1:
            os._exit(3)
        # A daemon: its parent ends at once, so it is an orphan.
        shell = "sleep 30 >/dev/null 2>&1 & echo $!"
        daemon = int(subprocess.run(["sh", "-c", shell], capture_output=True, text=True).stdout)
        until = time.time() + 1.5
        while time.time() < until:
            time.sleep(0.01)
        return {"loss": float(os.path.exists(f"/proc/{daemon}")), "daemon": daemon}

    executor = opened(objective, slots=2)
    ended = run_all(executor, 2)
    assert ended[1].reason == "exit"
    assert ended[0].metrics["loss"] == 1.0, "the daemon lived as long as its attempt"
    wait_until(lambda: not alive(int(ended[0].metrics["daemon"])))


def test_an_objective_that_closes_its_output_does_not_make_its_worker_spin() -> None:
    def objective(_: object) -> float:
        import os
        import time

        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        time.sleep(1.0)
        return 1.0

    executor = opened(objective)
    try:
        executor.submit(attempt(0))
        wait_for(executor, Started)
        before = cpu_seconds(executor._fleet.launcher.pid(0))
        outcomes(executor, 1)
        assert cpu_seconds(executor._fleet.launcher.pid(0)) - before < 0.5
    finally:
        executor.close()


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_attempt_pays_for_the_import_of_what_opens_the_data() -> None:
    import numpy

    def objective(trial: Any) -> dict[str, float]:
        import sys

        before = "numpy" in sys.modules
        return {"loss": float(trial.data["x"].sum()), "before": float(before)}

    ended = run_all(opened(objective, data={"x": numpy.ones(3)}), 1)
    assert ended[0].metrics == {"loss": 3.0, "before": 1.0}  # type: ignore[attr-defined]


class Gone(LocalLauncher):
    """What workers live in goes away when the test says."""

    def __init__(self, at: str) -> None:
        super().__init__(1)
        self.at = at

    def slots(self) -> int:
        if self.at == "slots":
            raise SlotsLost("Spark is gone")
        return 1

    def close(self, longest_wait: float) -> None:
        super().close(longest_wait)
        if self.at == "close":
            raise RuntimeError("not closed")


def test_an_executor_that_cannot_begin_leaves_nothing() -> None:
    token = f"test-{os.urandom(4).hex()}"
    with pytest.raises(SlotsLost):
        ResidentExecutor(Work(lambda _: 1.0), Fleet(Gone("slots"), token))
    assert not os.path.exists(os.path.join(user_folder(), token))


def test_an_objective_that_cannot_be_pickled_leaves_nothing() -> None:
    token, lock = f"test-{os.urandom(4).hex()}", threading.Lock()
    with pytest.raises(Exception, match="pickle"):
        ResidentExecutor(Work(lambda _: float(lock.locked())), Fleet(LocalLauncher(1), token))
    assert not os.path.exists(os.path.join(user_folder(), token))


def test_the_folder_goes_also_when_workers_cannot_be_ended() -> None:
    token = f"test-{os.urandom(4).hex()}"
    executor = ResidentExecutor(Work(lambda _: 1.0), Fleet(Gone("close"), token))
    folder = executor._host.folder
    assert os.path.exists(folder)
    with pytest.raises(RuntimeError, match="not closed"):
        executor.close()
    assert not os.path.exists(folder)


def test_a_signal_to_the_drivers_group_does_not_reach_the_workers() -> None:
    executor = opened(lambda _: 1.0)
    try:
        executor.submit(attempt(0))
        wait_for(executor, Started)
        assert os.getpgid(executor._fleet.launcher.pid(0)) != os.getpgid(0)  # type: ignore[attr-defined]
    finally:
        executor.close()


def test_slots_of_another_python_are_refused_and_told_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    boot = "import platform; platform.python_version = lambda: '3.9.1'; " + _launchers._BOOT
    monkeypatch.setattr(_launchers, "_BOOT", boot)
    executor = opened(lambda _: 1.0)
    try:
        executor.submit(attempt(0))
        with pytest.raises(PreflightError, match=r"slots run Python 3\.9\.1 .*set PYSPARK_PYTHON"):
            outcomes(executor, 1)
        wait_until(lambda: executor._fleet.launcher.failure(0))
        assert "status 1" in str(executor._fleet.launcher.failure(0)), "it was refused, and did not wait for ever"
    finally:
        executor.close()
