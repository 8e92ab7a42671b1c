"""Workers that stay from one executor to the next: on plain processes, everything but Spark."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.errors import ObjectiveError
from sparkml_track.executors import Work
from sparkml_track.executors._resident import fleet as fleet_module
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.launcher import LocalLauncher, Others
from sparkml_track.executors._resident.lot import Lot
from sparkml_track.executors._resident.slot import Limits
from sparkml_track.testing.executors import attempt, outcomes
from sparkml_track.trial import Outcome

pytestmark = pytest.mark.slow


class Launcher(LocalLauncher):
    """Counts what it launches; ``others`` is what else the application does."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.launched = 0
        self.now = Others()

    def launch(self, config: Any) -> None:
        self.launched += 1
        super().launch(config)

    def others(self) -> Others:
        return self.now


class Elsewhere(Launcher):
    """Workers whose host has a temporary folder of its own, and nothing of the driver's."""

    shared_host = False

    def __init__(self, slots: int, folder: Path) -> None:
        super().__init__(slots)
        self._folder = folder

    def launch(self, config: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(self._folder))
            super().launch(config)


class Late(Launcher):
    """The worker of slot 1 comes when it is let."""

    def launch(self, config: Any) -> None:
        super().launch(config)
        if config.slot == 1 and self.launched == 2:
            os.kill(self.pid(1), signal.SIGSTOP)


class Repeating(Launcher):
    """Starts what it has started first, as Spark does with a task that was lost."""

    first: Any = None

    def launch(self, config: Any) -> None:
        self.first = self.first or config
        super().launch(replace(self.first, slot=config.slot))


@dataclass
class Application:
    """Opens executors as a Spark application does."""

    slots: int = 1
    limits: Limits = field(default_factory=lambda: Limits(stay=60.0))
    lot: Lot[str] = field(default_factory=Lot)
    launchers: list[Launcher] = field(default_factory=list)
    launcher: Callable[[int], Launcher] = Launcher

    def open(self, objective: Callable[[Any], object], **fields: Any) -> ResidentExecutor:
        fleet = self.lot.take("kind")
        if fleet is None:
            self.launchers.append(self.launcher(self.slots))
            token = f"test-{os.urandom(4).hex()}"
            fleet = Fleet(self.launchers[-1], token, self.limits, stay=lambda fleet: self.lot.park("kind", fleet))
        return ResidentExecutor(Work(objective, **fields), fleet)

    def run(self, objective: Callable[[Any], object], count: int = 1, **fields: Any) -> dict[int, Outcome]:
        executor = self.open(objective, **fields)
        try:
            wait_for_slots(executor, min(self.slots, fields.get("parallelism", self.slots)))
            executor.submit(*map(attempt, range(count)))
            return dict(outcomes(executor, count))
        finally:
            executor.close()

    @property
    def parked(self) -> Fleet:
        fleet = self.lot._parked["kind"]._fleet
        assert fleet is not None
        return fleet

    @property
    def launched(self) -> int:
        return sum(launcher.launched for launcher in self.launchers)


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def wait_for_slots(executor: ResidentExecutor, count: int) -> None:
    """A worker that has not come when its executor is closed does not stay."""
    until = time.monotonic() + 60
    while sum(slot.takes for slot in executor._pool.slots) < count:
        assert time.monotonic() < until, "workers did not come"
        executor.events(0.05)


@pytest.fixture
def app() -> Iterator[Application]:
    application = Application()
    yield application
    application.lot.close()


def pids(_: object) -> dict[str, float]:
    """Of the template, and of the worker's session."""
    return {"loss": 0.0, "template": float(os.getppid()), "pid": float(os.getpid())}


def metrics(outcome: Outcome) -> dict[str, float]:
    return dict(outcome.metrics)


def test_the_next_executor_has_the_workers_and_what_they_have_loaded(app: Application) -> None:
    first, second = metrics(app.run(pids)[0]), metrics(app.run(pids)[0])
    assert app.launched == 1
    assert first["template"] == second["template"]
    assert first["pid"] != second["pid"], "each sweep has processes of its own"


def test_processes_that_are_kept_execute_the_next_calls_too(app: Application) -> None:
    first, second = (metrics(app.run(pids, isolation="kept")[0]) for _ in range(2))
    assert app.launched == 1
    assert first["pid"] == second["pid"], "as loky's do"


def test_another_objective_has_the_workers_and_a_template_of_its_own(app: Application) -> None:
    first = metrics(app.run(pids)[0])
    second = metrics(app.run(lambda _: {"loss": 1.0, "template": float(os.getppid())})[0])
    assert app.launched == 1
    assert second["loss"] == 1.0
    assert first["template"] != second["template"]


def test_libraries_are_imported_once_for_all_sweeps_and_no_code_of_a_user(app: Application, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("value = 1")

    def first(_: object) -> dict[str, float]:
        import mine  # type: ignore[import-not-found]
        import numpy as np

        return {"loss": float(mine.value), "address": float(id(np.ndarray.__doc__)), "numpy": float(id(np))}

    def second(_: object) -> dict[str, float]:
        had = "numpy" in sys.modules, "mine" in sys.modules
        import numpy as np

        return {"loss": 0.0, "numpy": float(id(np)), "had": float(had[0]), "mine": float(had[1])}

    path = [str(tmp_path)]
    one, two = (metrics(app.run(each, code=path)[0]) for each in (first, second))
    assert app.launched == 1
    assert one["numpy"] == two["numpy"], "forked from one process"
    assert (two["had"], two["mine"]) == (1.0, 0.0)


def test_code_that_a_user_changed_is_loaded_anew(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "changing_objective.py"
    text = textwrap.dedent(
        """
        def objective(trial):
            return {value}
        """
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module.write_text(text.format(value=1.0))
    import changing_objective  # type: ignore[import-not-found]

    assert app.run(changing_objective.objective)[0].metrics == {"loss": 1.0}
    module.write_text(text.format(value=22.0))
    assert app.run(changing_objective.objective)[0].metrics == {"loss": 22.0}
    assert app.launched == 1


def test_what_the_environment_says_is_heard(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    def objective(_: object) -> float:
        return float(os.environ.get("SPARKML_TEST_VALUE", "-1"))

    values = []
    for value in ("1", "2"):
        monkeypatch.setenv("SPARKML_TEST_VALUE", value)
        values.append(app.run(objective)[0].metrics["loss"])
    assert values == [1.0, 2.0]
    assert app.launched == 1


def test_no_checkpoint_of_an_earlier_sweep_is_found(app: Application) -> None:
    def objective(trial: Any) -> float:
        file = Path(trial.checkpoint_dir) / "state"
        found = file.exists()
        file.touch()
        return float(found)

    assert [app.run(objective)[0].metrics["loss"] for _ in range(3)] == [0.0, 0.0, 0.0]
    assert app.launched == 1


def test_no_checkpoint_or_data_of_an_earlier_sweep_stays_on_another_host(app: Application) -> None:
    import numpy as np

    def objective(trial: Any) -> dict[str, float]:
        file = Path(trial.checkpoint_dir) / "state"
        found = file.exists()
        file.touch()
        blobs = os.listdir(Path(trial.checkpoint_dir).parents[1] / "blobs")
        return {"loss": float(found), "blobs": float(len([name for name in blobs if not name.endswith(".lock")]))}

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path, for sockets in it
        app.launcher = lambda slots: Elsewhere(slots, Path(folder))
        for value in range(3):
            found = app.run(objective, data={"x": np.full(10, float(value))})[0].metrics
            assert found["loss"] == 0.0
            assert found["blobs"] <= 4, "the work and the data of this sweep, and of the last one"
        assert app.launched == 1
        app.lot.close()


def test_data_that_the_next_sweep_does_not_have_is_removed(app: Application) -> None:
    import numpy as np

    def total(trial: Any) -> float:
        return float(trial.data["x"].sum())

    for value in (1.0, 2.0):
        assert app.run(total, data={"x": np.full(10, value)})[0].metrics == {"loss": 10 * value}
    fleet = app.lot.take("kind")
    assert fleet is not None
    assert len(os.listdir(Path(fleet.host.folder) / "blobs")) == 2, "the work and its data"
    fleet.close()


def test_no_payload_of_an_earlier_sweep_is_found(app: Application) -> None:
    def size(trial: Any) -> float:
        return float(len(trial.payload)) + trial.payload[0]

    for value in (1, 2):
        executor = app.open(size)
        executor.submit(replace(attempt(0), payload=bytes([value]) * (9 << 20)))
        assert dict(outcomes(executor, 1))[0].metrics == {"loss": (9 << 20) + value}
        executor.close()
    assert app.launched == 1


def test_a_working_folder_that_was_made_anew_is_the_new_one(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def objective(_: object) -> float:
        return float(os.path.exists(os.getcwd()))

    folder = tmp_path / "out"
    for _ in range(2):
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert app.run(objective)[0].metrics == {"loss": 1.0}
        folder.rmdir()
    assert app.launched == 1


def test_temporary_files_of_attempts_do_not_gather(app: Application) -> None:
    def objective(_: object) -> float:
        import tempfile

        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"left")
        return 1.0

    for number in range(3):
        app.run(partial(scaled, objective, number))
    fleet = app.lot.take("kind")
    assert fleet is not None
    left = [name for name in os.listdir(fleet.host.folder) if name[:1] == "t" and name[1:].isdigit()]
    fleet.close()
    assert len(left) <= 2, "of the process that waits for the next sweep, and of one that is going"


def scaled(objective: Callable[[object], float], number: int, trial: object) -> float:
    return number * objective(trial)


def test_the_next_sweep_has_the_time_to_load_that_the_first_one_had(app: Application) -> None:
    class Slow:
        def __reduce__(self) -> tuple[Any, ...]:
            return time.sleep, (1.5,)

    app.limits = Limits(stay=60.0, first=20.0, none=0.5, check=0.05)
    app.run(pids)
    slow = Slow()
    assert app.run(lambda _: float(slow is None))[0].metrics == {"loss": 1.0}
    assert app.launched == 1


def test_a_worker_that_fell_silent_meanwhile_is_not_counted_on(app: Application) -> None:
    app.limits = Limits(stay=60.0, silent=3.0, none=5.0)
    app.run(pids)
    worker = app.launchers[0].pid(0)
    os.kill(worker, signal.SIGSTOP)
    try:
        gone(app)
        assert app.run(lambda _: 3.0)[0].metrics == {"loss": 3.0}
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("where", ["park", "stay"])
def test_ctrl_c_while_workers_are_parked_leaves_none(
    app: Application, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    executor = app.open(pids)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    monkeypatch.setattr(executor._fleet, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        executor.close()
    assert not app.launchers[0]._processes


def test_a_slot_that_rests_counts_in_the_next_sweep(app: Application) -> None:
    app.slots, app.limits = 2, Limits(stay=60.0, idle=0.05, check=0.02)
    executor = app.open(lambda trial: time.sleep(0.6 * trial.number) or 1.0)
    wait_for_slots(executor, 2)
    executor.submit(attempt(0), attempt(1))
    outcomes(executor, 2)
    executor.close()
    executor = app.open(pids)
    assert executor.slots == 2
    executor.close()


def test_a_worker_that_was_killed_meanwhile_is_started_again_with_the_work_of_now(app: Application) -> None:
    app.slots = 2
    app.run(pids, 4)
    launcher = app.launchers[0]
    os.kill(launcher.pid(0), signal.SIGKILL)
    done = app.run(lambda _: 5.0, 4)
    assert {outcome.metrics["loss"] for outcome in done.values()} == {5.0}
    assert launcher.launched <= 3


def test_a_worker_that_begins_with_the_work_of_an_earlier_sweep_is_given_that_of_now(app: Application) -> None:
    app.slots, app.launcher = 2, Repeating
    app.run(lambda _: 1.0, 2, data={"x": "first"})
    os.kill(app.launchers[0].pid(0), signal.SIGKILL)
    app.launchers[0]._processes[0].wait(10)
    done = app.run(lambda _: 2.0, 2)
    assert (len(app.launchers), app.launched) == (1, 3)
    assert [outcome.metrics for outcome in done.values()] == [{"loss": 2.0}] * 2


@pytest.mark.parametrize("meanwhile", [True, False])
def test_a_worker_that_comes_after_its_sweep_executes_for_the_next(app: Application, meanwhile: bool) -> None:
    app.slots, app.launcher = 2, Late
    executor = app.open(lambda _: 1.0)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    executor.close()
    launcher = app.launchers[0]
    if meanwhile:
        os.kill(launcher.pid(1), signal.SIGCONT)
        wait_until(lambda: bool(app.parked.early))
    executor = app.open(pids)
    if not meanwhile:
        os.kill(launcher.pid(1), signal.SIGCONT)
    try:
        wait_for_slots(executor, 2)
        executor.submit(attempt(0), attempt(1))
        done = dict(outcomes(executor, 2))
    finally:
        executor.close()
    assert (len(app.launchers), app.launched) == (1, 2)
    assert {outcome.metrics["loss"] for outcome in done.values()} == {0.0}


def test_a_worker_that_does_not_come_is_not_waited_for_long(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "_COMING", 0.0)
    app.slots, app.launcher = 2, Late
    executor = app.open(lambda _: 1.0)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    executor.close()
    wait_until(lambda: not app.launchers[0].coming(1))
    assert app.run(pids, 2).keys() == {0, 1}
    assert (len(app.launchers), app.launched) == (1, 3)


def test_a_worker_that_came_between_and_ended_is_not_counted_on(app: Application) -> None:
    app.slots, app.launcher = 2, Late
    executor = app.open(lambda _: 1.0)
    executor.submit(attempt(0))
    outcomes(executor, 1)
    executor.close()
    launcher = app.launchers[0]
    os.kill(launcher.pid(1), signal.SIGCONT)
    wait_until(lambda: bool(app.parked.early))
    os.kill(launcher.pid(1), signal.SIGKILL)
    wait_until(lambda: not app.parked.early)
    assert app.run(pids, 2).keys() == {0, 1}
    assert (len(app.launchers), app.launched) == (1, 3)


def test_a_worker_with_an_attempt_does_not_stay(app: Application) -> None:
    def hang(_: object) -> float:
        time.sleep(600)
        return 0.0

    app.slots = 2
    executor = app.open(lambda trial: hang(trial) if trial.number else 1.0)
    executor.submit(attempt(0), attempt(1))
    assert dict(outcomes(executor, 1))[0].metrics == {"loss": 1.0}
    executor.close()
    done = app.run(lambda _: 2.0, 2)
    assert {outcome.metrics["loss"] for outcome in done.values()} == {2.0}
    assert len(app.launchers) == 2, "it may still write where the next sweep would find it"


def test_fewer_and_more_slots_than_the_last_sweep_had(app: Application) -> None:
    app.slots = 3
    app.run(pids, 3, parallelism=2)
    assert app.launched == 2
    app.run(pids, 3, parallelism=1)
    assert app.launched == 2
    executor = app.open(pids)
    assert len(executor._pool.slots) == 3
    executor.close()


def test_an_objective_that_cannot_be_sent_costs_no_more_than_an_error(app: Application) -> None:
    import threading

    app.run(pids)
    lock = threading.Lock()
    with pytest.raises(ObjectiveError, match="lock"):
        app.open(lambda _: float(lock.locked()))
    assert app.run(pids)[0].metrics["loss"] == 0.0


def gone(application: Application, seconds: float = 10.0) -> None:
    """Waits until no worker is left."""
    processes = application.launchers[-1]._processes
    until = time.monotonic() + seconds
    while processes and time.monotonic() < until:
        time.sleep(0.01)
    assert not processes


@pytest.mark.parametrize("who", [{"active": 1, "waiting": 1}, {"sweeps": 1, "sweeps_waiting": 1}])
def test_they_leave_at_once_when_somebody_waits(app: Application, who: dict[str, int]) -> None:
    app.run(pids)
    app.launchers[0].now = Others(**who)
    gone(app)
    app.run(pids)
    assert len(app.launchers) == 2


def test_they_leave_when_their_time_is_over() -> None:
    application = Application(limits=Limits(stay=0.1))
    application.run(pids)
    token = application.launchers[0]
    gone(application)
    assert token.launched == 1


def test_nothing_is_left_of_them(app: Application) -> None:
    executor = app.open(pids)
    folder = Path(executor._fleet.host.folder)
    executor.submit(attempt(0))
    template = int(dict(outcomes(executor, 1))[0].metrics["template"])
    executor.close()
    assert folder.is_dir()
    app.lot.close()
    assert not os.path.exists(f"/proc/{template}")
    assert not folder.exists()
