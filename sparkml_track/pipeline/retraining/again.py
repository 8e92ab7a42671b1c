"""The retraining: the steps of the config file again, the sweep warm-started from the last one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sparkml_track.config.settings import Settings
from sparkml_track.errors import ConfigError, DataError
from sparkml_track.pipeline.outcome import Facts
from sparkml_track.pipeline.preflight import preflight
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.retraining.decision import Decision, decide
from sparkml_track.pipeline.retraining.record import Record, read_record, write_record
from sparkml_track.pipeline.retraining.standing import Standing
from sparkml_track.pipeline.steps import run_step
from sparkml_track.pipeline.steps.sweep import Swept
from sparkml_track.slot.host.lock import exclusive_lock

__all__ = ["Retrained", "retrain"]

_NAME = 55  # characters of the sweep's name that are kept before "-retrain"


@dataclass(frozen=True)
class Retrained:
    """What came of it.

    Attributes:
        decision: whether it began, and why.
        facts: of its steps.
    """

    decision: Decision
    facts: dict[str, Facts]


def retrain(settings: Settings, standing: Standing, *, dry_run: bool = False, now: datetime | None = None) -> Retrained:
    """Begins a retraining if the last verdict says so and the last one is long enough ago, or goes on with one.

    What a process that was killed has begun counts: the next call goes on with it, with the steps that have not ended
    and with the same sweep. A candidate goes through the gate of the step ``register`` like any other.

    Args:
        settings: with ``monitor.retrain``.
        standing: the last verdict.
        dry_run: only decide.
        now: with a time zone; None for the clock's.

    Raises:
        ConfigError: there is no ``monitor.retrain``, or a step cannot be run.
        SparkmlError: as the steps say; the retraining goes on with the next call.
    """
    section = None if settings.monitor is None else settings.monitor.retrain
    if section is None:
        raise ConfigError(f"{settings.file}: there is no section monitor.retrain, which says when; add one")
    if missing := [step for step in section.steps if getattr(settings, step) is None]:
        place = settings.at("monitor.retrain")
        raise ConfigError(f"{place}: there is no section {missing[0]!r}, which is one of its steps; add one")
    path = settings.home.step(settings.name, "retrain")
    decision = decide(section, standing, read_record(path), now or datetime.now(UTC))
    if dry_run or not decision.begin:
        return Retrained(decision, {})
    preflight(settings, section.steps)
    record = decision.goes_on or _begun(settings, standing, path, now or datetime.now(UTC))
    if record is None:  # another process has begun one meanwhile
        return Retrained(decide(section, standing, read_record(path), now or datetime.now(UTC)), {})
    return Retrained(decision, _run(settings, record, path))


def _begun(settings: Settings, standing: Standing, path: Path, now: datetime) -> Record | None:
    """Written before the first step; one process at a time looks and writes."""
    section = settings.monitor.retrain if settings.monitor else None
    assert section is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(path.with_suffix(".lock")):
        last = read_record(path)
        decision = decide(section, standing, last, now)
        if not decision.begin or decision.goes_on:
            return None
        number = 1 if last is None else last.number + 1
        record = Record(number, now, decision.why, standing.run, _last_sweep(settings) if section.warm_start else None)
        write_record(path, record)
        return record


def _last_sweep(settings: Settings) -> str | None:
    """None where the project has had none."""
    project = Project(settings)
    try:
        return project.kept(Swept).sweep
    except DataError:
        return None


def _run(settings: Settings, record: Record, path: Path) -> dict[str, Facts]:
    section = settings.monitor.retrain if settings.monitor else None
    assert section is not None
    changed: dict[str, object] = {
        "name": f"{(settings.sweep.name or settings.name)[:_NAME]}-retrain",
        "warm_start": record.warm_start,
    }
    changed |= {"max_trials": section.max_trials} if section.max_trials else {}
    again = replace(settings, sweep=settings.sweep.model_copy(update=changed), why=f"monitoring said: {record.why}")
    facts: dict[str, Facts] = {}
    for step in section.steps:
        if step not in record.done:
            facts[step] = run_step(step, again).facts()
            record = record.after(step, last=step == section.steps[-1])
            write_record(path, record)
    return facts
