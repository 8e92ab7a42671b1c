"""What Spark executors do to a sweep: killed, frozen, decommissioned; on two hosts, by process id."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sparkml_track as st
from sparkml_track.errors import PreflightError
from sparkml_track.executors import Lost, Work
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.slot import Limits
from sparkml_track.executors._spark.fleets import let_go, listen_address_of
from sparkml_track.executors._spark.worker_launcher import SparkLauncher
from sparkml_track.frontdoors.groups import load_model, predict_groups, train_groups
from sparkml_track.testing.executors import attempt
from tests.clusters import Cluster, alive, application, cluster, command, descendants, wait_until
from tests.nemesis.hosts import HOSTS, of_host, send

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), "--no-connect", "--memory=1500m") as there:
        yield there


@pytest.fixture(scope="module")
def application_there(two_hosts: Cluster) -> Iterator[SparkSession]:
    """For all tests that ask nothing of it but an executor on each host."""
    with application(two_hosts, **{"spark.decommission.enabled": "true"}) as spark:
        yield spark


@pytest.fixture
def session(application_there: SparkSession, two_hosts: Cluster) -> Iterator[SparkSession]:
    """With both executors there and nothing on them, whatever the test before did to them."""
    status = application_there.sparkContext._jsc.sc()  # type: ignore[union-attr]
    wait_until(lambda: all(two_hosts.executors(host) for host in HOSTS), 120)
    wait_until(lambda: status.getExecutorMemoryStatus().size() == 1 + len(HOSTS), 120)
    yield application_there
    let_go(application_there.sparkContext)
    # Else one that outlived its Spark executor would be taken again, and belong to none of the next test's.
    for template in [process for host in HOSTS for process in of_host(two_hosts, host)]:
        if "template" in command(template.pid):
            send(template, signal.SIGKILL)


class Sweep(threading.Thread):
    """A sweep whose trial 0 waits in its first attempt until something is done to it; the others take a moment."""

    def __init__(self, spark: SparkSession, folder: Path, trials: int = 4, **options: Any) -> None:
        super().__init__()
        self.folder, self.result, self.error = folder, None, None
        marks = str(folder)

        def objective(trial: Any) -> float:
            import os
            import time

            if trial.number == 0:
                path = os.path.join(marks, f"attempt-{trial.attempt}")
                with open(path + ".part", "w") as file:
                    file.write(str(os.getpid()))
                os.rename(path + ".part", path)
                time.sleep(120 if trial.attempt == 1 else 0)
            time.sleep(0.2)
            return float(trial.number)

        self._run = lambda: st.sweep(
            objective,
            {"x": st.uniform(0, 1)},
            **{
                "sampler": "random",
                "max_trials": trials,
                "tracking": st.Tracking(uri="memory:"),
                "spark": spark,
                "progress": lambda _: None,
                **options,
            },
        )

    def run(self) -> None:
        try:
            self.result = self._run()
        except BaseException as error:
            self.error = error

    def pid(self) -> int:
        """The process of trial 0 in its first attempt, once it runs."""
        path = self.folder / "attempt-1"
        wait_until(lambda: path.exists() or not self.is_alive(), 180)
        return int(path.read_text())

    def finished(self, seconds: float = 120) -> Any:
        """The result; every trial finished and is accounted once."""
        self.join(seconds)
        assert not self.is_alive(), f"the sweep did not end within {seconds} s"
        assert self.error is None, self.error
        trials = self.result.trials
        assert sorted(trial.number for trial in trials) == list(range(len(trials)))
        assert {trial.state.value for trial in trials} == {"finished"}, [(t.number, t.message) for t in trials]
        return {trial.number: trial for trial in trials}


def workers_of(jvm: int) -> list[int]:
    """Python workers of a Spark executor: the children of its daemon."""
    return [pid for pid in descendants(jvm) if "pyspark.daemon" in command(pid)]


def test_a_killed_worker_costs_one_attempt(two_hosts: Cluster, session: SparkSession, tmp_path: Path) -> None:
    sweep = Sweep(session, tmp_path, parallelism=1)
    sweep.start()
    child = sweep.pid()
    for name in ("worker-1", "worker-2"):
        for jvm in two_hosts.executors(name):
            for pid in workers_of(jvm):
                os.kill(pid, signal.SIGKILL)
    trials = sweep.finished()
    wait_until(lambda: not alive(child), 5)
    assert trials[0].attempts == 2
    assert [trials[n].attempts for n in (1, 2, 3)] == [1, 1, 1]


def test_a_killed_spark_executor_costs_one_attempt_of_each_of_its_trials(
    two_hosts: Cluster, session: SparkSession, tmp_path: Path
) -> None:
    sweep = Sweep(session, tmp_path, parallelism=1)
    sweep.start()
    child = sweep.pid()
    for name in ("worker-1", "worker-2"):
        for jvm in two_hosts.executors(name):
            os.kill(jvm, signal.SIGKILL)
    trials = sweep.finished()
    wait_until(lambda: not alive(child), 5)
    assert trials[0].attempts == 2


def test_a_poison_trial_is_given_up_and_the_others_finish(session: SparkSession) -> None:
    def objective(trial: Any) -> float:
        import os
        import time

        if trial.number == 0:
            os.kill(os.getppid(), 9)  # the template, and with it the worker
            time.sleep(60)
        return 1.0

    result = st.sweep(
        objective,
        {"x": st.uniform(0, 1)},
        sampler="random",
        max_trials=4,
        parallelism=1,
        tracking=st.Tracking(uri="memory:"),
        spark=session,
        progress=lambda _: None,
    )
    trials = {trial.number: trial for trial in result.trials}
    assert (trials[0].state.value, trials[0].reason, trials[0].attempts) == ("failed", "worker lost", 3)
    assert {trials[n].state.value for n in (1, 2, 3)} == {"finished"}


def test_a_frozen_executor_is_left_and_what_it_says_later_does_not_count(
    two_hosts: Cluster, session: SparkSession, tmp_path: Path
) -> None:
    sweep = Sweep(session, tmp_path, parallelism=2)
    sweep.start()
    child = sweep.pid()
    jvms = [jvm for name in ("worker-1", "worker-2") for jvm in two_hosts.executors(name)]
    frozen = next([jvm, *tree] for jvm in jvms if child in (tree := descendants(jvm)))
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: any("attempt-2" in path.name for path in tmp_path.iterdir()), 180)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    trials = sweep.finished()
    assert trials[0].attempts >= 2


def waiting_at(sock: socket.socket) -> bytes:
    """What came and nobody has read."""
    try:
        return sock.recv(1 << 16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""


def test_what_a_frozen_executor_had_finished_is_counted_as_stale_when_it_comes_back(
    two_hosts: Cluster, session: SparkSession, tmp_path: Path
) -> None:
    marks = str(tmp_path)

    def objective(trial: Any) -> float:
        import os
        import time

        with open(os.path.join(marks, "part"), "w") as file:
            file.write(str(os.getpid()))
        os.rename(os.path.join(marks, "part"), os.path.join(marks, "running"))
        while not os.path.exists(os.path.join(marks, "go")):
            time.sleep(0.01)
        return 1.0

    launcher = SparkLauncher(session, "frozen")
    fleet = Fleet(launcher, "frozen", Limits(silent=4.0), listen_address_of(session.sparkContext))
    executor = ResidentExecutor(Work(objective, parallelism=1), fleet)
    try:
        executor.submit(attempt(0))
        wait_until(lambda: (executor.events(0.1), (tmp_path / "running").exists())[1], 180)
        child = int((tmp_path / "running").read_text())
        connection = executor._pool.slots[0].connection
        assert connection is not None
        jvms = [jvm for name in ("worker-1", "worker-2") for jvm in two_hosts.executors(name)]
        frozen = next([jvm, *tree] for jvm in jvms if child in (tree := descendants(jvm)))
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: any(isinstance(event, Lost) for event in executor.events(0.1)), 30)
            (tmp_path / "go").touch()
            for pid in frozen[1:]:  # not its JVM, which ends a cancelled task
                os.kill(pid, signal.SIGCONT)
            # Heard only now: at the first sign of life the worker is told to go.
            wait_until(lambda: b'"done"' in waiting_at(connection.sock), 30)
            wait_until(lambda: (executor.events(0.1), executor.stale)[1], 30)
        finally:
            for pid in frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
    finally:
        executor.close()


def test_a_decommissioned_executor_is_left_between_attempts_and_nothing_is_charged(
    two_hosts: Cluster, session: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sparkml_track")
    marks = str(tmp_path)

    def objective(trial: Any) -> float:
        import os
        import time

        open(os.path.join(marks, f"pid-{os.getpid()}"), "w").close()
        time.sleep(1.0)
        return float(trial.number)

    done = threading.Event()
    (jvm,) = two_hosts.executors("worker-1")

    def decommission() -> None:
        """Once an attempt runs there."""
        wait_until(lambda: any((tmp_path / f"pid-{pid}").exists() for pid in descendants(jvm)), 120)
        os.kill(jvm, signal.SIGPWR)
        done.set()

    thread = threading.Thread(target=decommission)
    thread.start()
    result = st.sweep(
        objective,
        {"x": st.uniform(0, 1)},
        sampler="random",
        max_trials=24,
        parallelism=2,
        failures=st.Failures(retries=0),
        tracking=st.Tracking(uri="memory:"),
        spark=session,
        progress=lambda _: None,
    )
    thread.join()
    assert done.is_set()
    assert "its Spark executor on vm is being decommissioned".replace("vm", socket.gethostname()) in caplog.text
    assert {(trial.state.value, trial.attempts) for trial in result.trials} == {("finished", 1)}


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("3.12.1", r"3\.12.*3\.11|3\.11.*3\.12"),
        ("3.11.7", r"has cloudpickle [0-9.]+; the driver has|lack the module 'cloudpickle'"),
    ],
)
def test_slots_with_another_python_or_without_a_package_are_refused_before_trial_0(
    session: SparkSession, python: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path.home() / ".pyenv" / "versions" / python / "bin" / "python"
    if not path.exists():
        pytest.skip(f"there is no Python {python} to take")
    # What a context takes from PYSPARK_PYTHON when it is made.
    monkeypatch.setattr(session.sparkContext, "pythonExec", str(path))
    with pytest.raises(PreflightError, match=said):
        st.sweep(
            lambda trial: 1.0,
            {"x": st.uniform(0, 1)},
            sampler="random",
            max_trials=2,
            tracking=st.Tracking(uri="memory:"),
            spark=session,
            progress=lambda _: None,
        )


def test_groups_are_trained_elsewhere_when_a_spark_executor_is_killed(
    two_hosts: Cluster, session: SparkSession, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()

    def total(pdf: Any) -> Any:
        time.sleep(0.05)
        with log.open("a") as file:
            file.write(f"{pdf.g.iloc[0]}\n")
        return [int(pdf.y.sum())], {}

    frame = session.range(600).selectExpr("id % 60 AS g", "id AS y")

    def kill() -> None:
        while len(log.read_text().split()) < 10:
            time.sleep(0.01)
        for pid in two_hosts.executors("worker-1"):
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    models = train_groups(frame, "g", total, tracking=st.Tracking(uri="memory:"), progress=False)
    killer.join(1)
    assert not killer.is_alive()
    assert models.counts.finished == 60
    assert load_model(models, 7) == [sum(range(7, 600, 60))]
    scored = predict_groups(frame, models, predict=lambda model, pdf: model * len(pdf), output_type="long")
    assert scored.selectExpr("sum(prediction)").first()[0] == 10 * sum(range(600))
    assert len(log.read_text().split()) <= 60 + 8
