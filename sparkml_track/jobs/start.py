"""A run from its beginning: checked, locked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sparkml_track.adapters.cron import zone_of
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.config.messages import did_you_mean
from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.config.settings import Settings
from sparkml_track.errors import ConfigError, InvalidInput
from sparkml_track.home import Home
from sparkml_track.jobs.clock import Clock, SystemClock
from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.processes.launcher import Processes
from sparkml_track.jobs.records.book import Book
from sparkml_track.jobs.records.lock import JobLock, job_lock
from sparkml_track.jobs.records.orders import Order, run_id
from sparkml_track.jobs.run import Course, Say, Surroundings
from sparkml_track.jobs.tasks.parameters import given_values, run_values
from sparkml_track.jobs.tasks.preflight import task_problems
from sparkml_track.pipeline.preflight import preflight

__all__ = ["Asked", "attempt", "check", "job_of", "moment_of", "start", "system_of"]


@dataclass(frozen=True)
class Asked:
    """How a run is asked for.

    Attributes:
        parameters: words by name; defaults of the file for the others.
        moment: that the run is for; now by default.
        cause: what began it.
        once: whether there may be one run of this cause for the moment, and no second.
        max_parallel: tasks at one time; the job's by default.
    """

    parameters: Mapping[str, str]
    moment: datetime | None = None
    cause: str = "manual"
    once: bool = False
    max_parallel: int | None = None


def start(settings: Settings, name: str, asked: Asked, say: Say, clock: Clock | None = None) -> Order | None:
    """Runs a job, and gives what was asked for; ``records.views`` knows what became of it.

    Args:
        settings: of the config file.
        name: of the job.
        asked: how.
        say: takes lines for a person.
        clock: that of this machine by default.

    Returns:
        None where ``once`` is asked for and the run was begun before.

    Raises:
        InvalidInput: the job, a parameter or a task is wrong; nothing was started.
        JobRunning: another run of the job is under way.
        TableError: what happens cannot be recorded.
    """
    clock = clock or SystemClock()
    job, now = job_of(settings, name), clock.now()
    values = given_values(job, name, asked.parameters)
    moment = asked.moment or now
    run = run_id(settings.name, name, moment if asked.once else now, asked.cause if asked.once else "")
    order = Order(run, settings.name, name, str(settings.file.absolute()), asked.cause, moment, values)
    check(settings, order)
    settings.home.make()
    with job_lock(settings.home, settings.name, name) as lock:
        # Claims the id, too.
        if asked.once and settings.home.job_run(run).exists():
            return None
        attempt(settings, order, lock, say, max_parallel=asked.max_parallel, clock=clock)
    return order


def attempt(  # noqa: PLR0913  # a run with its surroundings
    settings: Settings,
    order: Order,
    lock: JobLock,
    say: Say,
    *,
    kept: Mapping[str, TaskState] | None = None,
    max_parallel: int | None = None,
    clock: Clock | None = None,
) -> RunState:
    """One attempt, under the lock of its job."""
    lock.name(order.run)
    try:
        book = Book(system_of(settings.home), order)
        world = Surroundings(Processes(lock.descriptor), book, say, clock or SystemClock())
        tasks = len(settings.jobs[order.job].tasks) - len(kept or ())
        which = f"attempt {order.attempt}" if order.attempt > 1 else order.cause
        say(f"run {order.run} ({which}): {tasks} task{'' if tasks == 1 else 's'}")
        return Course(settings, order, world, kept, max_parallel).run()
    finally:
        lock.name("")


def check(settings: Settings, order: Order, tasks: Sequence[str] | None = None) -> None:
    """Checks what can be known before the first task.

    Args:
        settings: of the config file.
        order: what is asked for.
        tasks: that will run; all by default.

    Raises:
        ConfigError: one sentence for each problem.
    """
    job = settings.jobs[order.job]
    values = run_values(job, order.parameters, order.moment, order.run)
    wanted = [name for name in job.tasks if tasks is None or name in tasks]
    problems = list(task_problems(settings, order.job, values, wanted))
    try:
        preflight(settings, [step for name in wanted if (step := job.tasks[name].run) is not None])
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(*dict.fromkeys(problems))


def job_of(settings: Settings, name: str) -> JobSettings:
    """A job of the file.

    Raises:
        InvalidInput: there is none of this name.
    """
    if name not in settings.jobs:
        known = ", ".join(settings.jobs) or "none"
        raise InvalidInput(
            f"there is no job {name!r} in {settings.file}; there are: {known}{did_you_mean(name, settings.jobs)}"
        )
    return settings.jobs[name]


def moment_of(job: JobSettings, day: date) -> datetime:
    """The beginning of a day in the time zone of a job, in UTC."""
    return datetime.combine(day, time(), zone_of(job.timezone)).astimezone(UTC)


def system_of(home: Home) -> SystemTables:
    """The system tables of a home, without Spark."""
    from sparkml_track.tables import DeltaTables

    return SystemTables(home.system, DeltaTables(home.tables_root))
