"""The tracking server, and MLflow's UI on what is in the home folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sparkml_track.adapters.mlflow.links import PAGES, UI_PORT, runs_link
from sparkml_track.cli.guard import guarded
from sparkml_track.config.settings import load
from sparkml_track.errors import SetupError, SpecError
from sparkml_track.home import Home
from sparkml_track.server.command import ServerSpec, command, environment, first_password, make_first_account, make_keys
from sparkml_track.server.ports import check_port

__all__ = ["register"]

Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]
Host = Annotated[str, typer.Option(help="On which it listens; loopback reaches this machine alone.")]
Auth = Annotated[bool | None, typer.Option("--auth/--no-auth", help="Accounts, by MLflow's basic-auth.")]
AllowedHosts = Annotated[str, typer.Option(metavar="NAMES", help="By which browsers reach it.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="On which it listens.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(guarded(ui))
    app.command()(guarded(server))


def ui(
    config: Config = None,
    host: Host = "127.0.0.1",
    port: Port = UI_PORT,
    auth: Auth = None,
    allowed_hosts: AllowedHosts = "",
    project: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Whose dashboards/ are shown too.", show_default="this one")
    ] = Path(),
) -> None:
    """Open the dashboards and MLflow's UI on what is in the home folder."""
    settings = load(config) if config else None
    if settings and settings.tracking.uri:
        raise SetupError("runs of this config are on a tracking server, which has its own UI (see `tracking.uri`)")
    home = (settings.home if settings else Home.find()).make()
    spec = ServerSpec(home, home.tracking_uri, host=host, port=port, auth=bool(auth), allowed_hosts=allowed_hosts)
    spec = replace(spec, lake=project.absolute() if _has_pages() else None)
    _check_open(spec, auth)
    check_port(spec.host, spec.port)
    _make_store(spec)
    address = f"http://{host}:{port}"
    pages = f"{address}{PAGES}/home/" if spec.lake else "need more: pip install 'sparkml-track[dash]'"
    typer.echo(f"dashboards on {home.place}: {pages}")
    typer.echo(f"MLflow's UI: {address} (Ctrl-C ends both)")
    for line in _ways_in(home, address):
        typer.echo(line)
    _make_accounts(spec)
    _serve(spec)


def server(  # noqa: PLR0913  # options of a command
    config: Config = None,
    host: Host = "127.0.0.1",
    port: Port = UI_PORT,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    store: Annotated[
        str, typer.Option(metavar="URI", envvar="MLFLOW_BACKEND_STORE_URI", help="Database; by default the home's.")
    ] = "",
    artifacts: Annotated[str, typer.Option(metavar="URI", help="Where files go; by default into the home.")] = "",
    auth: Auth = None,
    allowed_hosts: AllowedHosts = "",
) -> None:
    """Start a tracking server: MLflow's, which also takes many child runs in one call."""
    home = (load(config).home if config else Home.find()).make()
    spec = ServerSpec(
        home=home,
        store=store or home.tracking_uri,
        artifacts=artifacts or str(home.artifacts),
        host=host,
        port=port,
        workers=workers,
        auth=bool(auth),
        allowed_hosts=allowed_hosts,
    )
    _check_open(spec, auth)
    check_port(spec.host, spec.port)
    _make_store(spec)
    typer.echo(f"tracking server on http://{host}:{port} (Ctrl-C ends it)")
    _make_accounts(spec)
    _serve(spec)


def _has_pages() -> bool:
    return find_spec("marimo") is not None


def _check_open(spec: ServerSpec, auth: bool | None) -> None:
    if auth is None and not spec.is_local:
        raise SpecError(
            f"on {spec.host} anybody on the network could read, change and delete runs: add --auth for accounts, or "
            "--no-auth if something else keeps strangers out"
        )


def _make_accounts(spec: ServerSpec) -> None:
    if spec.auth:
        make_keys(spec.home)
        if found := first_password(spec.home, os.environ):
            typer.echo(f"the first account is admin; its first password is in {found}")


def _ways_in(home: Home, address: str) -> Iterator[str]:
    """Links to the latest sweep: the first page of MLflow's UI shows none of what a sweep leaves."""
    from sparkml_track.engine.audit.sweep_list import overview

    # Of some: the latest may be tracked elsewhere, or have no run yet.
    found = next((each for each in overview(home.root, 20) if each.run and not each.tracked), None)
    if found is not None:
        yield f"the latest sweep, {found.sweep}: {runs_link(address, found.experiment, found.run)}"
        yield f"its trials beside each other: {runs_link(address, found.experiment)}"


def _make_store(spec: ServerSpec) -> None:
    """Makes the tables once, before workers would do so at the same time, and says what is wrong with them."""
    from sparkml_track.trackers.receiving import make_store

    make_store(spec.store, spec.default_root)


def _serve(spec: ServerSpec) -> NoReturn:
    os.environ.update(environment(spec, os.environ))
    if spec.auth:
        make_first_account()
    os.execv(sys.executable, command(spec))  # noqa: S606  # so that Ctrl-C reaches it and no process is left over
