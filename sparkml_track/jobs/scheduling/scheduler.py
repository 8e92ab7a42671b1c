"""The scheduler: one look after the other at schedules, tables and files, and at what became of the runs it started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sparkml_track.adapters.cron import Cron
from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.config.settings import Settings, load
from sparkml_track.errors import InvalidInput, SparkmlError
from sparkml_track.jobs.clock import Clock, SystemClock
from sparkml_track.jobs.course.states import RunState
from sparkml_track.jobs.records.book import Book
from sparkml_track.jobs.records.orders import Order, run_id
from sparkml_track.jobs.records.views import read_runs
from sparkml_track.jobs.run import Say
from sparkml_track.jobs.scheduling.children import Ended, Runner, Started
from sparkml_track.jobs.scheduling.due import MOST, due, passed
from sparkml_track.jobs.scheduling.memory import Memory, Seen
from sparkml_track.jobs.scheduling.seen import Files, changed_tables
from sparkml_track.jobs.start import system_of

__all__ = ["Scheduler", "automatic", "read_configs"]

#: A clock that is set right by less has its scheduled times behind it.
_SET_BACK = timedelta(minutes=5)


def read_configs(files: Sequence[Path]) -> tuple[Settings, ...]:
    """Config files whose jobs one scheduler starts.

    Raises:
        InvalidInput: they are of several homes, two have one name, or nothing in them starts by itself.
    """
    read = tuple(load(file) for file in files)
    homes = {settings.home.root for settings in read}
    if len(homes) > 1:
        shown = ", ".join(sorted(map(str, homes)))
        raise InvalidInput(f"a scheduler is of one home, and these config files have {shown}; start one for each")
    names = [settings.name for settings in read]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidInput(f"two config files have the name {twice!r}, which tells jobs apart; give them other names")
    if not any(automatic(job) for settings in read for job in settings.jobs.values()):
        shown = ", ".join(map(str, files))
        raise InvalidInput(f"no job of {shown} starts by itself; give one a schedule or triggers")
    for settings in read:
        for job in settings.jobs.values():
            if job.schedule is not None:
                Cron(job.schedule, job.timezone)  # says so where schedules cannot be read
    return read


def automatic(job: JobSettings) -> bool:
    """Whether a job starts by itself."""
    return job.schedule is not None or bool(job.triggers.tables or job.triggers.files)


class Scheduler:
    """The jobs of some config files, under the lock of their home.

    Args:
        configs: of ``read_configs``; a file that changes is read again.
        runner: starts runs.
        say: takes lines for a person.
        poll: seconds between two looks at tables and files.
        clock: that of this machine by default.
    """

    def __init__(
        self, configs: Sequence[Settings], runner: Runner, say: Say, poll: float = 10.0, clock: Clock | None = None
    ) -> None:
        self._configs = {settings.file: settings for settings in configs}
        self._stamps = {file: _stamp(file) for file in self._configs}
        self._home = configs[0].home
        self._runner, self._say, self._poll, self._clock = runner, say, poll, clock or SystemClock()
        self._memory = Memory(self._home.scheduler)
        self._system = system_of(self._home)
        self._files: dict[str, Files] = {}
        self._looked: float | None = None
        self._forget_old_triggers()

    def turn(self) -> float:
        """One look; gives the seconds until the next.

        Raises:
            SetupError: what was done cannot be kept.
        """
        self._look_at(self._runner.ended())
        self._read_again()
        now = self._clock.now()
        look = self._looked is None or self._clock.seconds() - self._looked >= self._poll
        if look:
            self._looked = self._clock.seconds()
        for settings, name, _ in self._jobs():
            seen = self._memory.of(f"{settings.name}/{name}", now)
            try:
                self._one(settings, name, seen, now, look)
            except (SparkmlError, OSError) as error:
                self._say(f"{_at(now)}  {name}: {error}")
        self._memory.save()
        return self._next(now)

    def close(self) -> None:
        """Ends the runs that it started."""
        self._look_at(self._runner.end_all())
        self._memory.save()

    # -- one job

    def _one(self, settings: Settings, name: str, seen: Seen, now: datetime, look: bool) -> None:
        job, busy = settings.jobs[name], self._runner.busy(settings, name)
        self._by_time(settings, name, seen, now, busy)
        if seen.waiting and not busy:
            self._start(settings, name, "schedule", seen.waiting[0])
            del seen.waiting[0]
            return
        if look and (job.triggers.tables or job.triggers.files):
            self._by_triggers(settings, name, seen, now)

    def _by_time(self, settings: Settings, name: str, seen: Seen, now: datetime, busy: bool) -> None:
        job = settings.jobs[name]
        if job.schedule is None:
            seen.handled, seen.waiting = now, []
            return
        if seen.handled - now > _SET_BACK:
            self._say(f"{_at(now)}  {name}: the clock was set back; scheduled times count from now on")
            seen.handled = now
        times = passed(Cron(job.schedule, job.timezone), seen.handled, now)
        if not times:
            return
        found = due(times, now, job.catch_up, busy)
        seen.waiting = [*seen.waiting, *found.run][-MOST:]
        seen.handled = times[-1]
        if found.missed:
            what = f"{found.missed} scheduled time{'' if found.missed == 1 else 's'} missed"
            self._say(f"{_at(now)}  {name}: {what}, and not run (catch_up: {job.catch_up})")
        for moment in found.skipped:
            self._skip(settings, name, moment, now)

    def _by_triggers(self, settings: Settings, name: str, seen: Seen, now: datetime) -> None:
        """What changes while a run is under way starts another one when it has ended: nothing of it is lost."""
        from sparkml_track.tables import DeltaTables

        triggers = settings.jobs[name].triggers
        tables = (
            changed_tables(triggers.tables, DeltaTables(settings.home.tables_root), seen) if triggers.tables else {}
        )
        files = self._watch(settings, name).arrived(seen, self._clock.seconds()) if triggers.files else {}
        if not (tables or files) or self._runner.busy(settings, name):
            return
        shown = [f"{table}@{version}" for table, version in tables.items()] + sorted(files)
        more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
        self._say(f"{_at(now)}  {name}: changed: {', '.join(shown[:3])}{more}")
        self._start(settings, name, "table" if tables else "file", now)
        seen.tables |= tables
        seen.files = (seen.files or {}) | files

    def _watch(self, settings: Settings, name: str) -> Files:
        triggers, key = settings.jobs[name].triggers, f"{settings.name}/{name}"
        if key not in self._files:
            self._files[key] = Files(settings.file.absolute().parent, triggers.files, triggers.settle)
        return self._files[key]

    # -- runs

    def _start(self, settings: Settings, name: str, cause: str, moment: datetime) -> None:
        self._runner.start(Started(settings, name, cause, moment))
        self._say(f"{_at(self._clock.now())}  {name}: started by {cause}, for {moment:%Y-%m-%d %H:%M:%S} UTC")

    def _skip(self, settings: Settings, name: str, moment: datetime, now: datetime) -> None:
        self._say(f"{_at(now)}  {name}: skipped {_at(moment)}, because a run is under way")
        self._record(Started(settings, name, "schedule", moment), RunState.SKIPPED, "another run was under way")

    def _look_at(self, ended: Sequence[Ended]) -> None:
        for each in ended:
            try:
                self._ended(each)
            except SparkmlError as error:
                self._say(f"{_at(self._clock.now())}  {each.started.job}: what became of it is not recorded: {error}")

    def _ended(self, ended: Ended) -> None:
        run, now = ended.started, self._clock.now()
        what = "ended" if ended.code == 0 else f"ended with exit {ended.code}"
        self._say(f"{_at(now)}  {run.job}: {what}{f': {ended.said}' if ended.code and ended.said else ''}")
        if ended.code and not read_runs(self._system, self._home, run=self._order(run).run):
            # It was refused before it began.
            self._record(run, RunState.FAILED, ended.said or f"exit {ended.code}")

    def _record(self, run: Started, state: RunState, reason: str) -> None:
        Book(self._system, self._order(run)).end(state, self._clock.now(), reason)

    def _order(self, run: Started) -> Order:
        settings, job = run.settings, run.settings.jobs[run.job]
        name = run_id(settings.name, run.job, run.moment, run.cause)
        config = str(settings.file.absolute())
        return Order(name, settings.name, run.job, config, run.cause, run.moment, dict(job.parameters))

    # -- what there is

    def _jobs(self) -> Iterator[tuple[Settings, str, JobSettings]]:
        for settings in self._configs.values():
            for name, job in settings.jobs.items():
                if automatic(job):
                    yield settings, name, job

    def _next(self, now: datetime) -> float:
        """Until the next scheduled time, or the next look; sooner where a run waits for the end of another."""
        waits = [self._poll]
        for settings, name, job in self._jobs():
            seen = self._memory.of(f"{settings.name}/{name}", now)
            if job.schedule is not None:
                waits.append((Cron(job.schedule, job.timezone).next(now) - now) / timedelta(seconds=1))
            if seen.waiting:
                waits.append(1.0)
        return max(min(waits), 0.01)

    def _read_again(self) -> None:
        """Config files that have changed; one that is wrong is said once, and holds as it was."""
        for file, stamp in self._stamps.items():
            if (found := _stamp(file)) == stamp:
                continue
            self._stamps[file] = found
            try:
                settings = load(file)
            except InvalidInput as error:
                self._say(f"{_at(self._clock.now())}  {file} has changed and is not read: {error}")
                continue
            if (settings.home, settings.name) != (self._home, self._configs[file].name):
                self._say(f"{_at(self._clock.now())}  {file} has another home or name now; start the scheduler again")
                continue
            self._configs[file] = settings
            self._files = {}
            self._say(f"{_at(self._clock.now())}  {file} has changed and is read")

    def _forget_old_triggers(self) -> None:
        """Where nothing is to be caught up, tables and files are what they are now."""
        for settings, name, job in self._jobs():
            seen = self._memory.of(f"{settings.name}/{name}", self._clock.now())
            if job.catch_up == "none":
                seen.tables, seen.files = {}, None


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
