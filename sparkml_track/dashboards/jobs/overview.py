"""The jobs of a home: what became of them last, and what comes next; and the last runs, for the home page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sparkml_track.dashboards.blocks import Markup, empty, more, note, section, state, table, tiles
from sparkml_track.dashboards.jobs.kept import JobName, ids_of_jobs, last_ids, runs
from sparkml_track.dashboards.jobs.plans import next_time, plan_of, starts, who_schedules
from sparkml_track.dashboards.jobs.states import took
from sparkml_track.dashboards.page import Page
from sparkml_track.jobs.course.states import RunState
from sparkml_track.jobs.records.views import Run

__all__ = ["job_list", "jobs_section", "nothing_ran"]

_JOBS = 100
_LAST = 8
_BAD = (RunState.FAILED, RunState.INTERRUPTED, RunState.LOST)
_HEAD = ("job", "project", "last run", "began (UTC)", "took", "runs", "next (UTC)", "starts by itself at", "")


def job_list(page: Page) -> list[Markup]:
    """All jobs that ever ran, the last first."""
    names = ids_of_jobs(page)
    if not names:
        return [nothing_ran(page)]
    last = {(run.project, run.job): run for run in runs(page, [ids[0] for ids in names.values()])}
    shown = dict(list(last.items())[:_JOBS])
    now, scheduler = datetime.now(UTC), who_schedules(page)
    numbers = tiles(
        [
            ("jobs", len(names)),
            ("running", sum(run.state is RunState.RUNNING for run in last.values())),
            ("failed last", bad := sum(run.state in _BAD for run in last.values()), "bad" if bad else ""),
            ("scheduler", "on" if scheduler else "off"),
        ]
    )
    rows = [_row(page, name, run, len(names[name]), now) for name, run in shown.items()]
    about = _about(scheduler) + more(len(last), len(shown), "jobs")
    return [numbers, section("Jobs", table(_HEAD, rows, texts=(7, 8)), *_warning(page, shown, scheduler), about=about)]


def jobs_section(page: Page, most: int = _LAST) -> Markup:
    """The last runs of all jobs."""
    found = runs(page, last_ids(page, most))
    if not found:
        return section("Jobs", nothing_ran(page))
    rows = [
        (
            page.link(run.id, "jobs", job=run.job, project=run.project, run=run.id),
            state(run.state),
            f"{run.last.started:%Y-%m-%d %H:%M:%S}",
            took(run.last),
            run.cause,
            run.last.reason,
        )
        for run in found
    ]
    head = ("run", "state", "began (UTC)", "took", "cause", "")
    return section("Jobs", table(head, rows, texts=(5,)), about="The last runs.")


def nothing_ran(page: Page) -> Markup:
    """What stands where no job ever ran."""
    return empty(f"No job ran in {page.home.place} yet.", "sparkml-track job run JOB --config CONFIG")


def _about(scheduler: str) -> str:
    return f"The one that ran last comes first. The scheduler is {scheduler}." if scheduler else ""


def _row(page: Page, name: JobName, run: Run, count: int, now: datetime) -> Sequence[object]:
    project, job = name
    plan = plan_of(page, run.config, job)
    comes = next_time(plan.job, now) if plan.job else None
    return (
        page.link(job, "jobs", job=job, project=project),
        project,
        page.link(state(run.state), "jobs", job=job, project=project, run=run.id),
        f"{run.last.started:%Y-%m-%d %H:%M:%S}",
        took(run.last, now),
        count,
        f"{comes:%Y-%m-%d %H:%M}" if comes else "",
        starts(plan.job) if plan.job else "",
        run.last.reason or plan.problem,
    )


def _warning(page: Page, last: dict[JobName, Run], scheduler: str) -> list[Markup]:
    """Jobs that would start by themselves, and nobody starts them."""
    files = {run.config: None for (_, job), run in last.items() if (plan := plan_of(page, run.config, job)).job
             and starts(plan.job)}  # fmt: skip
    if scheduler or not files:
        return []
    command = Markup("<code>sparkml-track scheduler {}</code>").format(" ".join(files))
    return [note(Markup("No scheduler runs, so no job starts by itself. To start one: {}").format(command), "warn")]
