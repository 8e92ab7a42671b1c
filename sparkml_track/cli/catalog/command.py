"""The commands ``catalog ls``, ``show``, ``search`` and ``lineage``, and the group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.catalog import granting, stewards
from sparkml_track.cli.catalog.looking import AsJson, Config, home_in, registry_in, tables_in
from sparkml_track.cli.catalog.sync import sync
from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.cli.sql.asking import open_catalog
from sparkml_track.errors import InvalidInput
from sparkml_track.readable import clock_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkml_track.catalog.listing import Listed
    from sparkml_track.home import Home
    from sparkml_track.tables import TableInfo

__all__ = ["register"]

_SHOWN = 10  # versions
_FORMATS = ("text", "json", "dot", "openlineage")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="What tables there are, and from what each was made.", no_args_is_help=True)
    looked = (ls, show, search, lineage, stewards.audit, granting.grants)
    for command in (*looked, stewards.tag, stewards.owner, stewards.comment, granting.grant, granting.revoke,
                    granting.enforce, granting.mask, sync):  # fmt: skip
        group.command()(guarded(command))
    group.command("filter")(guarded(granting.filter_rows))
    app.add_typer(group, name="catalog")


def ls(
    schema: Annotated[str, typer.Argument(metavar="[SCHEMA]", help="Of these tables alone.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List the tables of the home, with their latest versions."""
    from sparkml_track.catalog.listing import listed

    _list(listed(tables_in(config), schema), as_json, found=False)


def search(
    word: Annotated[str, typer.Argument(help="In names, columns and descriptions, in any case.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Search tables by names, columns and descriptions."""
    from sparkml_track.catalog.listing import searched

    _list(searched(tables_in(config), word), as_json, found=True)


def show(
    table: Annotated[str, typer.Argument(help="Its name: flights, air.flights or main.air.flights.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show a table: columns, keys, versions and where it lies."""
    from sparkml_track.catalog.listing import shown
    from sparkml_track.governance.names import full_name

    tables = tables_in(config)
    info = shown(tables, table)
    versions = tables.history(info.ref.name)
    if as_json:
        kept = [{"version": one.version, "time": one.time, "operation": one.operation} for one in versions]
        typer.echo(json.dumps(_facts(full_name(info.ref.name), info) | {"versions": kept}, indent=1))
        return
    typer.echo(f"{full_name(info.ref.name)}, version {info.ref.version}: {info.description or 'no description'}")
    for key, text in _kept(info, home_in(config)).items():
        typer.echo(f"{key}: {text}")
    rows = Table("column", "type", "role", box=None)
    for column, kind in info.columns.items():
        rows.add_row(escape(column), escape(kind), info.roles.get(column, ""))
    print_table(rows)
    rows = Table("version", "time", "operation", box=None)
    for one in versions[:_SHOWN]:
        rows.add_row(str(one.version), clock_time(one.time), escape(one.operation))
    print_table(rows)


def lineage(  # noqa: PLR0913  # options of a command
    name: Annotated[str, typer.Argument(help="A table, models:/NAME/VERSION, models:/NAME@ALIAS, or a sweep's id.")],
    up: Annotated[bool, typer.Option("--up", help="Only what it was made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what was made from it.")] = False,
    at: Annotated[int | None, typer.Option("--at", min=0, help="Its version; the latest by default.")] = None,
    column: Annotated[str, typer.Option("--column", metavar="NAME", help="Up from this column of a table.")] = "",
    output_format: Annotated[str, typer.Option("--format", metavar="FORMAT", help=", ".join(_FORMATS))] = "text",
    config: Config = None,
) -> None:
    """Show from what a table version, a model or a sweep was made, and what was made from it."""
    from sparkml_track.catalog.lineage.graph import Direction, Recorded

    if output_format not in _FORMATS:
        raise InvalidInput(f"there is no format {output_format!r}; allowed are {', '.join(_FORMATS)}")
    catalog = open_catalog(config)
    recorded = Recorded(catalog.system.rows("lineage"))
    is_model = name.startswith("models:/")
    plain, version = _model(name, config) if is_model else _pinned(name)
    if at is not None and version is not None and at != version:
        raise InvalidInput(f"{name} says version {version} and --at says {at}; give one of them")
    start = recorded.named(plain, version if at is None else at, "MODEL" if is_model else None)
    if column:
        from sparkml_track.catalog.lineage.columns import column_tree

        if start.kind != "TABLE" or down or output_format != "text":
            raise InvalidInput(f"--column goes up from a table, as text; {start} with these options cannot be shown so")
        typer.echo(column_tree(catalog.system.rows("column_lineage"), recorded, start, column))
        return
    direction: Direction = "both" if up == down else "up" if up else "down"
    graph = recorded.around(start, direction)
    if output_format == "openlineage":
        from sparkml_track.catalog.lineage.openlineage import lines
        from sparkml_track.governance.names import full_name

        folders = {full_name(each): f"{catalog.home.tables_root}/{each}" for each in catalog.tables.names()}
        typer.echo(lines(graph, folders), nl=False)
        return
    from sparkml_track.catalog.lineage.shown import as_dot, as_json, as_text

    typer.echo({"json": as_json, "dot": as_dot}.get(output_format, lambda one: as_text(one, direction))(graph))


def _kept(info: TableInfo, home: Home) -> dict[str, str]:
    """Owner, tags and who may, for a person."""
    from sparkml_track.catalog.stewards.granting import readable_by
    from sparkml_track.catalog.stewards.tags import table_owner, table_tags
    from sparkml_track.governance.grants import load

    found = load(home)
    holders = found.holders("SELECT", info.ref.name)
    may = "everybody, since nothing was granted" if holders is None else ", ".join(holders) or "nobody but owners"
    tags = ", ".join(f"{key}={value}" for key, value in table_tags(info).items())
    kept = {"owner": table_owner(info) or "", "tags": tags, "files": info.ref.path}
    kept["grants"] = f"{found.enforce}; SELECT for {may}; files readable by {readable_by(info.ref.path)}"
    return {key: text for key, text in kept.items() if text}


def _pinned(name: str) -> tuple[str, int | None]:
    from sparkml_track.governance.names import parse_pin

    return parse_pin(name) if "@" in name else (name, None)


def _model(uri: str, config: Path | None) -> tuple[str, int | None]:
    """Name and version of a model; an alias is looked up where models are registered."""
    from sparkml_track.catalog.stewards.things import model_named, model_version

    name, which = model_named(uri)
    if not isinstance(which, str):
        return name, which
    with registry_in(config) as registry:
        return name, model_version(uri, registry).version


def _list(found_tables: Iterable[Listed], as_json: bool, *, found: bool) -> None:
    tables = tuple(found_tables)
    if as_json:
        facts = [(_facts(one.name, one.info) if one.info else {"name": one.name, "problem": one.problem})
                 | ({"found": one.where} if found else {}) for one in tables]  # fmt: skip
        typer.echo(json.dumps(facts, indent=1))
        return
    if not tables:
        typer.echo("no tables")
        return
    rows = Table("table", "version", "columns", "description", *(["found in"] if found else []), box=None)
    for one in tables:
        version, columns = (str(one.info.ref.version), str(len(one.info.columns))) if one.info else ("", "")
        said = one.info.description if one.info else f"cannot be read: {one.problem}"
        rows.add_row(one.name, version, columns, escape(said[:100]), *([escape(one.where)] if found else []))
    print_table(rows)


def _facts(name: str, info: TableInfo) -> dict[str, object]:
    from sparkml_track.catalog.stewards.tags import table_owner, table_tags

    facts: dict[str, object] = {"name": name, "version": info.ref.version, "path": info.ref.path}
    facts |= {"columns": dict(info.columns), "keys": list(info.keys), "timestamp": info.timestamp}
    facts |= {"owner": table_owner(info), "tags": table_tags(info), "comments": dict(info.comments)}
    return facts | {"created": info.created, "description": info.description}
