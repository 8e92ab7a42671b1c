"""The commands of a config file: ``run`` for all its steps, and one for each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table

from sparkml_track.cli.console import say
from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import ConfigError

__all__ = ["STEPS", "register", "run_one", "run_steps", "show_facts"]

STEPS = {
    "prepare": "Write the raw tables.",
    "features": "Make the feature tables and the training set.",
    "sweep": "Search; one parent run, a child run for each trial.",
    "register": "Refit the best parameters, compare with the champion, register.",
    "score": "Score rows on Spark with the champion.",
    "monitor": "Compare features, predictions and quality with the training rows, period by period.",
}
Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(guarded(run))
    for name, text in STEPS.items():
        if name not in {"features", "score"}:  # they have commands and options of their own
            _add_step(app, name, text)


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file, such as conf/project.yaml.")],
) -> None:
    """Run all steps of a config file: prepare, features, sweep, register, score, monitor."""
    settings = load(config)
    run_steps(settings, [step for step in STEPS if getattr(settings, step) is not None])


def _add_step(app: typer.Typer, name: str, text: str) -> None:
    @guarded
    def command(config: Config) -> None:
        run_one(config, name)

    app.command(name, help=text)(command)


def run_one(config: Path, step: str) -> None:
    """Runs one step of a config file.

    Raises:
        ConfigError: the file has no section for it.
    """
    settings = load(config)
    if getattr(settings, step) is None:
        raise ConfigError(f"{config}: there is no section {step!r}, so there is nothing to {step}; add one")
    run_steps(settings, [step])


def run_steps(settings: Settings, steps: Sequence[str]) -> None:
    """Runs steps of a config file, and shows what they gave."""
    from sparkml_track.pipeline.preflight import preflight
    from sparkml_track.pipeline.steps import run_step

    preflight(settings, steps)
    settings.home.make()
    # Paths and commands are for copying: never broken.
    console = Console(highlight=False, soft_wrap=True)
    facts_of: dict[str, Mapping[str, object]] = {}
    try:
        for number, step in enumerate(steps, start=1):
            say(console, f"[bold]==> {step}[/bold] ({number} of {len(steps)})")
            facts_of[step] = run_step(step, settings).facts()
    finally:
        # What was reached is printed even where a later step fails.
        if facts_of:
            _summary(facts_of, settings, console)


def show_facts(facts_of: Mapping[str, Mapping[str, object]], settings: Settings) -> None:
    """Shows what steps gave."""
    _summary(facts_of, settings, Console(highlight=False, soft_wrap=True))


def _summary(facts_of: Mapping[str, Mapping[str, object]], settings: Settings, console: Console) -> None:
    """What the steps gave: a line for each fact, a table where a fact has rows of figures."""
    say(console, Rule(f"{settings.name}: summary"))
    for step, facts in facts_of.items():
        for name, fact in facts.items():
            if isinstance(fact, Mapping) and fact and all(isinstance(row, Mapping) for row in fact.values()):
                say(console, _table(f"{step}: {name}", fact))
            else:
                say(console, f"[bold]{step}[/bold] {name}: {_shown(fact)}")
    say(console, f"[bold]home[/bold] {settings.home.place}")
    say(console, f"[bold]MLflow's UI[/bold] sparkml-track ui --config {os.path.relpath(settings.file)}")


def _table(title: str, rows: Mapping[str, Mapping[str, object]]) -> Table:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table("", *columns, title=title, title_justify="left")
    for name, row in rows.items():
        table.add_row(str(name), *(_shown(row.get(column, "")) for column in columns))
    return table


def _shown(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ", ".join(f"{name}={_shown(value)}" for name, value in fact.items())
    return f"{fact:.5g}" if isinstance(fact, float) else escape(str(fact))
