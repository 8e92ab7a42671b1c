"""Tasks by runs, the latest run first: a square for each, which leads to what the task printed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo

from sparkml_track.adapters.cron import zone_of
from sparkml_track.dashboards.blocks import Markup, section, table
from sparkml_track.dashboards.jobs.kept import JobName, ids_of_jobs, runs
from sparkml_track.dashboards.jobs.plans import plan_of
from sparkml_track.dashboards.jobs.states import legend, square, took
from sparkml_track.dashboards.page import Page
from sparkml_track.jobs.records.views import Run

__all__ = ["COUNTS", "matrix", "tasks_in_order"]

#: Runs, to choose from.
COUNTS = (14, 30, 100)
_HEAD = Markup('<span style="display:block;line-height:1.25;font-weight:400">{}</span>')
_TIME = Markup('<span style="display:block;text-align:center">{}<br>{}</span>')


def matrix(page: Page, job: JobName, count: int = COUNTS[0]) -> Markup:
    """The last runs of a job."""
    ids = ids_of_jobs(page).get(job, ())
    found = runs(page, ids[:count])
    plan = plan_of(page, found[0].config, found[0].job).job if found else None
    zone = zone_of(plan.timezone) if plan else UTC
    head = [Markup("task"), *(_HEAD.format(_link(page, run, zone)) for run in found)]
    rows: list[Sequence[object]] = [
        (name, *(_cell(page, run, name, zone) for run in found)) for name in tasks_in_order(page, found)
    ]
    times = f"Times are those that runs are for, in {plan.timezone if plan else 'UTC'}."
    about = f"The last {len(found)} of {len(ids):,} runs, the latest first. {times}" if found else "It has not run yet."
    return section(f"Runs of {job[1]}", table(head, rows), legend(), about=about)


def tasks_in_order(page: Page, found: Sequence[Run]) -> list[str]:
    """The tasks of some runs: as the config file has them, then those that it has no more."""
    seen = dict.fromkeys(name for run in found for name in run.tasks)
    plan = plan_of(page, found[0].config, found[0].job).job if found else None
    named = [name for name in (plan.tasks if plan else ()) if name in seen]
    return [*named, *(name for name in seen if name not in named)]


def _link(page: Page, run: Run, zone: tzinfo) -> Markup:
    moment = run.moment.astimezone(zone)
    shown = _TIME.format(f"{moment:%m-%d}", f"{moment:%H:%M}")
    return page.link(shown, "jobs", job=run.job, project=run.project, run=run.id)


def _cell(page: Page, run: Run, name: str, zone: tzinfo) -> Markup:
    one = run.tasks.get(name)
    if one is None:
        return Markup()
    how_long = took(one)
    moment = run.moment.astimezone(zone)
    said = f"{name}, {moment:%Y-%m-%d %H:%M}: {one.state.replace('_', ' ')}{f', {how_long}' if how_long else ''}"
    tries = f", try {one.number}" if one.number > 1 else ""
    to = {"job": run.job, "project": run.project, "run": run.id, "task": name}
    return page.link(square(one.state, said + tries), "jobs", **to)
