"""The commands ``models ls``, ``show``, ``card`` and ``compare``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.catalog.looking import AsJson, Config, registry_in
from sparkml_track.cli.console import print_table
from sparkml_track.errors import InvalidInput
from sparkml_track.readable import clock_time, number

if TYPE_CHECKING:
    from sparkml_track.refs import ModelRef
    from sparkml_track.registries import Registry

__all__ = ["Version", "card", "compare", "ls", "show", "version_of"]

Version = Annotated[str, typer.Argument(metavar="MODEL", help="NAME/VERSION or NAME@ALIAS.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A registered model.")]


def ls(config: Config = None, as_json: AsJson = False) -> None:
    """List the registered models: how many versions, who is champion and challenger."""
    with registry_in(config) as registry:
        rows = [_summary(registry, name) for name in registry.names()]
        where = registry.uri
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    elif not rows:
        typer.echo(f"no models in {where}; the step register makes one")
    else:
        _print(("model", "versions", "champion", "challenger", "waiting"), rows)


def show(name: _Name, config: Config = None, as_json: AsJson = False) -> None:
    """Show the versions of a model: aliases, stage of approval, and the gate's verdict."""
    from sparkml_track.schema import TAG_APPROVAL, TAG_VERDICT_WHY

    with registry_in(config) as registry:
        facts = [registry.facts(ref) for ref in _versions(registry, name)]
    rows = [
        {
            "version": each.ref.version,
            "registered": clock_time(each.created),
            "aliases": ", ".join(each.aliases),
            "approval": each.tags.get(TAG_APPROVAL, ""),
            "verdict": each.tags.get(TAG_VERDICT_WHY, ""),
        }
        for each in facts
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    else:
        _print(tuple(rows[0]), rows)


def card(model: Version, config: Config = None) -> None:
    """Print the card of a version, Markdown: quality, origin, inputs, decisions."""
    from sparkml_track.promotion import card_of

    with registry_in(config) as registry:
        text = card_of(registry, registry.facts(version_of(model, registry)))
    typer.echo(text, nl=False)


def compare(
    name: _Name,
    versions: Annotated[list[int], typer.Argument(metavar="VERSION VERSION...", help="Numbers.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare versions of a model: metrics, and the parameters, tables and inputs that differ."""
    from sparkml_track.promotion import compare_versions

    if len(versions) < 2:
        raise InvalidInput(f"one version, {versions[0]}, was given; give two or more to compare")
    with registry_in(config) as registry:
        _versions(registry, name)
        found = compare_versions(registry, name, versions)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    table = Table("", *(f"version {each}" for each in found.versions), box=None)
    for name_, values in found.metrics.items():
        table.add_row(escape(name_), *("" if value is None else number(value) for value in values))
    for what, rows in (("", found.params), ("rows: ", found.data), ("input: ", found.inputs)):
        for key, texts in rows.items():
            table.add_row(escape(what + key), *(escape(text or "") for text in texts))
    print_table(table)


def version_of(model: str, registry: Registry) -> ModelRef:
    """The version that NAME/VERSION or NAME@ALIAS means, also with ``models:/`` before it."""
    from sparkml_track.catalog.stewards.things import MODELS, model_version

    return model_version(MODELS + model.removeprefix(MODELS), registry)


def _versions(registry: Registry, name: str) -> tuple[ModelRef, ...]:
    found = registry.versions(name)
    if not found:
        known = ", ".join(registry.names()) or "none yet"
        raise InvalidInput(f"there is no model {name!r} in {registry.uri}; there are: {known}")
    return found


def _summary(registry: Registry, name: str) -> dict[str, object]:
    from sparkml_track.schema import TAG_APPROVAL

    aliases = {alias: registry.alias(name, alias) for alias in ("champion", "challenger")}
    waiting = sorted(number for number, stage in registry.tagged(name, TAG_APPROVAL).items() if stage == "pending")
    row: dict[str, object] = {"model": name, "versions": len(registry.versions(name))}
    row |= {alias: ref.version if ref else None for alias, ref in aliases.items()}
    return row | {"waiting": waiting}


def _print(head: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    table = Table(*head, box=None)
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in head))
    print_table(table)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else escape(str(value))
