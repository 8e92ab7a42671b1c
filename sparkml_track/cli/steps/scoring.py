"""The command ``score``: a split of the training set, or rows as they come."""

from __future__ import annotations

from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.command import STEPS, Config, run_steps
from sparkml_track.cli.steps.voices import AsJson, Quiet, voice_of
from sparkml_track.config.settings import load
from sparkml_track.errors import ConfigError, InvalidInput

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("score", help=STEPS["score"])(guarded(score))


def score(
    config: Config,
    stream: Annotated[
        bool, typer.Option("--stream", help="Rows that came since, as section score.stream says.")
    ] = False,
    every: Annotated[
        float | None, typer.Option("--every", min=0.1, metavar="SECONDS", help="Go on until Ctrl-C; with --stream.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Score rows on Spark with the champion."""
    settings = load(config)
    if settings.score is None:
        raise ConfigError(f"{config}: there is no section 'score', so there is nothing to score; add one")
    if every is not None and not stream:
        raise InvalidInput("--every is for --stream; give both, or none of them")
    if stream and (quiet or as_json):
        raise InvalidInput("--quiet and --json are for a run of the step; rows that come are reported by a line each")
    if not stream:
        run_steps(settings, ["score"], voice_of(quiet=quiet, as_json=as_json))
        return
    if settings.score.stream is None:
        raise ConfigError(
            f"{config}: there is no section 'score.stream', so there is nothing to follow; name a table as its "
            "source, or a folder of files"
        )
    from sparkml_track.pipeline.steps.follow import follow

    settings.home.make()
    for found in follow(settings, every):
        table = "nothing has come yet" if found.table is None else f"{found.table} has them"
        versions = ", ".join(str(model.version) for model in found.models)
        by = f" by version {versions}" if versions else ""
        bad = f", {found.bad:,} without a score" if found.bad else ""
        typer.echo(f"scored {found.rows:,} rows{by}{bad}: {table}")
