"""The commands ``catalog tag``, ``owner``, ``comment`` and ``audit``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.catalog.looking import AsJson, Config, home_in, registry_in, tables_in
from sparkml_track.cli.console import print_table
from sparkml_track.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["audit", "comment", "owner", "tag"]

_Thing = Annotated[str, typer.Argument(help="A table, models:/NAME/VERSION or models:/NAME@ALIAS.")]


def tag(
    thing: _Thing,
    tags: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="Set these.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="NAME", help="Remove it.")] = None,
    config: Config = None,
) -> None:
    """Tag a table or a model version; without tags, print those it has."""
    from sparkml_track.catalog.stewards.tags import model_tags, set_tags, table_tags, tag_model
    from sparkml_track.catalog.stewards.things import MODELS, model_version

    wanted = dict(_pair(word) for word in tags or ()) | dict.fromkeys(remove or (), "")
    if thing.startswith(MODELS):
        with registry_in(config) as registry:
            ref = model_version(thing, registry)
            if wanted:
                tag_model(home_in(config), registry, ref, wanted)
            _print(model_tags(registry.tags(ref)))
        return
    tables = tables_in(config)
    if wanted:
        set_tags(tables, thing, wanted)
    from sparkml_track.catalog.listing import shown

    _print(table_tags(shown(tables, thing)))


def owner(
    thing: _Thing,
    name: Annotated[str | None, typer.Argument(metavar="[OWNER]", help="An account or a team.")] = None,
    config: Config = None,
) -> None:
    """Name the owner of a table or a model version; without a name, print it."""
    from sparkml_track.catalog.listing import shown
    from sparkml_track.catalog.stewards.tags import model_owner, set_owner, table_owner, tag_model
    from sparkml_track.catalog.stewards.things import MODELS, model_version

    home = home_in(config)
    if thing.startswith(MODELS):
        with registry_in(config) as registry:
            ref = model_version(thing, registry)
            if name is not None:
                tag_model(home, registry, ref, {}, name)
            typer.echo(model_owner(registry.tags(ref)) or "nobody")
        return
    tables = tables_in(config)
    if name is not None:
        set_owner(home, tables, thing, name)
    typer.echo(table_owner(shown(tables, thing)) or "nobody")


def comment(
    table: Annotated[str, typer.Argument(help="Its name.")],
    text: Annotated[str, typer.Argument(help="What it is.")],
    column: Annotated[str | None, typer.Option("--column", metavar="NAME", help="Of this column.")] = None,
    config: Config = None,
) -> None:
    """Say what a table, or a column of it, is."""
    from sparkml_track.catalog.stewards.tags import set_comment

    set_comment(tables_in(config), table, text, column)


def audit(
    thing: Annotated[str, typer.Argument(metavar="[THING]", help="Of this table or model alone.")] = "",
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="By this account alone.")] = "",
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="WRITE, GRANT ...")] = "",
    most: Annotated[int, typer.Option("-n", min=1, help="At most so many, the newest.")] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what: tables, tags, owners, grants; newest first."""
    rows = _audited(config, thing, user, action)[:most]
    if as_json:
        typer.echo(json.dumps(rows, indent=1, default=str))
        return
    if not rows:
        typer.echo("nothing")
        return
    shown = Table("time", "user", "action", "object", "request", "result", box=None)
    for row in rows:
        texts = (row["user"], row["action"], row["object"], row["request"][:80], row["result"][:80])
        shown.add_row(f"{row['event_time']:%Y-%m-%d %H:%M:%S}", *map(escape, texts))
    print_table(shown)


def _audited(config: Config, thing: str, user: str, action: str) -> list[dict[str, Any]]:
    from sparkml_track.catalog import Catalog
    from sparkml_track.catalog.stewards.things import MODELS
    from sparkml_track.governance.names import full_name

    found: Sequence[dict[str, Any]] = Catalog(home_in(config)).system.rows("audit").to_pylist()
    named = thing if not thing or thing.startswith(MODELS) or thing.count(".") > 2 else full_name(thing)
    kept = [
        row
        for row in found
        if (not thing or row["object"] in (named, thing))
        and (not user or row["user"] == user)
        and (not action or row["action"] == action.upper())
    ]
    return sorted(kept, key=lambda row: row["event_time"], reverse=True)


def _pair(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if not sign or not value:
        raise InvalidInput(f"{word!r} is not NAME=VALUE, such as pii=no; --remove {name or 'NAME'} removes a tag")
    return name, value


def _print(tags: dict[str, str]) -> None:
    typer.echo("\n".join(f"{key}={value}" for key, value in tags.items()) or "no tags")
