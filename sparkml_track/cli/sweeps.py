"""Commands about the accounting of sweeps: ``stop``, ``resume``, ``extend``, ``reproduce``, ``verify``, ``sweeps``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from sparkml_track.cli.console import print_table
from sparkml_track.cli.guard import guarded
from sparkml_track.cli.steps.command import run_steps
from sparkml_track.cli.steps.voices import AsJson, Quiet, voice_of
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import InvalidInput, SparkmlError, SpecError
from sparkml_track.home import Home

if TYPE_CHECKING:
    from sparkml_track.engine.records.types import Plan

__all__ = ["register"]

_Config = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Names the home.")]

#: What ``verify`` ends with when it found differences.
DIFFERS = 3


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("stop")(guarded(_stop))
    app.command("resume")(guarded(_resume))
    app.command("extend")(guarded(_extend))
    app.command("reproduce")(guarded(_reproduce))
    app.command("verify")(guarded(_verify))
    app.command("sweeps")(guarded(_sweeps))


def _stop(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep id; see `sparkml-track sweeps`.")],
    config: _Config = None,
) -> None:
    """End a sweep that runs elsewhere, as Ctrl-C there: what is known is published, and resume goes on."""
    from sparkml_track.engine.publishing.finish import way_on
    from sparkml_track.engine.records.entries import plan_of
    from sparkml_track.journals import ask_to_stop, read

    home = _home(load(config) if config else None)
    driver = ask_to_stop(home.root, sweep)
    if driver is None:
        raise InvalidInput(f"nobody runs sweep {sweep}; `sparkml-track sweeps` lists how sweeps stand")
    plan = plan_of(read(home.root, sweep))
    typer.echo(
        f"sweep {sweep} is asked to stop: pid {driver.pid} on host {driver.host} hears it within some seconds, ends "
        f"what runs and publishes what is known; {way_on(sweep, {} if plan is None else plan.origin)}"
    )


def _resume(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep id; see `sparkml-track sweeps`.")],
    config: _Config = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Execute failed trials again.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a sweep: what was accepted is kept, the rest is executed."""
    voice = voice_of(quiet=quiet, as_json=as_json)
    settings = load(config or _config_of(sweep))
    failures = settings.sweep.failures.model_copy(update={"retry_failed": retry_failed})
    section = settings.sweep.model_copy(update={"resume": sweep, "failures": failures})
    run_steps(replace(settings, sweep=section), ["sweep"], voice)


def _extend(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="A sweep id; see `sparkml-track sweeps`.")],
    max_trials: Annotated[int, typer.Option("--max-trials", min=1, help="In all, more than it has.")],
    config: _Config = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a sweep, also one that has finished, to more trials."""
    voice = voice_of(quiet=quiet, as_json=as_json)
    from sparkml_track.engine.audit.load import loaded

    has = loaded(sweep, Home.find().root).result.counts.planned
    if max_trials <= has:
        raise InvalidInput(f"--max-trials is {max_trials}; sweep {sweep} has {has}, allowed is more")
    settings = load(config or _config_of(sweep))
    section = settings.sweep.model_copy(update={"resume": sweep, "max_trials": max_trials})
    run_steps(replace(settings, sweep=section), ["sweep"], voice)


def _reproduce(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A sweep id, or the id of its parent run.")],
    trial: Annotated[int | None, typer.Option(min=0, help="Its number; the best one by default.")] = None,
    config: _Config = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Relative, for metrics to be the same.")] = 1e-9,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Execute a trial again with its params and seed, and compare its metrics; exit 3 if any differs."""
    from sparkml_track.pipeline.reproduce import reproduce

    settings = load(config or _config_of(run))
    again = reproduce(settings, run, trial)
    rows = again.compared(tolerance)
    if as_json:
        typer.echo(json.dumps({"sweep": again.sweep, "trial": again.trial, "changed": again.changed, "metrics": rows}))
    else:
        for line in again.changed:
            typer.echo(f"changed since: {line}")
        table = Table("metric", "was", "is", "same", box=None)
        for row in rows:
            table.add_row(*(str(row[name]) for name in ("metric", "was", "is")), "yes" if row["same"] else "no")
        print_table(table)
    if not all(row["same"] for row in rows):
        typer.echo(f"trial {again.trial} of sweep {again.sweep} gave other metrics", err=True)
        raise SystemExit(DIFFERS)
    typer.echo(f"trial {again.trial} of sweep {again.sweep} gave the same metrics", err=as_json)


def _verify(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A sweep id, or the id of its parent run.")],
    config: _Config = None,
    tracking_uri: Annotated[str | None, typer.Option(help="If the sweep was tracked elsewhere.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Publish what is missing, end the parent run.")] = False,
) -> None:
    """Check a sweep's accounting against its journal; exit 3 if anything differs."""
    from sparkml_track.engine.audit.verify import verify

    settings = load(config) if config else None
    uri = tracking_uri or (settings.tracking.uri if settings else _uri_of(run))
    found = verify(run, home=_home(settings).root, tracking_uri=uri, repair=repair)
    for line in found.repaired:
        typer.echo(f"repaired: {line}")
    for line in found.differences:
        typer.echo(line)
    if not found.clean:
        typer.echo(f"sweep {found.sweep}: {len(found.differences)} differences")
        raise SystemExit(DIFFERS)
    typer.echo(f"sweep {found.sweep}: {found.trials} trials, all as the journal says, digest {found.digest[:16]}")


def _uri_of(sweep: str) -> str | None:
    """The tracking URI in the config file that a sweep was started with, if its journal keeps it without secrets."""
    from sparkml_track.trackers import redacted

    try:
        plan = _plan_of(sweep)
        config = _config_in(plan)
        if plan is None or config is None:  # a sweep of a script
            return None
        uri = load(config).tracking.uri
    except (SparkmlError, OSError):  # a run id, or a config that has changed
        return None
    kept = plan.spec.tracking.uri
    return uri if uri and kept and redacted(uri) == kept else None


def _plan_of(sweep: str) -> Plan | None:
    """What the journal of a sweep begins with.

    Raises:
        JournalError: there is no such sweep, or its plan cannot be read.
    """
    from sparkml_track.engine.records.entries import plan_of
    from sparkml_track.journals import read

    return plan_of(read(Home.find().root, sweep))


def _config_in(plan: Plan | None) -> Path | None:
    config = None if plan is None else plan.origin.get("config")
    return None if config is None else Path(str(config))


def _sweeps(
    config: _Config = None,
    last: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
) -> None:
    """List the sweeps of the home folder: state, counts, age, resumable or not.

    Parent runs of drivers that died are ended, where no call goes on with them.
    """
    from sparkml_track.engine.audit.left_behind import end_left_behind
    from sparkml_track.engine.audit.sweep_list import overview

    home = _home(load(config) if config else None)
    for sentence in end_left_behind(home.root):
        typer.echo(sentence, err=True)
    found = overview(home.root, last)
    if not found:
        typer.echo(f"no sweeps in {home.place}")
        return
    columns = ("sweep", "state", "finished", "pruned", "failed", "killed", "running", "not started", "age")
    table = Table(*columns, "resumable", "note", box=None)
    for one in found:
        counts = one.counts
        numbers = ("finished", "pruned", "failed", "killed", "running", "not_started")
        figures = [str(getattr(counts, name)) if counts else "" for name in numbers]
        table.add_row(one.sweep, one.state, *figures, _age(one.age), "yes" if one.resumable else "no", one.note)
    print_table(table)


def _home(settings: Settings | None) -> Home:
    return settings.home if settings else Home.find()


def _config_of(sweep: str) -> Path:
    """The config file a sweep was started with.

    Raises:
        SpecError: it was started from Python.
        JournalError: there is no such sweep.
    """
    plan = _plan_of(sweep)
    config = _config_in(plan)
    if plan is not None and "door" in plan.origin:
        instead = plan.origin.get("once") or f"{plan.origin['door']} goes on"
        raise SpecError(
            f"sweep {sweep!r} was started by a front door, so this command cannot start it again; {instead}"
        )
    if config is None:
        raise SpecError(
            f"sweep {sweep!r} was not started from a config file, so this command cannot start it again; run its "
            f"script again, or call sweep(..., resume={sweep!r}). If it was, name the file: --config FILE"
        )
    return config


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
