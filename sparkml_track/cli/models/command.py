"""The group ``models``."""

from __future__ import annotations

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.models import deciding, looking
from sparkml_track.cli.models.canary import canary

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Registered models: versions, cards, approval, rollback.", no_args_is_help=True)
    decisions = (deciding.approve, deciding.reject, deciding.promote, deciding.rollback, canary)
    for command in (looking.ls, looking.show, looking.card, looking.compare, deciding.adopt, *decisions):
        group.command()(guarded(command))
    app.add_typer(group, name="models")
