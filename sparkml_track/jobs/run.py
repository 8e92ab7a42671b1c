"""One attempt at a run, from its first task to its last row."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkml_track.config.settings import Settings
from sparkml_track.errors import SetupError, SparkmlError
from sparkml_track.jobs.clock import Clock, SystemClock
from sparkml_track.jobs.course.plan import Plan
from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.processes.launcher import GRACE, LINGER, Launch, Launcher
from sparkml_track.jobs.records.book import Book, Try
from sparkml_track.jobs.records.orders import Order
from sparkml_track.jobs.tasks.commands import command, environment
from sparkml_track.jobs.tasks.parameters import filled, run_values
from sparkml_track.readable import duration

__all__ = ["Course", "Say", "Surroundings"]

Say = Callable[[str], None]
#: As a shell has it.
_NOT_STARTED = 127


@dataclass(frozen=True)
class Surroundings:
    """What a run needs of the world.

    Attributes:
        launcher: starts tasks.
        book: keeps what happens.
        say: takes a line for a person.
        clock: what time it is.
    """

    launcher: Launcher
    book: Book
    say: Say
    clock: Clock = field(default_factory=SystemClock)


class Course:
    """One attempt at a run.

    Args:
        settings: of the config file.
        order: what is asked for.
        world: launcher, book, console and clock.
        kept: what became of tasks that are not done again.
        max_parallel: tasks at one time; the job's by default.
    """

    def __init__(
        self,
        settings: Settings,
        order: Order,
        world: Surroundings,
        kept: Mapping[str, TaskState] | None = None,
        max_parallel: int | None = None,
    ) -> None:
        job = settings.jobs[order.job]
        self._settings, self._order, self._world = settings, order, world
        self._plan = Plan(job.tasks, kept)
        self._values = run_values(job, order.parameters, order.moment, order.run)
        self._most = max_parallel or job.max_parallel
        self._tries: dict[str, Try] = {}
        self._deadlines: dict[str, float] = {}
        self._late: set[str] = set()
        self._launched: set[str] = set()

    def run(self) -> RunState:
        """Runs the tasks to their ends.

        Whatever interrupts it ends the tasks, is recorded, and goes on to the caller.

        Raises:
            SetupError: there can be no logs.
            TableError: the beginning or the end cannot be recorded.
        """
        clock, book = self._world.clock, self._world.book
        self._make_folder()
        book.begin(clock.now())
        try:
            while not self._plan.ended:
                self._step()
        except BaseException as error:
            self._interrupted(error)
            raise
        state = RunState.SUCCEEDED if all(each.well for each in self._plan.states.values()) else RunState.FAILED
        book.end(state, clock.now(), self._reason())
        return state

    # -- one turn

    def _step(self) -> None:
        for name, state in self._plan.settle():
            self._left_out(name, state)
        free = self._most - len(self._tries)
        for name in self._plan.ready(self._world.clock.seconds())[: max(free, 0)]:
            self._begin(name)
        if not self._tries and self._plan.wake() is None:
            # Nothing that could end: what was to begin could not.
            return
        for name, code in self._world.launcher.wait(self._patience()).items():
            self._end(name, code)
        self._time_out()

    def _patience(self) -> float | None:
        """Seconds until something is due that no task announces."""
        times = [at for name, at in self._deadlines.items() if name not in self._late]
        wake = self._plan.wake()
        if wake is not None and len(self._tries) < self._most:
            times.append(wake)
        return max(min(times) - self._world.clock.seconds(), 0.0) if times else None

    def _begin(self, name: str) -> None:
        task, clock = filled(self._plan.tasks[name], self._values), self._world.clock
        number = self._plan.begin(name)
        one = Try(name, task.kind, number, clock.now(), str(self._log(name, number)))
        self._tries[name] = one
        self._world.book.task(one, TaskState.RUNNING, clock.now(), ended=False)
        again = f", try {number} of {task.retries + 1}" if number > 1 else ""
        self._say(name, f"started{again}")
        if task.timeout is not None:
            self._deadlines[name] = clock.seconds() + task.timeout
        log = Path(one.log)
        environ = environment(task, self._settings, self._values, log) | {
            "SPARKML_JOB_TASK": name,
            "SPARKML_JOB_ATTEMPT": str(self._order.attempt),
        }
        try:
            self._world.launcher.start(name, Launch(command(task, self._settings, log), environ, log))
            self._launched.add(name)
        except SetupError as error:
            self._end(name, _NOT_STARTED, str(error))

    def _end(self, name: str, code: int, why: str = "") -> None:
        clock, one = self._world.clock, self._tries.pop(name)
        self._launched.discard(name)
        timed_out = name in self._late
        self._late.discard(name)
        self._deadlines.pop(name, None)
        well = code == 0 and not timed_out
        again = self._plan.end(name, well, clock.seconds())
        state = TaskState.SUCCEEDED if well else TaskState.FAILED
        reason = "" if well else why or self._why(name, code, timed_out)
        self._world.book.task(one, state, clock.now(), code=code, reason=reason)
        took = duration((clock.now() - (one.started or clock.now())).total_seconds())
        ended = f"{state} {'in' if well else 'after'} {took}{f' ({reason})' if reason else ''}"
        task = self._plan.tasks[name]
        tries = f"; try {one.number + 1} of {task.retries + 1} in {task.retry_wait:g} s" if again else ""
        self._say(name, ended + tries)

    def _why(self, name: str, code: int, timed_out: bool) -> str:
        if timed_out:
            return f"longer than its timeout of {self._plan.tasks[name].timeout:g} s"
        return f"killed by {_signal(-code)}" if code < 0 else f"exit {code}"

    def _time_out(self) -> None:
        now = self._world.clock.seconds()
        for name, deadline in self._deadlines.items():
            if deadline <= now and name not in self._late:
                self._late.add(name)
                self._world.launcher.end(name)

    def _left_out(self, name: str, state: TaskState) -> None:
        task = self._plan.tasks[name]
        reason = f"{task.when} of {', '.join(task.needs)} does not hold" if task.needs else ""
        self._world.book.task(Try(name, task.kind), state, self._world.clock.now(), reason=reason)
        self._say(name, f"{state.replace('_', ' ')} ({reason})")

    # -- its end

    def _reason(self) -> str:
        states = self._plan.states
        failed = [name for name, state in states.items() if state is TaskState.FAILED]
        return f"failed: {', '.join(failed)}" if failed else ""

    def _interrupted(self, error: BaseException) -> None:
        """Ends what runs, and records it; a second interrupt ends it at once."""
        reason = _described(error)
        try:
            for name in self._launched:
                self._world.launcher.end(name)
            self._await(GRACE + LINGER + 5, reason)
        finally:
            for name in self._launched:
                self._world.launcher.kill(name)
            self._await(5.0, reason)
            for name in tuple(self._tries):
                self._cut_off(name, None, reason)
            for name in self._plan.interrupt():
                task = self._plan.tasks[name]
                self._world.book.task(
                    Try(name, task.kind), TaskState.INTERRUPTED, self._world.clock.now(), reason=reason
                )
            self._world.book.end(RunState.INTERRUPTED, self._world.clock.now(), reason)

    def _await(self, seconds: float, reason: str) -> None:
        clock = self._world.clock
        deadline = clock.seconds() + seconds
        while self._launched and (left := deadline - clock.seconds()) > 0:
            for name, code in self._world.launcher.wait(left).items():
                self._launched.discard(name)
                self._cut_off(name, code, reason)

    def _cut_off(self, name: str, code: int | None, reason: str) -> None:
        one = self._tries.pop(name)
        self._plan.progress[name].state = TaskState.INTERRUPTED
        self._world.book.task(one, TaskState.INTERRUPTED, self._world.clock.now(), code=code, reason=reason)
        self._say(name, f"ended ({reason})")

    # -- words

    def _say(self, name: str, text: str) -> None:
        width = max(map(len, self._plan.tasks))
        self._world.say(f"{self._world.clock.now():%H:%M:%S}  {name:<{width}}  {text}")

    def _folder(self) -> Path:
        return self._settings.home.job_run(self._order.run)

    def _make_folder(self) -> None:
        folder = self._folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"{folder}, for logs of tasks, cannot be made: {error.strerror or error}") from error

    def _log(self, name: str, number: int) -> Path:
        return self._folder() / f"{name}.{self._order.attempt}.{number}.log"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _described(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
        return f"ended by {_signal(error.code - 128)}"
    return str(error) if isinstance(error, SparkmlError) else f"{type(error).__name__}: {error}"
