"""A run of a job: what is known of it, its tasks as a graph and as a list, and what one of them printed."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Sequence
from pathlib import Path

from sparkml_track.dashboards.blocks import Markup, address, facts, note, section, state, table
from sparkml_track.dashboards.graphs.drawing import Box, drawn
from sparkml_track.dashboards.jobs.matrix import tasks_in_order
from sparkml_track.dashboards.jobs.plans import plan_of
from sparkml_track.dashboards.jobs.states import COLOURS, SIGNS, took
from sparkml_track.dashboards.page import Page
from sparkml_track.jobs.course.states import RunState
from sparkml_track.jobs.records.views import Run, TaskTry
from sparkml_track.jobs.shown import last_lines

__all__ = ["LINES", "log_section", "run_section", "task_graph"]

#: Of a log.
LINES = 200
_HEAD = ("task", "kind", "state", "attempt", "try", "began (UTC)", "took", "exit code", "")
_AGAIN = (RunState.FAILED, RunState.INTERRUPTED, RunState.LOST)


def run_section(page: Page, run: Run) -> Markup:
    """What is known of a run, and each try of each task."""
    known = facts(
        {
            "state": state(run.state),
            "for": f"{run.moment:%Y-%m-%d %H:%M} UTC",
            "began": f"{run.attempts[0].started:%Y-%m-%d %H:%M:%S} UTC",
            "took": took(run.last),
            "cause": run.cause,
            "attempts": len(run.attempts),
            "parameters": ", ".join(f"{name}={value}" for name, value in run.parameters.items()),
            "config": run.config,
            "why": run.last.reason,
        }
    )
    tries = [one for attempt in run.attempts for one in attempt.tries]
    listed = table(_HEAD, [_row(page, run, one) for one in tries], texts=(8,))
    return section(f"Run {run.id}", known, *_way_out(run), task_graph(page, run), listed)


def task_graph(page: Page, run: Run) -> Markup:
    """The tasks as they need each other, each with what became of it."""
    plan = plan_of(page, run.config, run.job)
    names = tasks_in_order(page, [run])
    known = plan.job.tasks if plan.job else {}
    boxes: dict[Hashable, Box] = {name: _box(run, run.tasks[name]) for name in names}
    boxes |= {name: Box(name, "is new in the config file") for name in known if name not in boxes}
    edges = [(need, name) for name, task in known.items() for need in task.needs]
    shown = drawn(boxes, edges, f"Tasks of {run.job}")
    if plan.job:
        return shown
    return Markup().join([shown, note(f"Which task needs which is not known: {plan.problem}.", "warn")])


def log_section(page: Page, run: Run, task: str) -> Markup:
    """The last lines of what a task printed in its last try."""
    one = run.tasks.get(task)
    if one is None:
        return note(f"The run {run.id} has no task {task!r}.")
    title = f"What {task} printed"
    if not one.log:
        return section(title, note(f"{task} was never begun: {one.reason or one.state.replace('_', ' ')}."))
    file = Path(one.log)
    if not _is_of(page, run, file):
        return section(title, note(f"Its log is not among those of this home: {one.log}", "warn"))
    lines = last_lines(file, LINES)
    if not lines:
        why = "Nothing was printed" if file.is_file() else "The file is gone, or on another machine"
        return section(title, note(f"{why}: {file}"))
    text = Markup('<pre tabindex="0">{}</pre>').format("\n".join(lines))
    return section(title, text, about=f"At most {LINES} of its last lines; all of them are in {file}")


def _row(page: Page, run: Run, one: TaskTry) -> Sequence[object]:
    to = {"job": run.job, "project": run.project, "run": run.id, "task": one.task}
    return (
        page.link(one.task, "jobs", **to),
        one.kind,
        state(one.state),
        one.attempt,
        one.number or "",
        f"{one.started:%Y-%m-%d %H:%M:%S}" if one.started else "",
        took(one),
        one.code,
        one.reason,
    )


def _box(run: Run, one: TaskTry) -> Box:
    said = f"{SIGNS[one.state]} {one.state.replace('_', ' ')}"
    how_long = took(one)
    to = {"job": run.job, "project": run.project, "run": run.id, "task": one.task}
    below = f"{said}, {how_long}" if how_long else said
    title = f"{one.task} ({one.kind}): {below} {one.reason}".strip()
    return Box(one.task, below, title, address("jobs", to), COLOURS[one.state])


def _way_out(run: Run) -> list[Markup]:
    if run.state not in _AGAIN:
        return []
    command = f"sparkml-track job repair {run.id} --config {shlex.quote(run.config)}"
    return [note(Markup("To go on with it: <code>{}</code>").format(command), "bad")]


def _is_of(page: Page, run: Run, file: Path) -> bool:
    """Whether a log is where the run's own are; what a row says is not believed."""
    try:
        return file.resolve().is_relative_to(page.home.job_run(run.id).resolve())
    except (OSError, ValueError, RuntimeError):
        return False
