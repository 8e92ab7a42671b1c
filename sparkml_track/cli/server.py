"""MLflow's UI on what is in the home folder."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sparkml_track.adapters.mlflow.links import UI_PORT, runs_link
from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import load
from sparkml_track.errors import SetupError
from sparkml_track.home import Home

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(guarded(ui))


def ui(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On loopback.")] = UI_PORT,
) -> None:
    """Open MLflow's UI on what is in the home folder."""
    settings = load(config) if config else None
    if settings and settings.tracking.uri:
        raise SetupError("runs of this config are on a tracking server, which has its own UI (see `tracking.uri`)")
    home = settings.home if settings else Home.find()
    if not home.database.is_file():
        raise SetupError(f"nothing was tracked in {home.root} yet; run a job first, or name its home by SPARKML_HOME")
    if _in_use(port):
        raise SetupError(f"port {port} is in use; give another one with --port")
    address = f"http://127.0.0.1:{port}"
    typer.echo(f"MLflow's UI on {home.root}: {address} (Ctrl-C ends it)")
    for line in _ways_in(home, address):
        typer.echo(line)
    _serve(home, port)


def _ways_in(home: Home, address: str) -> Iterator[str]:
    """Links to the latest sweep: the first page of MLflow's UI shows none of what a sweep leaves."""
    from sparkml_track.engine.audit.sweep_list import overview

    # Of some: the latest may be tracked elsewhere, or have no run yet.
    found = next((each for each in overview(home.root, 20) if each.run and not each.tracked), None)
    if found is not None:
        yield f"the latest sweep, {found.sweep}: {runs_link(address, found.experiment, found.run)}"
        yield f"its trials beside each other: {runs_link(address, found.experiment)}"


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        # As the server binds: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _serve(home: Home, port: int) -> NoReturn:
    # The server's job runner takes 250 MB and nothing here uses it.
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", home.tracking_uri, "--default-artifact-root", str(home.artifacts)]
    os.execv(sys.executable, command)  # noqa: S606  # so that Ctrl-C reaches it and no process is left over
