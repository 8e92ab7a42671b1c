"""A run that did not succeed, gone on with: the same run, one attempt more, what succeeded is not done again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkml_track.config.messages import did_you_mean
from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.config.settings import Settings
from sparkml_track.errors import InvalidInput
from sparkml_track.jobs.clock import Clock
from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.processes.launcher import GRACE, LINGER
from sparkml_track.jobs.records.lock import JobLock, job_lock
from sparkml_track.jobs.records.orders import Order
from sparkml_track.jobs.records.views import Run, read_runs
from sparkml_track.jobs.run import Say
from sparkml_track.jobs.start import attempt, check, job_of, system_of
from sparkml_track.jobs.tasks.parameters import given_values

__all__ = ["ENDING", "kept_of", "repair", "repair_locked"]

#: Seconds in which the tasks of a run whose process died have ended.
ENDING = GRACE + LINGER + 10


def repair(  # noqa: PLR0913  # as ``start``
    settings: Settings,
    run: Run,
    say: Say,
    *,
    again: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    max_parallel: int | None = None,
    clock: Clock | None = None,
) -> RunState:
    """Goes on with a run, by the tasks and settings that the file has now.

    Args:
        settings: of the config file.
        run: that did not succeed.
        say: takes lines for a person.
        again: further tasks that are done again, with what needs them.
        parameters: words in the place of those of the run.
        max_parallel: tasks at one time; the job's by default.
        clock: that of this machine by default.

    Returns:
        What became of the attempt.

    Raises:
        InvalidInput: there is nothing to repair, or the file does not fit; nothing was started.
        JobRunning: it, or another run of the job, is under way.
    """
    if settings.name != run.project:
        raise InvalidInput(f"run {run.id} is of project {run.project!r}, and {settings.file} is {settings.name!r}")
    job = job_of(settings, run.job)
    order, kept = _order(settings, run, parameters or {}), kept_of(job, run, again)
    _refuse(run, job, kept, again)
    check(settings, order, [name for name in job.tasks if name not in kept])
    with job_lock(settings.home, settings.name, run.job, ENDING) as lock:
        # Somebody else may have repaired it in the meantime.
        (found,) = read_runs(system_of(settings.home), settings.home, run=run.id)
        if len(found.attempts) != len(run.attempts):
            raise InvalidInput(f"run {run.id} has got attempt {found.last.number} in the meantime; look at it again")
        return attempt(settings, order, lock, say, kept=kept, max_parallel=max_parallel, clock=clock)


def repair_locked(
    settings: Settings,
    run: Run,
    say: Say,
    lock: JobLock,
    *,
    max_parallel: int | None = None,
    clock: Clock | None = None,
) -> RunState:
    """The same under a lock that is held; for one run of many."""
    job = settings.jobs[run.job]
    order, kept = _order(settings, run, {}), kept_of(job, run, ())
    return attempt(settings, order, lock, say, kept=kept, max_parallel=max_parallel, clock=clock)


def kept_of(job: JobSettings, run: Run, again: Sequence[str]) -> dict[str, TaskState]:
    """What is not done again: tasks that ended well and that no task which is done again comes before.

    Args:
        job: as the file has it now.
        run: what became of it.
        again: tasks that are done again anyway.
    """
    last = run.tasks
    well = {name: last[name].state for name in job.tasks if name in last and last[name].state.well}
    redone = {name for name in job.tasks if name not in well or name in again}
    while more := {name for name, task in job.tasks.items() if redone.intersection(task.needs)} - redone:
        redone |= more
    return {name: state for name, state in well.items() if name not in redone}


def _order(settings: Settings, run: Run, parameters: Mapping[str, str]) -> Order:
    job = job_of(settings, run.job)
    # Parameters that the file has got since have its defaults; those that it has lost are lost.
    values = given_values(job, run.job, parameters)
    values |= {name: value for name, value in run.parameters.items() if name in values and name not in parameters}
    config = str(settings.file.absolute())
    return Order(run.id, settings.name, run.job, config, "repair", run.moment, values, run.last.number + 1)


def _refuse(run: Run, job: JobSettings, kept: Mapping[str, TaskState], again: Sequence[str]) -> None:
    for name in again:
        if name not in job.tasks:
            known = ", ".join(job.tasks)
            raise InvalidInput(
                f"job {run.job!r} has no task {name!r}; it has: {known}{did_you_mean(name, list(job.tasks))}"
            )
    if run.state is RunState.SKIPPED:
        raise InvalidInput(f"run {run.id} was skipped; start one: sparkml-track job run {run.job}")
    if len(kept) == len(job.tasks):
        raise InvalidInput(
            f"run {run.id} has nothing to repair: every task succeeded or was not needed; --again TASK does one again"
        )
