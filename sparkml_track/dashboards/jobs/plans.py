"""What the config file of a job says now: its tasks, and when it starts by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sparkml_track.adapters.cron import Cron
from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.config.settings import Settings, load
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import SparkmlError
from sparkml_track.jobs.records.lock import scheduler_holder

__all__ = ["Plan", "next_time", "plan_of", "starts", "who_schedules"]


@dataclass(frozen=True)
class Plan:
    """A job as its file has it.

    Attributes:
        job: None where the file cannot be read, or has no such job any more.
        problem: why.
    """

    job: JobSettings | None
    problem: str = ""


def plan_of(page: Page, config: str, name: str) -> Plan:
    """A job of a config file, which is read again only after it changed."""
    file = Path(config)
    try:
        status = file.stat()
        settings = page.kept.get(("config", config), (status.st_mtime_ns, status.st_size), lambda: _read(file))
    except OSError as error:
        return Plan(None, f"the config file {config} cannot be read ({error.strerror or error})")
    if isinstance(settings, str):
        return Plan(None, settings)
    job = settings.jobs.get(name)
    return Plan(job) if job else Plan(None, f"{config} has no job {name!r} any more")


def next_time(job: JobSettings, now: datetime) -> datetime | None:
    """The next time of its schedule, in UTC; None without one, or where schedules cannot be read here."""
    if job.schedule is None:
        return None
    try:
        return Cron(job.schedule, job.timezone).next(now)
    except (SparkmlError, StopIteration):
        return None


def starts(job: JobSettings) -> str:
    """What starts it by itself."""
    said = [f"{job.schedule} ({job.timezone})"] if job.schedule else []
    said += [f"a new version of {name}" for name in job.triggers.tables]
    said += [f"files {pattern}" for pattern in job.triggers.files]
    return ", ".join(said)


def who_schedules(page: Page) -> str:
    """The process that starts jobs; "" if there is none."""
    found = scheduler_holder(page.home)
    return f"pid {found.pid} on {found.host}" if found else ""


def _read(file: Path) -> Settings | str:
    try:
        return load(file)
    except SparkmlError as error:
        return str(error)
