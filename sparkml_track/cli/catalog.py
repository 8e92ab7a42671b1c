"""The commands ``catalog ls``, ``show``, ``search`` and ``lineage``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.cli.sql.asking import open_catalog
from sparkml_track.config.settings import load
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.readable import clock_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkml_track.catalog.listing import Listed
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["register"]

_Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]
_Json = Annotated[bool, typer.Option("--json", help="For programs.")]
_SHOWN = 10  # versions
_FORMATS = ("text", "json", "dot", "openlineage")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="What tables there are, and from what each was made.", no_args_is_help=True)
    for command in (ls, show, search, lineage):
        group.command()(guarded(command))
    app.add_typer(group, name="catalog")


def ls(
    schema: Annotated[str, typer.Argument(metavar="[SCHEMA]", help="Of these tables alone.")] = "",
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """List the tables of the home, with their latest versions."""
    from sparkml_track.catalog.listing import listed

    _list(listed(_tables(config), schema), as_json, found=False)


def search(
    word: Annotated[str, typer.Argument(help="In names, columns and descriptions, in any case.")],
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Search tables by names, columns and descriptions."""
    from sparkml_track.catalog.listing import searched

    _list(searched(_tables(config), word), as_json, found=True)


def show(
    table: Annotated[str, typer.Argument(help="Its name: flights, air.flights or main.air.flights.")],
    config: _Config = None,
    as_json: _Json = False,
) -> None:
    """Show a table: columns, keys, versions and where it lies."""
    from sparkml_track.catalog.listing import shown
    from sparkml_track.catalog.names import full_name

    tables = _tables(config)
    info = shown(tables, table)
    versions = tables.history(info.ref.name)
    if as_json:
        kept = [{"version": one.version, "time": one.time, "operation": one.operation} for one in versions]
        typer.echo(json.dumps(_facts(full_name(info.ref.name), info) | {"versions": kept}, indent=1))
        return
    typer.echo(f"{full_name(info.ref.name)}, version {info.ref.version}: {info.description or 'no description'}")
    typer.echo(f"files: {info.ref.path}")
    rows = Table("column", "type", "role", box=None)
    for column, kind in info.columns.items():
        rows.add_row(escape(column), escape(kind), info.roles.get(column, ""))
    print_table(rows)
    rows = Table("version", "time", "operation", box=None)
    for one in versions[:_SHOWN]:
        rows.add_row(str(one.version), clock_time(one.time), escape(one.operation))
    print_table(rows)


def lineage(
    name: Annotated[str, typer.Argument(help="A table, models:/NAME/VERSION, models:/NAME@ALIAS, or a sweep's id.")],
    up: Annotated[bool, typer.Option("--up", help="Only what it was made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what was made from it.")] = False,
    at: Annotated[int | None, typer.Option("--at", min=0, help="Its version; the latest by default.")] = None,
    output_format: Annotated[str, typer.Option("--format", metavar="FORMAT", help=", ".join(_FORMATS))] = "text",
    config: _Config = None,
) -> None:
    """Show from what a table version, a model or a sweep was made, and what was made from it."""
    from sparkml_track.catalog.lineage.graph import Direction, edges_in, lineage_of, node_named

    if output_format not in _FORMATS:
        raise InvalidInput(f"there is no format {output_format!r}; allowed are {', '.join(_FORMATS)}")
    catalog = open_catalog(config)
    edges = edges_in(catalog.system.rows("lineage"))
    is_model = name.startswith("models:/")
    plain, version = _model(name, config) if is_model else _pinned(name)
    if at is not None and version is not None and at != version:
        raise InvalidInput(f"{name} says version {version} and --at says {at}; give one of them")
    start = node_named(plain, version if at is None else at, edges, "MODEL" if is_model else None)
    direction: Direction = "both" if up == down else "up" if up else "down"
    graph = lineage_of(start, edges, direction)
    if output_format == "openlineage":
        from sparkml_track.catalog.lineage.openlineage import lines
        from sparkml_track.catalog.names import full_name

        folders = {full_name(each): f"{catalog.home.tables_root}/{each}" for each in catalog.tables.names()}
        typer.echo(lines(graph, folders), nl=False)
        return
    from sparkml_track.catalog.lineage.shown import as_dot, as_json, as_text

    typer.echo({"json": as_json, "dot": as_dot}.get(output_format, lambda one: as_text(one, direction))(graph))


def _pinned(name: str) -> tuple[str, int | None]:
    from sparkml_track.catalog.names import parse_pin

    return parse_pin(name) if "@" in name else (name, None)


def _model(uri: str, config: Path | None) -> tuple[str, int | None]:
    """Name and version of a model; an alias is looked up where models are registered."""
    name = uri.removeprefix("models:/")
    if "@" in name:
        name, _, alias = name.partition("@")
        return name, _aliased(name, alias, config)
    name, _, version = name.partition("/")
    if version and not version.isdigit():
        raise InvalidInput(f"{uri!r} names no version; write models:/{name}/VERSION or models:/{name}@ALIAS")
    return name, int(version) if version else None


def _aliased(name: str, alias: str, config: Path | None) -> int:
    from sparkml_track.adapters.mlflow.ambient import Ambient, ambient
    from sparkml_track.adapters.mlflow.experiments import artifact_root
    from sparkml_track.registries import MlflowRegistry

    settings = load(config) if config else None
    home = settings.home if settings else Home.find()
    given = settings.tracking.uri if settings else None
    uri = given or (ambient() if given is None else Ambient()).uri or home.tracking_uri
    registry = MlflowRegistry(uri, artifact_root(uri, home.artifacts))
    try:
        found = registry.alias(name, alias)
    finally:
        registry.close()
    if found is None:
        raise InvalidInput(f"model {name!r} has no alias {alias!r} in {registry.uri}; name a version: models:/{name}/1")
    return found.version


def _tables(config: Path | None) -> Tables:
    from sparkml_track.tables import DeltaTables

    return DeltaTables((load(config).home if config else Home.find()).tables_root)


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
    facts: dict[str, object] = {"name": name, "version": info.ref.version, "path": info.ref.path}
    facts |= {"columns": dict(info.columns), "keys": list(info.keys), "timestamp": info.timestamp}
    return facts | {"created": info.created, "description": info.description}
