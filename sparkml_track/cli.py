"""The command line: ``sparkml-track run CONF``, one command for each step, and the tracking UI.

Nothing heavy is imported before a command begins, so help and wrong input answer at once. Exit codes: 0 done, 1 an
error, 2 wrong input (nothing was started), 3 ``verify`` found differences, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, NoReturn, ParamSpec

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sparkml_track._accounting_cli import register
from sparkml_track.errors import ConfigError, SetupError, SparkmlError
from sparkml_track.home import Home
from sparkml_track.settings import Settings, load

__all__ = ["app", "job", "main"]

STEPS = ("prepare", "features", "sweep", "register", "score", "monitor")

app = typer.Typer(
    name="sparkml-track",
    help="Hyperparameter sweeps on Apache Spark, tracked in MLflow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Given = ParamSpec("Given")
Config = Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="The config file.")]


def guarded(command: Callable[Given, None]) -> Callable[Given, None]:
    """Ends a command with one message and the exit code of its error; only a defect shows a traceback."""

    @wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SparkmlError as error:
            Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {error}", markup=False, style="red")
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            Console(stderr=True).print("interrupted")
            raise SystemExit(130) from None
        except SystemExit as ended:
            if ended.code == 128 + signal.SIGTERM:
                Console(stderr=True).print("ended by SIGTERM")
            raise

    return run


@app.command()
@guarded
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file, such as conf/project.yaml.")],
) -> None:
    """Run all steps of a config file: prepare, features, sweep, register, score, monitor."""
    settings = load(config)
    _steps(settings, [step for step in STEPS if getattr(settings, step) is not None])


def _step(name: str, text: str) -> None:
    @guarded
    def command(config: Config) -> None:
        settings = load(config)
        if getattr(settings, name) is None:
            raise ConfigError(f"{config}: there is no section {name!r}, so there is nothing to {name}; add one")
        _steps(settings, [name])

    app.command(name, help=text)(command)


_step("prepare", "Write the raw tables.")
_step("features", "Make the feature tables and the training set.")
_step("sweep", "Search; one parent run, a child run for each trial.")
_step("register", "Refit the best parameters, compare with the champion, register.")
_step("score", "Score rows on Spark with the champion.")
_step("monitor", "Compare features, predictions and quality with the training rows, period by period.")


def _steps(settings: Settings, steps: Sequence[str]) -> None:
    from sparkml_track.preflight import preflight
    from sparkml_track.steps import run_step

    preflight(settings, steps)
    settings.home.make()
    # Paths and commands are for copying: never broken.
    console = Console(highlight=False, soft_wrap=True)
    told: dict[str, Mapping[str, object]] = {}
    try:
        for number, step in enumerate(steps, start=1):
            console.print(f"[bold]==> {step}[/bold] ({number} of {len(steps)})")
            told[step] = run_step(step, settings)
    finally:
        # What was reached is told even where a later step fails.
        if told:
            _summary(told, settings, console)


def _summary(told: Mapping[str, Mapping[str, object]], settings: Settings, console: Console) -> None:
    """What the steps gave: a line for each fact, a table where a fact has rows of figures."""
    console.rule(f"{settings.name}: summary")
    for step, facts in told.items():
        for name, fact in facts.items():
            if isinstance(fact, Mapping) and fact and all(isinstance(row, Mapping) for row in fact.values()):
                console.print(_table(f"{step}: {name}", fact))
            else:
                console.print(f"[bold]{step}[/bold] {name}: {_shown(fact)}")
    console.print(f"[bold]home[/bold] {settings.home.root}")
    console.print(f"[bold]MLflow's UI[/bold] sparkml-track ui --config {os.path.relpath(settings.file)}")


def _table(title: str, rows: Mapping[str, Mapping[str, object]]) -> Table:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    table = Table("", *columns, title=title, title_justify="left")
    for name, row in rows.items():
        table.add_row(str(name), *(_shown(row.get(column, "")) for column in columns))
    return table


def _shown(fact: object) -> str:
    if isinstance(fact, Mapping):
        return ", ".join(f"{name}={_shown(value)}" for name, value in fact.items())
    return f"{fact:.5g}" if isinstance(fact, float) else escape(str(fact))


register(app, guarded, _steps)


@app.command()
@guarded
def ui(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On loopback.")] = 5000,
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
    typer.echo(f"MLflow's UI on {home.root}: http://127.0.0.1:{port} (Ctrl-C ends it)")
    _serve(home, port)


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


@app.command()
def version() -> None:
    """Show the version."""
    typer.echo(installed("sparkml-track"))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command ``sparkml-track``.

    Args:
        arguments: without the program's name; those of the process by default.
    """
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # Raises where the main thread is, so that whoever runs can end what it started.
    signal.signal(signal.SIGTERM, _terminated)
    _log_to_stderr()
    app(args=None if arguments is None else list(arguments), prog_name="sparkml-track")


def _log_to_stderr() -> None:
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("sparkml_track")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _Stderr(logging.Handler):
    """Writes to the stderr of the moment, which is a progress bar's own while one is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def job(step: str) -> None:
    """A step as a job for spark-submit: ``spark-submit jobs/sweep.py --config conf/project.yaml``."""
    main([step, *sys.argv[1:]])
