"""Commands about single sweeps: ``show``, ``compare``, ``report``, ``export``, ``import``, ``open``, ``delete``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sparkml_track.adapters.mlflow.links import UI_PORT, runs_link, server_of
from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import load
from sparkml_track.errors import InvalidInput, SetupError
from sparkml_track.home import Home
from sparkml_track.readable import duration, number, short_text

if TYPE_CHECKING:
    from sparkml_track.engine.audit.load import LoadedSweep

__all__ = ["register"]

_Run = Annotated[str, typer.Argument(metavar="RUN", help="A sweep id, or the id of its parent run.")]
_Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]
_Uri = Annotated[
    str | None,
    typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="For sweeps whose journal is not in the home."),
]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_PARAMS = 8


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (show, compare, report, export, import_, open_, delete):
        app.command(command.__name__.rstrip("_"))(guarded(command))


def show(
    run: _Run,
    config: _Config = None,
    tracking_uri: _Uri = None,
    top: Annotated[int, typer.Option(min=0, help="Of the best trials.")] = 10,
    as_json: _Json = False,
) -> None:
    """Show what a sweep was and found: counts, best trials, metrics, failures, what it took."""
    from sparkml_track.engine.audit.facts import facts_of

    sweep = _load(run, config, tracking_uri)
    facts = facts_of(sweep, top)
    if as_json:
        _print_json(facts)
        return
    console = _console()
    for line in _head(sweep, facts):
        console.print(line)
    _print_top(console, sweep, top)
    _print_metrics(console, sweep)
    _print_failures(console, sweep)


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Sweep ids, or ids of parent runs.")],
    config: _Config = None,
    tracking_uri: _Uri = None,
    as_json: _Json = False,
) -> None:
    """Compare sweeps: what they found, what it took, and what was different about them."""
    from sparkml_track.engine.audit.facts import compared

    rows, different = compared([_load(run, config, tracking_uri) for run in runs])
    if as_json:
        _print_json({"sweeps": rows, "different": different})
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]), box=None)
    for row in rows:
        seconds = {name: duration(row[name]) for name in ("wall", "slot_seconds")}  # type: ignore[arg-type]
        table.add_row(*map(_cell, {**row, **seconds}.values()))
    print_table(table)
    if different:
        table = Table("different", *(str(row["sweep"]) for row in rows), box=None)
        for name, values in different.items():
            table.add_row(name, *(_cell(value) for value in values))
        print_table(table)


def report(
    run: _Run,
    config: _Config = None,
    tracking_uri: _Uri = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file; the home's by default.")] = None,
    as_json: _Json = False,
) -> None:
    """Draw the report of a sweep anew, also of one that runs or was interrupted."""
    from sparkml_track.engine.publishing.report import Page, write_report

    sweep = _load(run, config, tracking_uri)
    path = output or sweep.result.report_path
    result = sweep.result
    facts = {"sweep": result.sweep, "parent run": result.run_id, "state": sweep.state}
    try:
        write_report(path, Page(sweep.name, result.summary, result.trials, facts, sweep.curves))
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror or error}") from None
    _say(as_json, {"report": str(path)}, str(path))


def export(
    run: _Run,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="trials.parquet, .csv or .json")],
    config: _Config = None,
    tracking_uri: _Uri = None,
    as_json: _Json = False,
) -> None:
    """Write the trials of a sweep to a file: one row each with state, value, params, metrics and times."""
    from sparkml_track.engine.audit.export import export as export_trials

    count = export_trials(_load(run, config, tracking_uri).result.trials, output)
    _say(as_json, {"file": str(output), "trials": count}, f"{count:,} trials in {output}")


def import_(
    run: _Run,
    source: Annotated[
        str, typer.Option("--from", metavar="HOME|URI", help="The home, or the MLflow store, that has the sweep.")
    ],
    config: _Config = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", help="Of the store that gets the runs."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Take over a sweep from another home or MLflow store: runs, files, models and journal; again adds nothing."""
    from sparkml_track.engine.importing.flow import import_sweep

    home, uri = _where(config, tracking_uri)
    done = import_sweep(run, source, home=home.root, tracking_uri=uri)
    added = f"added {done.trials:,} child runs, {done.nested:,} runs inside them and {done.records:,} journal records"
    text = f"{done.sweep}, {done.state}: {added}; {done.already:,} child runs were here\nparent run {done.run_id}"
    _say(as_json, asdict(done), text)


def open_(
    run: _Run,
    config: _Config = None,
    tracking_uri: _Uri = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of `sparkml-track ui`, for runs in the home.")] = UI_PORT,
    as_json: _Json = False,
) -> None:
    """Print where MLflow's UI shows a sweep: its run, its best trial, its trials beside each other."""
    sweep = _load(run, config, tracking_uri)
    links = _links(sweep, port)
    _say(as_json, links, "\n".join(f"{name}: {link}" for name, link in links.items()))


def delete(
    run: _Run,
    config: _Config = None,
    tracking_uri: _Uri = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Restore what this command deleted.")] = False,
    as_json: _Json = False,
) -> None:
    """Delete the runs of a sweep, parent and all children; its journal stays, and --undo brings them back."""
    from sparkml_track.engine.audit.removal import remove, restore

    home, uri = _where(config, tracking_uri)
    if undo:
        count = restore(run, home.root, uri)
        _say(as_json, {"sweep": run, "restored": count}, f"restored {count:,} runs of {run}")
        return
    if not yes:
        _ask(f"Delete the parent run and all child runs of {run}?")
    count = remove(run, home.root, uri)
    way_back = f"`sparkml-track delete --undo {run}` brings them back until MLflow's garbage collection removes them"
    _say(as_json, {"sweep": run, "deleted": count}, f"deleted {count:,} runs of {run}; {way_back}")


def _ask(question: str) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked here whether to delete; give --yes")
    typer.confirm(question, abort=True, err=True)


def _load(run: str, config: Path | None, tracking_uri: str | None) -> LoadedSweep:
    from sparkml_track.engine.audit.load import loaded

    home, uri = _where(config, tracking_uri)
    return loaded(run, home.root, uri)


def _where(config: Path | None, tracking_uri: str | None) -> tuple[Home, str | None]:
    settings = load(config) if config else None
    if settings is None:
        return Home.find(), tracking_uri
    return settings.home, tracking_uri or settings.tracking.uri


def _links(sweep: LoadedSweep, port: int) -> dict[str, str]:
    result = sweep.result
    if not result.run_id:
        raise SetupError(f"sweep {result.sweep} has no parent run yet; wait until its first trials start")
    server, to_start = server_of(sweep.tracked, port)
    links = {
        "run": runs_link(server, result.experiment_id, result.run_id),
        "trials": runs_link(server, result.experiment_id),
    }
    if result.report_path.is_file():
        links["report"] = result.report_path.as_uri()
    if to_start:
        links["server"] = f"start it with `sparkml-track ui --port {port}`"
    return links


# -------------------------------------------------------------------------------------------------- printing


def _head(sweep: LoadedSweep, facts: Mapping[str, Any]) -> Sequence[str]:
    goals = ", ".join(f"{goal['direction']} {goal['metric']}" for goal in facts["goals"])
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in facts["counts"].items() if count)
    costs = facts["costs"]
    worked, failed = duration(costs["slot_seconds_used"]), duration(costs["slot_seconds_wasted"])
    took = f"took {duration(costs['seconds_wall'])}; slots worked {worked}, {failed} of it for trials that failed"
    took += f", and were idle for {duration(costs['slot_seconds_idle'])}" if costs.get("slot_seconds_idle") else ""
    price = facts["slot_hour_price"]
    cost = "" if price is None else f"cost {number(costs['cost'])}, at {number(price)} for a slot's hour"
    trial = facts["slowest"]
    slowest = "" if trial is None else f"; slowest trial {trial}: {duration(costs['trial_seconds_max'])}"
    lines = [
        f"[bold]{escape(facts['sweep'])}[/bold]: {facts['state']}{': ' + escape(sweep.why) if sweep.why else ''}",
        f"{escape(goals)}; {counts}",
        f"{took}; {costs['attempts_lost']:.0f} attempts lost{slowest}",
        f"parent run {facts['run_id'] or 'not made yet'} in {escape(sweep.tracked)}",
    ]
    return [*lines, *filter(None, (cost, facts["report"] and f"report {escape(facts['report'])}"))]


def _print_top(console: Console, sweep: LoadedSweep, most: int) -> None:
    from sparkml_track.engine.results.ranking import top_trials
    from sparkml_track.space import flatten

    top = top_trials(sweep.result.summary, sweep.result.trials, most)
    if not top:
        return
    names = list(dict.fromkeys(name for one in top for name in flatten(one.params)))
    shown = names[:_PARAMS]
    table = Table("trial", *map(escape, sweep.result.summary.metric), *map(escape, shown), "seconds", box=None)
    for one in top:
        params = flatten(one.params)
        values = [_cell(params[name]) if name in params else "" for name in shown]
        table.add_row(str(one.number), *map(number, one.value or ()), *values, f"{one.duration:.3g}")
    console.print()
    print_table(table)
    if len(names) > _PARAMS:
        console.print(f"{len(names) - _PARAMS} more params: --json shows them")


def _print_metrics(console: Console, sweep: LoadedSweep) -> None:
    aggregates = sweep.result.summary.aggregates
    if not aggregates:
        return
    table = Table("metric of finished trials", "count", "mean", "std", "min", "p25", "median", "p75", "max", box=None)
    for name, one in aggregates.items():
        figures = (one.mean, one.std, one.min, one.p25, one.p50, one.p75, one.max)
        table.add_row(escape(name), f"{one.count:,}", *map(number, figures))
    console.print()
    print_table(table)


def _print_failures(console: Console, sweep: LoadedSweep) -> None:
    from sparkml_track.engine.results.failures import failures

    for one in failures(sweep.result.trials):
        console.print(f"\n{one.count:,} trials: {one.name}")
        for each in one.examples:
            console.print(
                f"  trial{'s' if each.count > 1 else ''} {each.numbers}: {escape(short_text(each.gist, 300))}"
            )


def _cell(value: object) -> str:
    return "" if value is None else escape(short_text(value, 60))


def _console() -> Console:
    # Ids are for copying: never broken, also where the output is not a terminal.
    return Console(highlight=False, soft_wrap=True)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _say(as_json: bool, value: Mapping[str, object], text: str) -> None:
    if as_json:
        _print_json(value)
    else:
        typer.echo(text)
