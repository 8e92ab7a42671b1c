"""The command ``catalog sync uc``."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.cli.catalog.looking import Config, home_in, registry_in, tables_in
from sparkml_track.errors import InvalidInput, SyncError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkml_track.catalog.unity.plan import Step

__all__ = ["sync"]

_SIGNS = {"create": "+", "recreate": "~", "grant": "+", "revoke": "-", "delete": "-"}


def sync(  # noqa: PLR0913  # options of a command
    what: Annotated[str, typer.Argument(metavar="uc", help="Unity Catalog.")],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Of the server: http://HOST:PORT.")],
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="Holds the token; else SPARKML_UC_TOKEN.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what came from this home and is gone, and privileges of others.")
    ] = False,
    models: Annotated[bool, typer.Option("--models/--no-models", help="With registered models.")] = True,
    config: Config = None,
) -> None:
    """Make Unity Catalog have the tables, models and grants of the home; one way, the home is the truth."""
    from sparkml_track.catalog.unity.apply import apply
    from sparkml_track.catalog.unity.client import UnityClient
    from sparkml_track.catalog.unity.ours import ours
    from sparkml_track.catalog.unity.plan import plan
    from sparkml_track.governance.audit import Deed, audited
    from sparkml_track.governance.grants import load

    if what != "uc":
        raise InvalidInput(f"there is no sync with {what!r}; there is uc, for Unity Catalog")
    client, home, tables = UnityClient(url, _token(token_file)), home_in(config), tables_in(config)
    if models:
        with registry_in(config) as registry:
            wanted = ours(home, tables, registry, load(home))
    else:
        wanted = ours(home, tables, None, load(home))
    for note in wanted.notes:
        typer.echo(f"note: {note}", err=True)
    steps = plan(wanted, client, prune=prune)
    if dry_run:
        for step in steps:
            _print(step, "")
        _count(steps, "to do")
        return
    with audited(home.system, Deed("SYNC", client.url, {"prune": prune})) as deed:
        failed = apply(steps, client, _print)
        deed.result = _count([step for step in steps if step.requests], "done")
        if failed:
            raise SyncError(f"{failed} steps were refused, as said above; what is right stays, the next sync goes on")


def _token(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("SPARKML_UC_TOKEN") or None
    try:
        return file.read_text().strip()
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"the token cannot be read from {file}: {getattr(error, 'strerror', None) or error}"
        ) from None


def _print(step: Step, failed: str) -> None:
    if failed:
        typer.echo(f"! {step.kind} {step.name}: {failed}", err=True)
    elif step.requests:
        typer.echo(f"{_SIGNS[step.verb]} {step.verb} {step.kind} {step.name}: {step.why}")
    elif step.why:
        typer.echo(f"  {step.kind} {step.name}: {step.why}")


def _count(steps: Iterable[Step], said: str) -> str:
    verbs = Counter(step.verb for step in steps if step.requests)
    text = ", ".join(f"{number} {verb}" for verb, number in sorted(verbs.items())) or "nothing"
    typer.echo(f"{said}: {text}")
    return text
