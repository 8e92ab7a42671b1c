"""The step ``features``, and the commands of its group."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.command import STEPS, run_one
from sparkml_track.cli.steps.publishing import publish
from sparkml_track.cli.steps.voices import AsJson, Quiet, voice_of
from sparkml_track.config.settings import load

if TYPE_CHECKING:
    from sparkml_track.features import AuditReport

__all__ = ["register"]

_Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help=STEPS["features"], invoke_without_command=True)
    group.callback()(guarded(features))
    for command in (audit, publish):
        group.command()(guarded(command))
    app.add_typer(group, name="features")


def features(context: typer.Context, config: _Config = None, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Make the feature tables and the training set; or one of the commands below."""
    if context.invoked_subcommand is not None:
        if quiet or as_json:
            context.fail(
                f"Options of the step come with --config; those of {context.invoked_subcommand} come behind it."
            )
        return
    if config is None:
        context.fail("Missing option '--config' / '-c', or a command.")
    run_one(config, "features", voice_of(quiet=quiet, as_json=as_json))


def audit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file, such as conf/project.yaml.")],
    cuts: Annotated[int, typer.Option("--cuts", metavar="N", min=1, help="Moments that are tried.")] = 3,
    limit: Annotated[
        float, typer.Option("--limit", metavar="SCORE", min=0.5, max=1, help="From which on a feature is a hint.")
    ] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for features that know the future: build the training set again of what was known at some moments.

    The raw tables are there already (step prepare) and stay as they are. Exit code 3 if a feature knows the future.
    Features that may know the label are shown as hints.
    """
    from sparkml_track.pipeline.audit import audit_features

    report = audit_features(load(config), cuts, limit)
    typer.echo(_as_json(report) if as_json else str(report))
    if not report.ok:
        raise SystemExit(3)


def _as_json(report: AuditReport) -> str:
    return json.dumps({"ok": report.ok, **asdict(report)}, indent=1, default=str)
