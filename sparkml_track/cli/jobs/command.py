"""The commands ``job run``, ``repair``, ``backfill``, ``runs`` and ``show``."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.cli.jobs.words import (
    AnyConfig,
    Config,
    Json,
    MaxParallel,
    Param,
    date_of,
    home_of,
    hung_up,
    shown,
    told,
    values_of,
)
from sparkml_track.config.settings import Settings, load

__all__ = ["register"]

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a job in the config file.")]
_Run = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, its beginning, or a job for its last run.")]
_HEADINGS = ("run", "job", "cause", "for (UTC)", "state", "attempt", "started (UTC)", "took", "tasks", "reason")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Jobs of a config file: tasks that wait for each other.", no_args_is_help=True)
    for command in (run, repair, backfill, runs, show):
        group.command()(guarded(command))
    app.add_typer(group, name="job")


def run(  # noqa: PLR0913  # options of a command
    name: _Name,
    config: Config,
    param: Param = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="That the run is for; now by default.")
    ] = None,
    max_parallel: MaxParallel = None,
    cause: Annotated[str, typer.Option("--cause", hidden=True)] = "manual",
    moment: Annotated[str | None, typer.Option("--moment", hidden=True)] = None,
) -> None:
    """Run a job of a config file; exit code 0 if every task succeeded or was not needed.

    Each task is a process of its own with a log of its own. Ctrl-C ends them; `job repair` goes on.
    """
    from sparkml_track.jobs.start import Asked, job_of, moment_of, start

    settings = load(config)
    job = job_of(settings, name)
    when = datetime.fromisoformat(moment) if moment else moment_of(job, date_of(date, "--date")) if date else None
    asked = Asked(values_of(param or ()), when, cause, once=moment is not None, max_parallel=max_parallel)
    with hung_up():
        order = start(settings, name, asked, told)
    if order is not None:
        _finish(settings, order.run)


def repair(
    run: _Run,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="The config file; that of the run by default.")
    ] = None,
    again: Annotated[
        list[str] | None, typer.Option("--again", metavar="TASK", help="Do this one again, too, and what needs it.")
    ] = None,
    param: Param = None,
    max_parallel: MaxParallel = None,
) -> None:
    """Go on with a run that did not succeed: the tasks that failed, and what needs them, by the file as it is now."""
    from sparkml_track.jobs.records.views import find_run
    from sparkml_track.jobs.repair import repair as repair_run
    from sparkml_track.jobs.start import system_of

    home = home_of(config)
    found = find_run(system_of(home), home, run)
    settings = load(config or found.config)
    values = values_of(param or ())
    with hung_up():
        repair_run(settings, found, told, again=again or (), parameters=values, max_parallel=max_parallel)
    _finish(settings, found.id)


def backfill(  # noqa: PLR0913  # options of a command
    name: _Name,
    config: Config,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first date.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last date, itself included.")],
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="hour, day, week or month.")] = "day",
    newest_first: Annotated[bool, typer.Option("--newest-first", help="The last date first.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Dates that succeeded, too.")] = False,
    param: Param = None,
    max_parallel: MaxParallel = None,
) -> None:
    """Run a job for each date, which its tasks have as {date}; the same command again goes on where it was left.

    Dates that an earlier backfill with these parameters has done are passed over; those that failed are repaired.
    """
    from sparkml_track.jobs.backfill import Span
    from sparkml_track.jobs.backfill import backfill as fill

    settings = load(config)
    span = Span(date_of(first, "--from"), date_of(last, "--to"), every, newest_first, again)
    with hung_up():
        done = fill(settings, name, span, values_of(param or ()), told, max_parallel)
    passed = f", {len(done.passed)} had succeeded before" if done.passed else ""
    told(f"\n{len(done.succeeded)} succeeded, {len(done.failed)} failed{passed}")
    for run in done.failed:
        told(f"failed: sparkml-track job show {run} --config {shlex.quote(str(config))}")
    if done.failed:
        raise SystemExit(1)


def runs(
    job: Annotated[str, typer.Option("--job", metavar="NAME", help="Of this job alone.")] = "",
    last: Annotated[int, typer.Option("--last", min=1, help="So many.")] = 20,
    config: AnyConfig = None,
    as_json: Json = False,
) -> None:
    """List runs of jobs, the latest last."""
    from sparkml_track.jobs.records.views import read_runs
    from sparkml_track.jobs.shown import line, plain
    from sparkml_track.jobs.start import system_of

    home = home_of(config)
    found = read_runs(system_of(home), home, job=job)[-last:]
    if as_json:
        typer.echo(json.dumps([plain(each) for each in found], indent=1))
        return
    if not found:
        told(f"no runs of {job or 'jobs'} in {home.root}")
        return
    table = Table(*_HEADINGS, box=None)
    for each in found:
        table.add_row(*map(escape, line(each)))
    print_table(table)


def show(
    run: _Run,
    lines: Annotated[int, typer.Option("--lines", min=0, help="Of each log of a task that failed.")] = 10,
    config: AnyConfig = None,
    as_json: Json = False,
) -> None:
    """Show a run: its tasks with their states, times, tries and logs, and what those that failed last printed."""
    from sparkml_track.jobs.records.views import find_run
    from sparkml_track.jobs.shown import plain
    from sparkml_track.jobs.start import system_of

    home = home_of(config)
    found = find_run(system_of(home), home, run)
    if as_json:
        typer.echo(json.dumps(plain(found), indent=1))
    else:
        shown(found, lines)


def _finish(settings: Settings, run: str) -> None:
    """Shows what became of a run; ends the command with 1 unless that is good."""
    from sparkml_track.jobs.course.states import RunState
    from sparkml_track.jobs.records.views import find_run
    from sparkml_track.jobs.start import system_of

    found = find_run(system_of(settings.home), settings.home, run)
    told("")
    shown(found)
    if found.state is not RunState.SUCCEEDED:
        raise SystemExit(1)
