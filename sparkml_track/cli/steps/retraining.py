"""The command ``retrain``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.voices import AsJson, Quiet, voice_of
from sparkml_track.config.settings import load

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("retrain")(guarded(retrain))


def retrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file, such as conf/project.yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and why.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Search anew if the last verdict of monitoring says so, at most once a period, under the gate."""
    from sparkml_track.pipeline.project import Project
    from sparkml_track.pipeline.retraining.again import retrain as run
    from sparkml_track.pipeline.steps.monitor import Watched

    voice = voice_of(quiet=quiet, as_json=as_json)
    settings = replace(load(config), progress=voice.progress)
    done = run(settings, Project(settings).kept(Watched).standing, dry_run=dry_run)
    voice.decides("retraining" if done.decision.begin else "no retraining", done.decision.why, dry_run=dry_run)
    if done.facts:
        voice.ends(done.facts, settings)
