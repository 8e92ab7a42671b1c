"""The command line: ``sparkml-track run CONF``, a command for each step, for sweeps and for the tracking UI.

Nothing heavy is imported before a command begins, so help and wrong input answer at once. Exit codes: 0 done, 1 an
error, 2 wrong input (nothing was started), 3 ``verify`` or ``reproduce`` found differences or ``features audit`` a
leak, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version as installed

import typer

from sparkml_track.cli import alert, catalog, guide, notebook, pipeline, runs, server, sweeps
from sparkml_track.cli.dashboards import command as dashboards
from sparkml_track.cli.jobs import command as jobs
from sparkml_track.cli.jobs import scheduling
from sparkml_track.cli.models import command as models
from sparkml_track.cli.serving import command as serving
from sparkml_track.cli.sql import command as sql
from sparkml_track.cli.steps import command as steps
from sparkml_track.cli.steps import deploying, features, retraining, scoring

__all__ = ["app", "job", "main"]

app = typer.Typer(
    name="sparkml-track",
    help="Hyperparameter sweeps on Apache Spark, tracked in MLflow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

steps.register(app)
deploying.register(app)
scoring.register(app)
features.register(app)
retraining.register(app)
sweeps.register(app)
runs.register(app)
server.register(app)
dashboards.register(app)
notebook.register(app)
serving.register(app)
sql.register(app)
catalog.register(app)
models.register(app)
alert.register(app)
jobs.register(app)
scheduling.register(app)
pipeline.register(app)
guide.register(app)


@app.command()
def version() -> None:
    """Show the version."""
    typer.echo(installed("sparkml-track"))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command ``sparkml-track``.

    Args:
        arguments: without the program's name; those of the process by default.
    """
    _hold_standard_descriptors()
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    # Raises where the main thread is, so that whoever runs can end what it started.
    signal.signal(signal.SIGTERM, _terminated)
    _log_to_stderr()
    try:
        app(args=None if arguments is None else list(arguments), prog_name="sparkml-track")
    finally:
        _forgive_stderr()


def _forgive_stderr() -> None:
    """What cannot be said to a terminal that is gone is no reason for Python to end with a code of its own, 120."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - until the process ends


def _hold_standard_descriptors() -> None:
    """Else the next file that is opened gets the number of a closed stdout, and libraries print into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Gets the lowest number that is free: this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _log_to_stderr() -> None:
    handler = _Stderr()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("sparkml_track")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        # pyspark prints errors with all of their Java frames, and raises them as well.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


class _Stderr(logging.Handler):
    """Writes to the stderr of the moment, which is a progress bar's own while one is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        # A terminal that is gone, or a full disk, costs the message and nothing else; without one there is no stderr.
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(self.format(record) + "\n")


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def job(step: str) -> None:
    """A step as a job for spark-submit: ``spark-submit jobs/sweep.py --config conf/project.yaml``."""
    main([step, *sys.argv[1:]])
