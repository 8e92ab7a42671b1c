"""The command ``scheduler``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from sparkml_track.cli.guard import guarded
from sparkml_track.cli.jobs.words import hung_up, told
from sparkml_track.errors import InvalidInput

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(guarded(scheduler))


def scheduler(
    configs: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help="Config files of one home.")],
    poll: Annotated[float, typer.Option("--poll", min=0.1, help="Seconds between looks at tables and files.")] = 10.0,
    form: Annotated[
        str | None,
        typer.Option("--print", metavar="FORM", help="Start nothing; print what systemd or cron takes instead."),
    ] = None,
) -> None:
    """Start jobs when their schedules, tables and files say so, until it is interrupted, which ends their runs."""
    from sparkml_track.jobs.records.lock import scheduler_lock
    from sparkml_track.jobs.scheduling.children import Children
    from sparkml_track.jobs.scheduling.printed import FORMS, printed
    from sparkml_track.jobs.scheduling.scheduler import Scheduler, automatic, read_configs

    if form not in (None, *FORMS):
        raise InvalidInput(f"--print must be one of {', '.join(FORMS)}, not {form!r}")
    read = read_configs(configs)
    if form is not None:
        for line in printed(form, read):
            told(line)
        return
    home = read[0].home.make()
    with scheduler_lock(home), hung_up():
        made = Scheduler(read, Children(), told, poll)
        names = [name for settings in read for name, job in settings.jobs.items() if automatic(job)]
        told(f"scheduler of {home.root}: {', '.join(names)}; Ctrl-C ends it and its runs")
        try:
            while True:
                # A clock that is put forward, or a machine that slept, is noticed within a minute.
                time.sleep(min(made.turn(), 60.0))
        finally:
            made.close()
