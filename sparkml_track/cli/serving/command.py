"""The command ``serve``: its options, and one process."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.serving.workers import Inherited, Workers
from sparkml_track.errors import SetupError

if TYPE_CHECKING:
    from sparkml_track.config.serving import EndpointFile
    from sparkml_track.registries import Registry
    from sparkml_track.serving import Serving

__all__ = ["register"]

_ALIVE = 0.5
_GRACE = 20.0  # seconds that a worker has beyond those of a request


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(guarded(serve))


def serve(  # noqa: PLR0913  # options of a command
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The registered name.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Of the endpoint.")] = None,
    host: Annotated[str | None, typer.Option(help="On which it listens; loopback by default.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="On which it listens; 5001 by default.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.")] = None,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The token that requests must bear.")] = None,
    inherited: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Serve a registered model over HTTP, in MLflow's scoring protocol, until Ctrl-C."""
    from sparkml_track.config.serving import endpoint_of, read_endpoint

    given = {
        "host": host,
        "port": port,
        "workers": workers,
        "token_file": None if token_file is None else str(token_file.absolute()),
    }
    overrides = {name: value for name, value in given.items() if value is not None}

    def read() -> EndpointFile:
        found = read_endpoint(config)
        return replace(found, settings=found.settings.model_copy(update=overrides))

    found = read()
    spec = endpoint_of(model, found)
    # Requests are answered side by side; threads inside each of them only wait for each other.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with _until_signalled(quiet=bool(inherited)) as stop:
        if inherited or found.settings.workers == 1:
            _serve_here(spec, found, lambda: endpoint_of(model, read()), stop, inherited)
        else:
            options = [("--config", config), *((f"--{name.replace('_', '-')}", overrides.get(name)) for name in given)]
            arguments = [word for name, value in options if value is not None for word in (name, str(value))]
            _serve_by_workers(spec, ["serve", model, *arguments], found.settings.workers, stop)


def _serve_here(
    spec: Serving, found: EndpointFile, refresh: Callable[[], Serving], stop: threading.Event, inherited: str
) -> None:
    from sparkml_track import serving
    from sparkml_track.engine.garbage import collecting_new_only
    from sparkml_track.online_stores import features_of_rows, open_online_store
    from sparkml_track.tables import DeltaTables

    # Commits and shadows compute beside requests; a request waits a millisecond for them at most, not five.
    sys.setswitchinterval(0.001)
    parent = Inherited.parse(inherited) if inherited else None
    registry, store = _registry(found), open_online_store(found.online_store)
    served = serving.serve(
        spec,
        registry,
        DeltaTables(found.home.tables_root, lineage=False) if spec.recording else None,
        open_features=lambda carried: features_of_rows(carried, store, allow_code="code" in found.settings.formats),
        refresh=refresh,
        listening=None if parent is None else socket.socket(fileno=parent.listening),
        counts=None if parent is None else parent.counts,
    )
    try:
        if parent is None:
            _announce(spec, served.url)
        else:
            parent.ready()
            parent.watch(stop)
        gc.collect()
        # Over all that was imported a collection takes a quarter of a second, in which nothing is answered.
        with collecting_new_only():
            while not stop.wait(_ALIVE):
                if not served.alive():
                    raise SetupError("the server ended by itself; the log says why")
    finally:
        served.close()
        registry.close()
        store.close()


def _serve_by_workers(spec: Serving, arguments: list[str], count: int, stop: threading.Event) -> None:
    from sparkml_track.serving import bind

    with bind(spec.host, spec.port) as listening:
        host, port = listening.getsockname()[:2]
        _announce(spec, f"http://{host}:{port}", f" by {count} processes")
        Workers(arguments, listening, count, spec.limits.seconds + _GRACE).run(stop)


def _announce(spec: Serving, url: str, by: str = "") -> None:
    typer.echo(f"serving {spec.model} on {url}/invocations{by} (Ctrl-C ends it)")
    if spec.recording is not None:
        typer.echo(f"inference tables: {spec.recording.tables}_payload, {spec.recording.tables}_rows")


def _registry(found: EndpointFile) -> Registry:
    from sparkml_track import objective
    from sparkml_track.adapters.mlflow.ambient import ambient
    from sparkml_track.registries import MlflowRegistry

    uri = found.settings.tracking or ambient().uri
    if uri is None and not found.home.database.is_file():
        raise SetupError(
            f"no model was registered in {found.home.root} yet; register one, or name the store by tracking: or the "
            "home by SPARKML_HOME"
        )
    # Stored models may be of the project's own classes.
    objective.find_code(found.code)
    return MlflowRegistry(uri or found.home.tracking_uri, formats=found.settings.formats, lineage=False)


@contextmanager
def _until_signalled(*, quiet: bool) -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; afterwards the process ends as those say, a worker as if by itself."""
    stop, seen = threading.Event(), list[int]()

    def end(number: int, _: FrameType | None) -> None:
        seen.append(number)
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if quiet:
        return
    if signal.SIGINT in seen:
        raise KeyboardInterrupt
    if seen:
        raise SystemExit(128 + seen[0])
