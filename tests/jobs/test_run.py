"""One attempt at a run, with tasks that take no time; what is recorded is read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import SetupError, TableError
from sparkml_track.jobs.course.states import RunState
from sparkml_track.jobs.course.states import TaskState as S
from sparkml_track.jobs.processes.launcher import Launch
from sparkml_track.jobs.records.book import Book
from sparkml_track.jobs.records.orders import Order
from sparkml_track.jobs.records.views import Run, read_runs
from sparkml_track.jobs.run import Course, Surroundings
from sparkml_track.tables import MemoryTables
from tests.jobs.fakes import FakeClock, FakeLauncher, settings_of

FLOW = """\
  flow:
    parameters: {n: 1}
    tasks:
      a: {run: sweep}
      b: {python: "m:f", options: {n: "{n}"}, needs: a, retries: 2, retry_wait: 60}
      c: {python: "m:f", needs: a, timeout: 10}
      d: {python: "m:f", needs: [b, c]}
      e: {python: "m:f", needs: d, when: at_least_one_failed}
"""


class Runner:
    """Runs the job ``flow`` with tasks that end as is said."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_of(folder, FLOW)
        self.system = SystemTables(folder / "system", MemoryTables())
        self.clock = FakeClock()
        self.said: list[str] = []
        self.order = Order("r1", "mine", "flow", "conf.yaml", "manual", datetime(2026, 11, 30, tzinfo=UTC), {"n": 1})

    def launcher(
        self,
        codes: Mapping[str, Sequence[int]] | None = None,
        seconds: Mapping[str, float] | None = None,
        meanwhile: Callable[[str], None] = lambda _: None,
    ) -> FakeLauncher:
        return FakeLauncher(self.clock, codes, seconds, meanwhile)

    def run(self, launcher: FakeLauncher, most: int | None = None) -> RunState:
        world = Surroundings(launcher, Book(self.system, self.order), self.said.append, self.clock)
        return Course(self.settings, self.order, world, max_parallel=most).run()

    def seen(self) -> Run:
        (run,) = read_runs(self.system, self.settings.home)
        return run


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def states(run: Run) -> dict[str, S]:
    return {name: one.state for name, one in run.tasks.items()}


def test_tasks_run_in_the_order_of_their_needs_one_at_a_time(runner: Runner) -> None:
    launcher = runner.launcher()
    assert runner.run(launcher) is RunState.SUCCEEDED
    assert launcher.launched == ["a", "b", "c", "d"]
    assert launcher.most == 1
    run = runner.seen()
    assert run.state is RunState.SUCCEEDED
    assert states(run) == dict.fromkeys("abcd", S.SUCCEEDED) | {"e": S.EXCLUDED}
    assert (run.last.ended - run.last.started).total_seconds() == 4.0  # type: ignore[operator]
    assert [line.split("  ")[1:] for line in runner.said[:2]] == [["a", "started"], ["a", "succeeded in 1.0 s"]]


def test_tasks_run_side_by_side_where_they_may(runner: Runner) -> None:
    launcher = runner.launcher(seconds={"b": 5, "c": 5})
    runner.run(launcher, most=4)
    assert launcher.most == 2
    assert runner.clock.at == 7.0


def test_a_task_that_failed_is_tried_again_after_its_wait(runner: Runner) -> None:
    launcher = runner.launcher({"b": [1, 1, 0]})
    assert runner.run(launcher) is RunState.SUCCEEDED
    assert launcher.launched == ["a", "b", "c", "b", "b", "d"]
    tries = [one for one in runner.seen().last.tries if one.task == "b"]
    assert [(one.number, one.state, one.code) for one in tries] == [
        (1, S.FAILED, 1),
        (2, S.FAILED, 1),
        (3, S.SUCCEEDED, 0),
    ]
    assert tries[1].started is not None
    assert tries[0].ended is not None
    assert (tries[1].started - tries[0].ended).total_seconds() == 60.0
    assert len({one.log for one in tries}) == 3
    assert "b  failed after 1.0 s (exit 1); try 2 of 3 in 60 s" in runner.said[3]


def test_a_task_that_takes_too_long_is_ended(runner: Runner) -> None:
    launcher = runner.launcher(seconds={"c": 100})
    assert runner.run(launcher) is RunState.FAILED
    assert launcher.ended == ["c"]
    run = runner.seen()
    assert run.tasks["c"].reason == "longer than its timeout of 10 s"
    assert states(run) == {"a": S.SUCCEEDED, "b": S.SUCCEEDED, "c": S.FAILED, "d": S.UPSTREAM_FAILED, "e": S.SUCCEEDED}
    assert run.last.reason == "failed: c"


def test_a_task_that_a_signal_ended_says_which(runner: Runner) -> None:
    runner.run(runner.launcher({"a": [-9]}))
    assert runner.seen().tasks["a"].reason == "killed by SIGKILL"


@pytest.mark.parametrize(
    ("error", "reason"), [(KeyboardInterrupt(), "interrupted"), (SystemExit(143), "ended by SIGTERM")]
)
def test_an_interrupt_ends_the_tasks_and_is_recorded(runner: Runner, error: BaseException, reason: str) -> None:
    def interrupt(name: str) -> None:
        if name == "b" and "b" not in launcher.ended:
            raise error

    launcher = runner.launcher(seconds={"b": 50}, meanwhile=interrupt)
    with pytest.raises(type(error)):
        runner.run(launcher)
    assert launcher.ended == ["b"]
    assert launcher.killed == []
    run = runner.seen()
    assert (run.state, run.last.reason) == (RunState.INTERRUPTED, reason)
    assert states(run) == {"a": S.SUCCEEDED} | dict.fromkeys("bcde", S.INTERRUPTED)


def test_an_interrupt_between_the_record_and_the_beginning_of_a_task_waits_for_nothing(runner: Runner) -> None:
    launcher = runner.launcher()

    def start(name: str, launch: Launch) -> None:
        raise KeyboardInterrupt

    launcher.start = start  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        runner.run(launcher)
    assert runner.clock.at == 0.0
    assert states(runner.seen()) == dict.fromkeys("abcde", S.INTERRUPTED)


def test_a_second_interrupt_kills_what_is_left(runner: Runner) -> None:
    def interrupt(name: str) -> None:
        if not launcher.killed:
            raise KeyboardInterrupt

    launcher = runner.launcher(meanwhile=interrupt)
    with pytest.raises(KeyboardInterrupt):
        runner.run(launcher)
    assert launcher.killed == ["a"]
    assert runner.seen().state is RunState.INTERRUPTED


def test_a_run_whose_process_is_gone_is_lost(runner: Runner) -> None:
    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        raise Killed

    launcher = runner.launcher(meanwhile=die)
    course = Course(
        runner.settings,
        runner.order,
        Surroundings(launcher, Book(runner.system, runner.order), runner.said.append, runner.clock),
    )
    course._interrupted = lambda error: None  # type: ignore[method-assign]
    with pytest.raises(Killed):
        course.run()
    run = runner.seen()
    assert (run.state, run.last.reason) == (RunState.LOST, "its process ended without a word")
    assert states(run) == {"a": S.INTERRUPTED}


def test_a_task_that_cannot_be_started_has_failed(runner: Runner) -> None:
    launcher = runner.launcher()

    def start(name: str, launch: Launch) -> None:
        raise SetupError("no processes are left")

    launcher.start = start  # type: ignore[method-assign]
    assert runner.run(launcher) is RunState.FAILED
    assert runner.seen().tasks["a"].reason == "no processes are left"


def test_what_cannot_be_recorded_is_recorded_later(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    append, calls = runner.system.append, iter(range(100))

    def failing(table: str, rows: Sequence[Mapping[str, object]]) -> None:
        if next(calls) in (1, 2, 5):
            raise TableError("the disk is full")
        append(table, rows)

    monkeypatch.setattr(runner.system, "append", failing)
    assert runner.run(runner.launcher()) is RunState.SUCCEEDED
    assert states(runner.seen()) == dict.fromkeys("abcd", S.SUCCEEDED) | {"e": S.EXCLUDED}


def test_without_its_first_row_a_run_does_not_begin(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(table: str, rows: Sequence[Mapping[str, object]]) -> None:
        raise TableError("the disk is full")

    launcher = runner.launcher()
    monkeypatch.setattr(runner.system, "append", failing)
    with pytest.raises(TableError):
        runner.run(launcher)
    assert launcher.launched == []


def test_a_folder_for_logs_that_cannot_be_made_is_one_sentence(runner: Runner) -> None:
    runner.settings.home.root.write_text("a file")
    with pytest.raises(SetupError, match="for logs of tasks, cannot be made: Not a directory"):
        runner.run(runner.launcher())


def test_a_task_knows_its_run_and_its_parameters(runner: Runner) -> None:
    launcher = runner.launcher()
    runner.run(launcher)
    environ = launcher.launches["b"].environ
    assert (environ["SPARKML_JOB_RUN"], environ["SPARKML_JOB_TASK"], environ["SPARKML_JOB_ATTEMPT"]) == ("r1", "b", "1")
    assert json.loads(environ["SPARKML_JOB_PARAMETERS"])["date"] == "2026-11-30"
    assert json.loads(environ["SPARKML_JOB_CALL"]) == {"function": "m:f", "options": {"n": 1}, "code": []}
    assert launcher.launches["a"].command[-3:] == ["sweep", "--config", str(runner.settings.file.absolute())]
