"""The commands ``pipeline run`` and ``pipeline show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.console import print_table, say
from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.readable import duration

if TYPE_CHECKING:
    from sparkml_track.pipelines.planning.plan import Plan
    from sparkml_track.pipelines.updating.executed import FlowResult
    from sparkml_track.pipelines.updating.update import UpdateResult

__all__ = ["register"]

_Config = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home and the Spark session.")
]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_COLORS = {"built": "green", "unchanged": "dim", "failed": "red", "skipped": "yellow"}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Tables made from tables, rebuilt where something changed.", no_args_is_help=True)
    group.command("run")(guarded(run))
    group.command("show")(guarded(show))
    app.add_typer(group, name="pipeline")


def run(  # noqa: PLR0913  # options of a command
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files that end with .py or .sql.")],
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="NAME", help="Of the pipeline; that of the first file.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be built, and why.")] = False,
    full_refresh: Annotated[
        list[str] | None,
        typer.Option("--full-refresh", metavar="TABLES", help="Build these anew; names joined by commas."),
    ] = None,
    full_refresh_all: Annotated[bool, typer.Option("--full-refresh-all", help="Build all tables anew.")] = False,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Update the tables of a pipeline: what has changed is built, in order, each with one commit.

    A flow that fails ends those that hang on it and no other, and the exit code is 1.
    """
    from sparkml_track.pipelines import Pipeline

    settings = load(config) if config else None
    home = settings.home if settings else Home.find()
    names = [each.strip() for given in full_refresh or () for each in given.split(",") if each.strip()]
    pipeline = Pipeline(name or files[0].stem, files, home)
    if plan:
        _show_plan(pipeline.plan(names, full_refresh_all=full_refresh_all), as_json=as_json)
        return
    # What is wrong is said before Spark starts.
    pipeline.plan(names, full_refresh_all=full_refresh_all)
    from sparkml_track.api.session import local_or_active

    spark = local_or_active(_spark(settings), home.make(), f"sparkml-track {pipeline.name}")
    console = Console(highlight=False, soft_wrap=True, stderr=as_json)
    shown = pipeline.update(
        spark, names, full_refresh_all=full_refresh_all, shown=lambda result: _say_flow(console, result)
    )
    _say_end(console, shown, pipeline.name)
    if as_json:
        typer.echo(json.dumps({"update": shown.id, "flows": [_plain(result) for result in shown.flows]}))
    if shown.failed:
        raise SystemExit(1)


def show(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of a pipeline; all by default.")] = None,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Show the last update of each pipeline, or of one: its flows, their versions and their expectations."""
    from sparkml_track.pipelines.updates import last_updates

    home = load(config).home if config else Home.find()
    found = last_updates(home)
    if name is not None and name not in found:
        raise InvalidInput(f"no pipeline {name!r} was updated in {home.root}; there are: {', '.join(found) or 'none'}")
    chosen = {key: rows for key, rows in found.items() if name in (None, key)}
    if as_json:
        typer.echo(json.dumps(chosen, indent=1, default=str))
        return
    if not chosen:
        typer.echo(f"no pipeline was updated in {home.root}")
    for key, rows in chosen.items():
        table = Table(
            "flow", "state", "table", "rows", "expectations", "why", box=None, title=key, title_justify="left"
        )
        for row in rows:
            table.add_row(*(escape(str(text)) for text in _shown(row)))
        print_table(table)


def _spark(settings: Settings | None) -> Any:
    return settings.spark if settings else None


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    rows = [
        {"flow": one.flow.name, "table": one.flow.target, "work": one.work, "why": one.why} for one in plan.decisions
    ]
    if as_json:
        inputs = [str(ref) for ref in plan.inputs]
        typer.echo(json.dumps({"flows": rows, "inputs": inputs, "warnings": plan.warnings}, indent=1))
    else:
        table = Table("flow", "table", "work", "why", box=None)
        for row in rows:
            table.add_row(*map(escape, row.values()))
        print_table(table)
        work = sum(one.work not in ("skip", "refuse") for one in plan.decisions)
        typer.echo(f"{work} of {len(rows)} flows have something to do")
        for warning in plan.warnings:
            typer.echo(f"warning: {warning}", err=True)
    if plan.refused:
        raise SystemExit(1)


def _say_flow(console: Console, result: FlowResult) -> None:
    made = ", ".join(f"{ref.name}@{ref.version}" for ref in result.made)
    what = f" {made}: {result.rows:,} rows in {duration(result.seconds)}" if made else ""
    color = _COLORS[result.state]
    say(
        console, f"[{color}]{result.state:>9}[/{color}] [bold]{escape(result.flow)}[/bold]{what} ({escape(result.why)})"
    )
    for one in result.counted:
        if one.failed:
            share = f"{one.failed:,} of {one.passed + one.failed:,} rows"
            text = f"{one.rule.name} ({one.rule.condition}) does not hold for {share}: {one.rule.action}"
            say(console, f"          {escape(text)}")


def _say_end(console: Console, result: UpdateResult, name: str) -> None:
    states = [one.state for one in result.flows]
    counts = ", ".join(f"{states.count(state)} {state}" for state in _COLORS if state in states)
    say(console, f"[bold]{name}[/bold] update {result.id}: {counts}")


def _plain(result: FlowResult) -> dict[str, object]:
    return {
        "flow": result.flow,
        "table": result.target,
        "state": result.state,
        "why": result.why,
        "made": [f"{ref.name}@{ref.version}" for ref in result.made],
        "rows": result.rows,
        "seconds": round(result.seconds, 3),
        "expectations": {one.rule.name: {"passed": one.passed, "failed": one.failed} for one in result.counted},
    }


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    version = "" if row["table_version"] is None else f"@{row['table_version']}"
    rules = ", ".join(f"{one['expectation']} {one['passed']}/{one['passed'] + one['failed']}" for one in row["rules"])
    return row["flow"], row["state"], f"{row['table_name']}{version}", row["rows"], rules, row["why"]
