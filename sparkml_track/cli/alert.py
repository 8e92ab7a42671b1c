"""The commands ``alert run`` and ``alert ls``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.cli.sql.asking import open_catalog
from sparkml_track.readable import short_text

__all__ = ["register"]

_Folder = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="With a file for each alert.")]
_Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_ALERTS = Path("alerts")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Queries whose answers are watched.", no_args_is_help=True)
    group.command("run")(guarded(run))
    group.command("ls")(guarded(ls))
    app.add_typer(group, name="alert")


def run(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="alerts/NAME.yaml says what is asked.")],
    folder: _Folder = _ALERTS,
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Check alerts now; whoever is named in their files is notified when the state has changed.

    The states are ok, triggered and unknown, which is exit 1.
    """
    from sparkml_track.catalog.alerts import check
    from sparkml_track.config.alerts import load_alert

    alerts = [load_alert(folder, name) for name in names]
    catalog = open_catalog(config)
    unknown = False
    for alert in alerts:
        found = check(alert, catalog)
        unknown = unknown or found.state == "unknown"
        if as_json:
            typer.echo(json.dumps({name: getattr(found, name) for name in found.__dataclass_fields__}))
            continue
        change = f" (was {found.before})" if found.before not in (None, found.state) else ""
        because = found.error or f"{found.condition}, value {found.value}"
        notified = f"; notified: {found.notified}" if found.notified else ""
        typer.echo(f"{found.alert}: {found.state}{change}: {because}{notified}")
    if unknown:
        raise SystemExit(1)


def ls(folder: _Folder = _ALERTS, config: _Config = None, as_json: _Json = False) -> None:
    """List the alerts of the folder, each with its last state."""
    from sparkml_track.catalog.alerts.check import last_states
    from sparkml_track.config.alerts import alert_names

    states = last_states(open_catalog(config))
    rows = [{"alert": name} | _last(states.get(name)) for name in alert_names(folder)]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        typer.echo(f"no alerts in {folder}")
        return
    table = Table("alert", "state", "value", "condition", "checked at", "notified", box=None)
    for row in rows:
        table.add_row(*(escape(short_text(value or "")) for value in row.values()))
    print_table(table)


def _last(row: dict[str, object] | None) -> dict[str, object]:
    if row is None:
        return {"state": "never checked", "value": None, "condition": None, "checked_at": None, "notified": None}
    names = ("state", "value", "condition", "checked_at", "notified")
    return {name: str(row[name]) if row[name] is not None else None for name in names}
