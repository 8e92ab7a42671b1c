"""The commands of a config file: ``run`` for all its steps, and one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.voices import AsJson, Quiet, Voice, voice_of
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import ConfigError

__all__ = ["STEPS", "Config", "register", "run_one", "run_steps", "steps_of"]

STEPS = {
    "prepare": "Write the raw tables.",
    "features": "Make the feature tables and the training set.",
    "sweep": "Search; one parent run, a child run for each trial.",
    "register": "Refit the best parameters, compare with the champion, register.",
    "deploy": "Put the champion to work: in a table, on a stream, or as an endpoint in the background.",
    "score": "Score rows on Spark with the champion.",
    "monitor": "Compare features, predictions and quality with the training rows, period by period.",
}
Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(guarded(run))
    for name, text in STEPS.items():
        if name not in {"features", "deploy", "score"}:  # they have commands and options of their own
            _add_step(app, name, text)


def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file, such as conf/project.yaml.")],
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run all steps of a config file: prepare, features, sweep, register, deploy, score, monitor."""
    voice = voice_of(quiet=quiet, as_json=as_json)
    settings = load(config)
    run_steps(settings, steps_of(settings), voice)


def steps_of(settings: Settings) -> list[str]:
    """The steps that a file has sections for, in their order.

    A deployment of the champion to a table is what the step score would do again, so that is left out then.
    """
    steps = [step for step in STEPS if getattr(settings, step) is not None]
    does = settings.deploy is not None and (settings.deploy.to, settings.deploy.alias) == ("table", "champion")
    return [step for step in steps if not (does and step == "score")]


def _add_step(app: typer.Typer, name: str, text: str) -> None:
    @guarded
    def command(config: Config, quiet: Quiet = False, as_json: AsJson = False) -> None:
        run_one(config, name, voice_of(quiet=quiet, as_json=as_json))

    app.command(name, help=text)(command)


def run_one(config: Path, step: str, voice: Voice | None = None) -> None:
    """Runs one step of a config file.

    Args:
        config: the file.
        step: its name.
        voice: says what becomes of it; to a person by default.

    Raises:
        ConfigError: the file has no section for it.
    """
    settings = load(config)
    if getattr(settings, step) is None:
        raise ConfigError(f"{config}: there is no section {step!r}, so there is nothing to {step}; add one")
    run_steps(settings, [step], voice)


def run_steps(settings: Settings, steps: Sequence[str], voice: Voice | None = None) -> None:
    """Runs steps of a config file, and shows what they gave.

    Args:
        settings: of the file.
        steps: their names, in their order.
        voice: says what becomes of them; to a person by default.
    """
    from sparkml_track.pipeline.preflight import preflight
    from sparkml_track.pipeline.steps import run_step

    voice = voice or voice_of(quiet=False, as_json=False)
    settings = replace(settings, progress=voice.progress)
    preflight(settings, steps)
    settings.home.make()
    facts_of: dict[str, Mapping[str, object]] = {}
    try:
        for number, step in enumerate(steps, start=1):
            voice.begins(step, number, len(steps))
            with voice.aside():
                facts_of[step] = run_step(step, settings).facts()
    finally:
        # What was reached is printed even where a later step fails.
        if facts_of:
            voice.ends(facts_of, settings)
