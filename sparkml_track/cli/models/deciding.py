"""The commands ``models adopt``, ``approve``, ``reject``, ``promote``, ``rollback``; each has a row in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.cli.catalog.looking import Config, home_in, registry_in
from sparkml_track.cli.models.looking import Version, version_of

if TYPE_CHECKING:
    from sparkml_track.governance.audit import Deed
    from sparkml_track.refs import ModelRef

__all__ = ["adopt", "approve", "promote", "reject", "rollback"]

_Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept with the decision, for who asks later.")]


def adopt(model: Version, config: Config = None) -> None:
    """Take in a version of another tool: its files are believed as they are now, and checked from then on."""
    with registry_in(config) as registry, _audited("ADOPT", model, "", config) as deed:
        ref = version_of(model, registry)
        registry.adopt(ref)
        deed.result = f"{ref} is taken in"
    typer.echo(deed.result)


def approve(model: Version, why: _Why = "", config: Config = None) -> None:
    """Make a version champion that came through the gate and waits for approval."""
    from sparkml_track import promotion

    with registry_in(config) as registry, _audited("APPROVE", model, why, config) as deed:
        ref = version_of(model, registry)
        before = promotion.approve(registry, ref, why)
        deed.result = _champion(ref, before)
    typer.echo(deed.result)


def reject(model: Version, why: _Why = "", config: Config = None) -> None:
    """End the waiting of a version; it stays registered."""
    from sparkml_track import promotion

    with registry_in(config) as registry, _audited("REJECT", model, why, config) as deed:
        ref = version_of(model, registry)
        promotion.reject(registry, ref, why)
        deed.result = f"{ref} is rejected"
    typer.echo(deed.result)


def promote(model: Version, why: _Why = "", config: Config = None) -> None:
    """Make any version champion, without asking the gate."""
    from sparkml_track import promotion

    with registry_in(config) as registry, _audited("PROMOTE", model, why, config) as deed:
        ref = version_of(model, registry)
        before = promotion.promote(registry, ref, why)
        deed.result = _champion(ref, before)
    typer.echo(deed.result)


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A registered model.")],
    why: _Why = "",
    config: Config = None,
) -> None:
    """Make the former champion champion again; the present one is withdrawn."""
    from sparkml_track import promotion

    with registry_in(config) as registry, _audited("ROLLBACK", name, why, config) as deed:
        withdrawn, champion = promotion.rollback(registry, name, why)
        deed.result = f"{champion} is champion again, {withdrawn} is withdrawn"
    typer.echo(deed.result)


def _champion(ref: ModelRef, before: ModelRef | None) -> str:
    return f"{ref} is champion, {f'in place of version {before.version}' if before else 'the first one'}"


@contextmanager
def _audited(action: str, model: str, why: str, config: Path | None) -> Iterator[Deed]:
    from sparkml_track.catalog.stewards.things import MODELS
    from sparkml_track.governance.audit import Deed, audited

    deed = Deed(action, MODELS + model.removeprefix(MODELS), {"why": why} if why else {})
    with audited(home_in(config).system, deed) as made:
        yield made
