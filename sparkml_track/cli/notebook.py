"""The command ``notebook``: marimo's editor on the notebooks of a project."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import load
from sparkml_track.home import Home
from sparkml_track.notebooks import TEMPLATES, editor_command, editor_environment, write_notebook
from sparkml_track.notebooks.editor import HOST, PORT
from sparkml_track.server.ports import check_port

__all__ = ["register"]

_ABOUT = "; ".join(f"{name} ({about})" for name, about in TEMPLATES.items())


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("notebook")(guarded(notebook))


def notebook(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A notebook, or a folder of them; the current one.")
    ] = None,
    new: Annotated[
        str | None, typer.Option("--new", metavar="TEMPLATE", help=f"Makes FILE, and ends. Templates: {_ABOUT}.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home, and folders of code.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On loopback, on which it listens.")] = PORT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open one.")] = True,
) -> None:
    """Edit notebooks of marimo, with the tables and runs of the home at hand.

    An editor is a shell: it is on this machine's loopback alone, and asks for the token in the address it prints.
    """
    if new is not None:
        made = write_notebook(new, file or Path(f"{new}.py"))
        typer.echo(f"{made}: `sparkml-track notebook {made}` opens it, `python {made}` runs it")
        return
    settings = load(config) if config else None
    command = editor_command(file or Path.cwd(), port, browser=browser)
    check_port(HOST, port)
    home = settings.home if settings else Home.find()
    os.environ.update(editor_environment(home, settings.code if settings else (), os.environ))
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606  # so that Ctrl-C reaches it and no process is left over
