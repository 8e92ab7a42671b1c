"""Runs as text: a line each, or a page with every task, its tries, its log and what it last printed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from sparkml_track.jobs.course.states import RunState, TaskState
from sparkml_track.jobs.records.views import Attempt, Run, TaskTry
from sparkml_track.jobs.tasks.notebooks import copy_of
from sparkml_track.readable import duration

__all__ = ["last_lines", "line", "page", "plain", "took"]

_FAILED = (TaskState.FAILED, TaskState.INTERRUPTED)
#: Bytes at the end of a log that are looked at.
_TAIL = 64 * 1024


def page(run: Run, lines: int = 10) -> Iterator[str]:
    """A run, line by line.

    Args:
        run: which.
        lines: of each log of a task that failed.
    """
    yield f"run {run.id} of job {run.job}: {run.state}{f' ({run.last.reason})' if run.last.reason else ''}"
    yield f"  for {run.moment:%Y-%m-%d %H:%M} UTC, {run.cause}, {run.config}"
    if run.parameters:
        yield "  " + ", ".join(f"{name}={value}" for name, value in run.parameters.items())
    for one in run.attempts if len(run.attempts) > 1 else ():
        yield f"  attempt {one.number}: {one.state}, {one.started:%Y-%m-%d %H:%M:%S} UTC{took(one.started, one.ended)}"
    yield ""
    yield from _matrix(run)
    for task in run.tasks.values():
        if task.log and (copy := copy_of(Path(task.log))):
            yield f"{task.task}: the executed copy is {copy}"
    for task in run.tasks.values():
        if task.state in _FAILED and task.log:
            yield ""
            yield f"{task.task}: {task.reason or task.state}; the end of {task.log}:"
            yield from (f"  | {text}" for text in last_lines(Path(task.log), lines) or ["(nothing was printed)"])
    if run.state in (RunState.FAILED, RunState.INTERRUPTED, RunState.LOST):
        yield ""
        yield f"go on with it: sparkml-track job repair {run.id} --config {shlex.quote(run.config)}"


def line(run: Run) -> tuple[str, ...]:
    """A run as the row of a table: id, job, cause, what it is for, state, attempts, began, took, tasks, reason."""
    tasks = run.tasks.values()
    well = sum(task.state.well for task in tasks)
    return (
        run.id,
        run.job,
        run.cause,
        f"{run.moment:%Y-%m-%d %H:%M}",
        run.state,
        str(run.last.number),
        f"{run.attempts[0].started:%Y-%m-%d %H:%M:%S}",
        took(run.last.started, run.last.ended).removeprefix(", ") or "-",
        f"{well} of {len(tasks)}",
        run.last.reason or "-",
    )


def plain(run: Run) -> dict[str, object]:
    """A run for programs: plain values."""
    return {
        "run": run.id,
        "project": run.project,
        "job": run.job,
        "state": run.state.value,
        "cause": run.cause,
        "moment": run.moment.isoformat(),
        "parameters": dict(run.parameters),
        "config": run.config,
        "attempts": [_plain_attempt(one) for one in run.attempts],
        "tasks": {name: task.state.value for name, task in run.tasks.items()},
    }


def last_lines(log: Path, most: int) -> list[str]:
    """The last lines of a file; none where it cannot be read."""
    try:
        with log.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(size - _TAIL, 0))
            text = opened.read().decode(errors="replace")
    except OSError:
        return []
    return [each.rstrip() for each in text.splitlines() if each.strip()][-most:] if most else []


def took(started: datetime | None, ended: datetime | None) -> str:
    """Such as ", 3.2 s"; empty where nobody saw both."""
    return f", {duration((ended - started).total_seconds())}" if started and ended else ""


def _matrix(run: Run) -> Iterator[str]:
    attempts = [f"attempt {one.number}" for one in run.attempts] if len(run.attempts) > 1 else ["state"]
    rows = [("task", "kind", *attempts, "log")]
    for name, last in run.tasks.items():
        cells = [_cell([one for one in attempt.tries if one.task == name]) for attempt in run.attempts]
        rows.append((name, last.kind, *cells, last.log or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(tries: Sequence[TaskTry]) -> str:
    if not tries:
        return "-"
    last = tries[-1]
    number = max(one.number for one in tries)
    return f"{last.state}{took(last.started, last.ended)}{f', try {number}' if number > 1 else ''}"


def _plain_attempt(one: Attempt) -> dict[str, object]:
    return {
        "attempt": one.number,
        "state": one.state.value,
        "cause": one.cause,
        "started": one.started.isoformat(),
        "ended": one.ended.isoformat() if one.ended else None,
        "reason": one.reason or None,
        "tries": [_plain_try(each) for each in one.tries],
    }


def _plain_try(one: TaskTry) -> dict[str, object]:
    return {
        "task": one.task,
        "kind": one.kind,
        "try": one.number,
        "state": one.state.value,
        "started": one.started.isoformat() if one.started else None,
        "ended": one.ended.isoformat() if one.ended else None,
        "exit_code": one.code,
        "reason": one.reason or None,
        "log": one.log or None,
    }
