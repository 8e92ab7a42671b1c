"""The command ``sql serve``: the tables of a home for clients of JDBC, ODBC and Spark Connect."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_track.adapters.spark.endpoints import Endpoints, start_jdbc, why_ended
from sparkml_track.adapters.spark.errors import is_spark_error
from sparkml_track.address import is_address
from sparkml_track.config.sections.file import SparkSettings
from sparkml_track.config.settings import load
from sparkml_track.errors import InvalidInput, SetupError, SpecError
from sparkml_track.home import Home
from sparkml_track.server.ports import check_port

if TYPE_CHECKING:
    from sparkml_track.api.session import SparkSession
    from sparkml_track.catalog.following import Following

__all__ = ["serve"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h)?")
_SECONDS = {None: 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
_WAY_OUT = "choose another home with SPARKML_HOME, or with home: in the config"
_OPEN = (
    "whoever reaches these ports acts as the user who started this, with all files of that user: the views are no "
    "security boundary"
)


def serve(  # options of a command
    jdbc: Annotated[int, typer.Option(min=0, max=65535, help="Port for JDBC and ODBC; 0 for none.")] = 10000,
    connect: Annotated[int, typer.Option(min=0, max=65535, help="Port for Spark Connect; 0 for none.")] = 15002,
    every: Annotated[
        str, typer.Option(metavar="TIME", help="Between two looks at the tables: 10s, 0.5s, 1min.")
    ] = "10s",
    host: Annotated[str, typer.Option(help="On which it listens; loopback reaches this machine alone.")] = "127.0.0.1",
    auth: Annotated[
        bool, typer.Option("--auth/--no-auth", help="Beyond loopback, refuse to ask nobody for a password.")
    ] = True,
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")] = None,
) -> None:
    """Serve the tables of the home to clients of JDBC, ODBC and Spark Connect, until Ctrl-C.

    Tables are views under their names, air.flights for main.air.flights, at the latest version; they follow it.
    """
    pause = _seconds(every)
    settings = load(config) if config else None
    home, spark = settings.home if settings else Home.find(), settings.spark if settings else SparkSettings()
    endpoints = Endpoints(host, jdbc, connect, home.served / "hive")
    _check(endpoints, spark, auth=auth)
    with _serving(home, spark, endpoints) as (session, following):
        _follow(session, following, pause)


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise InvalidInput(f"--every {text!r} is not a time; write a number and s, min or h, like 10s")
    return float(found[1]) * _SECONDS[found[2]]


def _check(endpoints: Endpoints, spark: SparkSettings, *, auth: bool) -> None:
    if not endpoints.jdbc and not endpoints.connect:
        raise InvalidInput("--jdbc 0 and --connect 0 leave nothing to serve; give one of them a port")
    if endpoints.jdbc == endpoints.connect:
        raise InvalidInput(f"--jdbc and --connect are both {endpoints.jdbc}; give them two ports")
    if spark.master.startswith("sc://"):
        raise InvalidInput(
            f"a server needs a driver of its own, and spark.master is {spark.master}; name a classic one"
        )
    unguarded = endpoints.open_to_all(spark.conf)
    if unguarded and auth and not endpoints.is_local:
        raise SpecError(
            f"on {endpoints.host} anybody on the network could run code as this user by {' and by '.join(unguarded)}; "
            "or give --no-auth if something else keeps strangers out"
        )
    for option, port in (("--jdbc", endpoints.jdbc), ("--connect", endpoints.connect)):
        if port:
            check_port(endpoints.host, port, option)


@contextmanager
def _serving(home: Home, spark: SparkSettings, endpoints: Endpoints) -> Iterator[tuple[SparkSession, Following]]:
    """Everything that is started, and ended in the other order."""
    from sparkml_track.api.session import local_or_active
    from sparkml_track.catalog.following import Following
    from sparkml_track.sql import serve_views
    from sparkml_track.tables import DeltaTables

    if is_address(home.tables_root):
        raise SetupError(
            f"the tables lie in {home.tables_root}, and only those of a local or mounted path are served; ask by "
            "sparkml-track sql"
        )
    tables = DeltaTables(home.tables_root)
    if not tables.names():
        raise SetupError(
            f"there are no tables in {home.tables_root}; write one first, or name their home by SPARKML_HOME"
        )
    with ExitStack() as stack:
        folder = stack.enter_context(_emptied(home.make()))
        settings = SparkSettings(master=spark.master, conf={**spark.conf, **endpoints.conf()})
        session = local_or_active(settings, home, "sparkml-track sql serve")
        stack.callback(_quietly, session.stop)
        following = Following(tables, serve_views(session, folder))
        # A client that is let in finds the tables there.
        moved = following.look()
        if endpoints.jdbc:
            stack.callback(_quietly, start_jdbc(session, endpoints))
        _report(endpoints, moved)
        yield session, following


@contextmanager
def _emptied(home: Home) -> Iterator[Path]:
    """A folder for links, empty at both ends: what a killed server left goes first."""
    from sparkml_track.engine.storage.held_folder import LOCK, held

    def empty() -> None:
        for path in home.served.iterdir():
            if path.name != LOCK:
                shutil.rmtree(path, ignore_errors=True)

    with held(home.served, "the tables of this home are served", _WAY_OUT):
        empty()
        try:
            yield home.served / "links"
        finally:
            empty()


def _quietly(stop: Callable[[], None]) -> None:
    """Stops what may be gone: with the JVM all has ended."""
    try:
        stop()
    except Exception as error:
        if not is_spark_error(error) and not isinstance(error, SetupError | OSError):
            raise


def _report(endpoints: Endpoints, moved: dict[str, int]) -> None:
    for name, version in sorted(moved.items()):
        typer.echo(f"serving {name}@{version}")
    where = "localhost" if endpoints.is_local else endpoints.host
    if endpoints.jdbc:
        typer.echo(f"JDBC and ODBC: jdbc:hive2://{where}:{endpoints.jdbc}")
    if endpoints.connect:
        typer.echo(f"Spark Connect: sc://{where}:{endpoints.connect}")
    typer.echo(f"Ctrl-C ends it; {_OPEN}")


def _follow(session: SparkSession, following: Following, pause: float) -> None:
    waiting = threading.Event()
    while not waiting.wait(pause):
        if reason := why_ended(session):
            raise SetupError(f"the driver's JVM has ended ({reason}), and the server with it; start it again")
        for name, version in following.look().items():
            typer.echo(f"serving {name}@{version}")
