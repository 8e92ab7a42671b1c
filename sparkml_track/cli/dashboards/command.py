"""Pages of the workspace: which there are, a new one of the project, one as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import load
from sparkml_track.errors import InvalidInput, SetupError

__all__ = ["register"]

_Project = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Whose dashboards/ are meant.", show_default="this folder")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Pages of `sparkml-track ui`.", no_args_is_help=True)
    group.command("ls")(guarded(_ls))
    group.command("new")(guarded(_new))
    group.command("export")(guarded(_export))
    app.add_typer(group, name="dashboards")


def _ls(project: _Project = Path()) -> None:
    """List the pages: the package's, then the project's."""
    from sparkml_track.dashboards.shipped import SHIPPED, own_pages

    table = Table("page", "shows", box=None)
    for page in SHIPPED:
        table.add_row(page.name, page.about)
    for name in own_pages(project):
        table.add_row(f"own/{name}", str(project / "dashboards" / f"{name}.py"))
    print_table(table)


def _new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, - and _.")],
    project: _Project = Path(),
) -> None:
    """Copy a template into the project's dashboards/, where `sparkml-track ui` finds it."""
    from sparkml_track.dashboards.shipped import new_page

    path = new_page(name, project)
    typer.echo(f"made {path}; sparkml-track ui shows it at /lake/own/{name}/ (a server that runs already finds it if")
    typer.echo("the project had a page when it started)")


def _export(  # options of a command
    name: Annotated[str, typer.Argument(metavar="NAME", help="See `dashboards ls`.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A .pdf or .png file.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")] = None,
    query: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Of the page's address.")
    ] = None,
    project: _Project = Path(),
) -> None:
    """Write a page into a file, as a browser draws it; without a network."""
    import os

    from sparkml_track.dashboards.shipped import LAKE, check_page

    if config is not None:
        os.environ["SPARKML_HOME"] = load(config).home.place
    os.environ[LAKE] = str(project.absolute())
    pairs = [word.partition("=") for word in query or ()]
    if wrong := next((key for key, sign, _ in pairs if not (key and sign)), None):
        raise InvalidInput(f"--set is {wrong!r}; allowed is KEY=VALUE, such as --set sweep=ID")
    check_page(name, project)
    if not output.absolute().parent.is_dir():
        raise InvalidInput(f"the folder {output.absolute().parent} is not there")
    try:
        from sparkml_track.server.export import export
    except ImportError:
        raise SetupError("pages need a package that is missing: pip install 'sparkml-track[dash]'") from None
    export(name, output, project.absolute(), {key: value for key, _, value in pairs})
    typer.echo(f"wrote {output}")
