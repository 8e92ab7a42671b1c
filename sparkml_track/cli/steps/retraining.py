"""The command ``retrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.command import show_facts
from sparkml_track.config.settings import load

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("retrain")(guarded(retrain))


def retrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file, such as conf/project.yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and why.")] = False,
) -> None:
    """Search anew if the last verdict of monitoring says so, at most once a period, under the gate."""
    from sparkml_track.pipeline.project import Project
    from sparkml_track.pipeline.retraining.again import retrain as run
    from sparkml_track.pipeline.steps.monitor import Watched

    settings = load(config)
    done = run(settings, Project(settings).kept(Watched).standing, dry_run=dry_run)
    what = "retraining" if done.decision.begin else "no retraining"
    typer.echo(f"{what}{' (dry run)' if dry_run else ''}: {done.decision.why}")
    if done.facts:
        show_facts(done.facts, settings)
