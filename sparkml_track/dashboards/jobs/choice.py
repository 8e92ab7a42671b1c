"""What is chosen on the page of jobs, at first by its address."""

from __future__ import annotations

from dataclasses import dataclass

from sparkml_track.dashboards.blocks import Markup
from sparkml_track.dashboards.jobs.kept import JobName, ids_of_jobs, runs
from sparkml_track.dashboards.jobs.matrix import matrix
from sparkml_track.dashboards.jobs.one_run import log_section, run_section
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import InvalidInput, SparkmlError
from sparkml_track.jobs.course.states import TaskState
from sparkml_track.jobs.records.views import Run

__all__ = ["Names", "job_choice", "job_section", "log_of", "run_choice", "run_of", "run_of_id", "task_choice"]

_RUNS = 200


@dataclass(frozen=True)
class Names:
    """What can be chosen, and what is at first.

    Attributes:
        all: by what is shown.
        first: one of them; None for none.
    """

    all: dict[str, str]
    first: str | None


def job_choice(page: Page) -> Names:
    """The jobs; the address may name one by ``job``, ``project`` or ``run``."""
    names = {f"{project}/{job}": f"{project}/{job}" for project, job in _jobs(page)}
    return Names(names, _asked(page) or next(iter(names), None))


def job_section(page: Page, chosen: str | None, count: int) -> list[Markup]:
    """The matrix of the job that is chosen.

    Raises:
        InvalidInput: the address names a job or run that never ran.
    """
    if (wanted := page.query.get("job") or page.query.get("run")) and not _asked(page):
        raise InvalidInput(f"nothing is known of {wanted!r}; the jobs that ran are listed above")
    return [matrix(page, _name(chosen), count)] if chosen else []


def run_choice(page: Page, chosen: str | None) -> Names:
    """The runs of a job, the latest first."""
    ids = list(_jobs(page).get(_name(chosen), ()))[:_RUNS] if chosen else []
    asked = page.query.get("run", "")
    if asked in _jobs(page).get(_name(chosen), ()) and asked not in ids:
        ids.append(asked)
    return Names({each: each for each in ids}, asked if asked in ids else next(iter(ids), None))


def task_choice(page: Page, run: str | None) -> Names:
    """The tasks of a run; at first the one that the address names, else one that failed."""
    found = run_of_id(page, run)
    tasks = found.tasks if found else {}
    bad = (name for name, one in tasks.items() if one.state is TaskState.FAILED)
    asked = page.query.get("task", "")
    return Names({each: each for each in tasks}, asked if asked in tasks else next(bad, next(iter(tasks), None)))


def run_of(page: Page, run: str | None) -> list[Markup]:
    """The run that is chosen."""
    found = run_of_id(page, run)
    return [run_section(page, found)] if found else []


def log_of(page: Page, run: str | None, task: str | None) -> list[Markup]:
    """What the task that is chosen printed."""
    found = run_of_id(page, run)
    return [log_section(page, found, task)] if found and task else []


def run_of_id(page: Page, run: str | None) -> Run | None:
    """A run; None where nothing is chosen or it cannot be read, which the sections say."""
    try:
        return next(iter(runs(page, [run] if run else [])), None)
    except (SparkmlError, ValueError):
        return None


def _asked(page: Page) -> str | None:
    job, project, run = (page.query.get(key, "") for key in ("job", "project", "run"))
    if not job and not run:
        return None
    for (own_project, own_job), ids in _jobs(page).items():
        if job in ("", own_job) and project in ("", own_project) and (not run or run in ids):
            return f"{own_project}/{own_job}"
    return None


def _jobs(page: Page) -> dict[JobName, tuple[str, ...]]:
    """None where rows cannot be read: the section says why."""
    try:
        return {job: tuple(ids) for job, ids in ids_of_jobs(page).items()}
    except (SparkmlError, ValueError):
        return {}


def _name(chosen: str | None) -> JobName:
    project, _, job = (chosen or "/").partition("/")
    return project, job
