"""The command ``deploy``: a version is put to work; what has become of it is reported; its endpoint is ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.command import STEPS, run_steps
from sparkml_track.cli.steps.voices import AsJson, Quiet, voice_of
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import ConfigError, InvalidInput, SetupError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("deploy", help=STEPS["deploy"])(guarded(deploy))


def deploy(
    file: Annotated[Path | None, typer.Argument(metavar="CONFIG", help="The config file.")] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="The same.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Only report what is at work where.")] = False,
    end: Annotated[bool, typer.Option("--end", help="End the endpoint.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Put the champion to work."""
    given = [each for each in (file, config) if each is not None]
    if len(given) != 1:
        raise InvalidInput(f"{len(given) or 'no'} config files were given; give one: sparkml-track deploy CONFIG")
    if status and end:
        raise InvalidInput("--status and --end were given; give one of them")
    settings = load(given[0])
    if settings.deploy is None:
        raise ConfigError(f"{given[0]}: there is no section 'deploy', so there is nothing to deploy; add one")
    if status:
        _report(settings, as_json=as_json)
    elif end:
        _end(settings)
    else:
        run_steps(settings, ["deploy"], voice_of(quiet=quiet, as_json=as_json))


def _report(settings: Settings, *, as_json: bool) -> None:
    from sparkml_track.pipeline.deployment.standing import standing_of

    found = standing_of(settings)
    if as_json:
        typer.echo(json.dumps(found.to_json()))
    else:
        for name, fact in found.facts().items():
            typer.echo(f"{name}: {_shown(fact)}")
    if found.dead:
        raise SetupError(found.dead)


def _shown(fact: object) -> str:
    return ", ".join(f"{name} {each}" for name, each in fact.items()) if isinstance(fact, Mapping) else str(fact)


def _end(settings: Settings) -> None:
    from sparkml_track.pipeline.deployment.endpoint import end, locked
    from sparkml_track.pipeline.deployment.kept import ended

    with locked(settings.home, settings.name) as folder:
        was = end(folder)
        if was is not None:
            ended(settings.home, settings.name, was.where)
    if was is None:
        typer.echo(f"no endpoint of project {settings.name!r} runs")
    else:
        typer.echo(f"the endpoint of project {settings.name!r} (process {was.pid}, since {was.since}) is ended")
