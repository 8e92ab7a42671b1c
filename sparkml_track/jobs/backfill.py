"""A run for each of many dates. It is resumed by asking for the same again: dates that succeeded are passed over."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sparkml_track.adapters.cron import zone_of
from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.config.settings import Settings
from sparkml_track.errors import InvalidInput
from sparkml_track.jobs.clock import Clock, SystemClock
from sparkml_track.jobs.course.states import RunState
from sparkml_track.jobs.records.lock import JobLock, job_lock
from sparkml_track.jobs.records.orders import Order, run_id
from sparkml_track.jobs.records.views import Run, read_runs
from sparkml_track.jobs.repair import ENDING, repair_locked
from sparkml_track.jobs.run import Say
from sparkml_track.jobs.start import attempt, check, job_of, system_of
from sparkml_track.jobs.tasks.parameters import Value, given_values

__all__ = ["EVERY", "Filled", "Span", "backfill", "moments"]

EVERY = ("hour", "day", "week", "month")
_CAUSE = "backfill"
_MOST = 10_000


@dataclass(frozen=True)
class Span:
    """Which dates.

    Attributes:
        first: the first date.
        last: the last date at most, itself included.
        every: "hour", "day", "week" or "month".
        newest_first: the order.
        again: whether dates that succeeded are done again, by runs of their own.
    """

    first: date
    last: date
    every: str = "day"
    newest_first: bool = False
    again: bool = False


@dataclass(frozen=True)
class Filled:
    """What became of the dates.

    Attributes:
        succeeded: runs, now.
        failed: runs, now.
        passed: runs that had succeeded before.
    """

    succeeded: tuple[str, ...]
    failed: tuple[str, ...]
    passed: tuple[str, ...]


def backfill(  # noqa: PLR0913  # as ``start``
    settings: Settings,
    name: str,
    span: Span,
    parameters: Mapping[str, str],
    say: Say,
    max_parallel: int | None = None,
    clock: Clock | None = None,
) -> Filled:
    """Runs a job for each date, one after the other. A date that fails does not keep others from their runs.

    Args:
        settings: of the config file.
        name: of the job.
        span: which dates.
        parameters: words by name, of all runs.
        say: takes lines for a person.
        max_parallel: tasks at one time; the job's by default.
        clock: that of this machine by default.

    Raises:
        InvalidInput: the job, the dates or a parameter is wrong; nothing was started.
        JobRunning: a run of the job is under way.
    """
    job, clock = job_of(settings, name), clock or SystemClock()
    values, wanted = given_values(job, name, parameters), moments(job, span)
    one = Order("-", settings.name, name, str(settings.file.absolute()), _CAUSE, wanted[0], values)
    check(settings, one)
    settings.home.make()
    with job_lock(settings.home, settings.name, name, ENDING) as lock:
        return _Filling(settings, one, span, lock, say, max_parallel, clock).fill(wanted)


class _Filling:
    """One backfill, under the lock of its job."""

    def __init__(  # noqa: PLR0913  # all that it goes on with
        self,
        settings: Settings,
        order: Order,
        span: Span,
        lock: JobLock,
        say: Say,
        max_parallel: int | None,
        clock: Clock,
    ) -> None:
        self._settings, self._order, self._span, self._lock = settings, order, span, lock
        self._say, self._most, self._clock = say, max_parallel, clock

    def fill(self, wanted: list[datetime]) -> Filled:
        """Each date in turn."""
        known = {} if self._span.again else self._known()
        ended: dict[str, list[str]] = {"succeeded": [], "failed": [], "passed": []}
        for number, moment in enumerate(wanted, start=1):
            before = known.get(moment)
            if before is not None and before.state is RunState.SUCCEEDED:
                ended["passed"].append(before.id)
                continue
            self._say(f"{moment:%Y-%m-%d %H:%M} UTC ({number} of {len(wanted)})")
            run, state = self._run(moment, before)
            ended["succeeded" if state is RunState.SUCCEEDED else "failed"].append(run)
        return Filled(*(tuple(each) for each in ended.values()))

    def _run(self, moment: datetime, before: Run | None) -> tuple[str, RunState]:
        if before is not None:
            state = repair_locked(
                self._settings, before, self._say, self._lock, max_parallel=self._most, clock=self._clock
            )
            return before.id, state
        order = self._order
        run = run_id(order.project, order.job, moment)
        made = Order(run, order.project, order.job, order.config, _CAUSE, moment, order.parameters)
        return run, attempt(self._settings, made, self._lock, self._say, max_parallel=self._most, clock=self._clock)

    def _known(self) -> dict[datetime, Run]:
        """The last run of an earlier backfill with the same parameters, for each date."""
        home, order = self._settings.home, self._order
        runs = read_runs(system_of(home), home, job=order.job, project=order.project)
        wanted: dict[str, Value] = dict(order.parameters)
        return {run.moment: run for run in runs if run.cause == _CAUSE and dict(run.parameters) == wanted}


def moments(job: JobSettings, span: Span) -> list[datetime]:
    """The beginnings of the hours, days, weeks or months from the first date on, in UTC.

    Raises:
        InvalidInput: there are none, or too many.
    """
    if span.every not in EVERY:
        raise InvalidInput(f"--every must be one of {', '.join(EVERY)}, not {span.every!r}")
    if span.last < span.first:
        raise InvalidInput(f"--to {span.last} is before --from {span.first}; give dates in their order")
    zone = zone_of(job.timezone)
    end = datetime.combine(span.last, time.max, zone).astimezone(UTC)
    made = list[datetime]()
    while (moment := _nth(span, len(made), job)) <= end:
        made.append(moment)
        if len(made) > _MOST:
            raise InvalidInput(f"--from {span.first} --to {span.last} are more than {_MOST:,} runs; give fewer dates")
    return made[::-1] if span.newest_first else made


def _nth(span: Span, number: int, job: JobSettings) -> datetime:
    zone = zone_of(job.timezone)
    if span.every == "hour":
        return datetime.combine(span.first, time(), zone).astimezone(UTC) + timedelta(hours=number)
    if span.every == "month":
        month = span.first.month - 1 + number
        year, month = span.first.year + month // 12, month % 12 + 1
        day = date(year, month, min(span.first.day, calendar.monthrange(year, month)[1]))
    else:
        day = span.first + timedelta(days=number * (7 if span.every == "week" else 1))
    return datetime.combine(day, time(), zone).astimezone(UTC)
