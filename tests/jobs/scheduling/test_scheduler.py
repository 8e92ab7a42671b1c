"""The scheduler, on a clock that goes when it is asked to, with runs that are only noted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from sparkml_track.config.settings import Settings
from sparkml_track.errors import InvalidInput, SetupError, TableError
from sparkml_track.jobs.records.views import find_run, read_runs
from sparkml_track.jobs.scheduling.children import Ended, Started
from sparkml_track.jobs.scheduling.printed import printed
from sparkml_track.jobs.scheduling.scheduler import Scheduler, read_configs
from sparkml_track.jobs.start import system_of
from sparkml_track.tables import DeltaTables
from tests.jobs.fakes import FakeClock, settings_of

HOURLY = """\
  hourly:
    schedule: "0 * * * *"
    catch_up: {rule}
    tasks: {{a: {{run: sweep}}}}
"""
TRIGGERED = """\
  on_tables:
    triggers: {tables: [air.flights, main.air.weather]}
    tasks: {a: {run: sweep}}
  on_files:
    triggers: {files: "in/*.csv", settle: 20}
    tasks: {a: {run: sweep}}
"""


class FakeRunner:
    """Notes what is started; a run is under way until it is said to have ended."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.running: list[Started] = []
        self.over: list[Ended] = []

    def start(self, run: Started) -> None:
        self.started.append(f"{run.job} {run.cause} {run.moment:%d %H:%M}")
        self.running.append(run)

    def busy(self, settings: Settings, job: str) -> bool:
        return any(run.job == job for run in self.running)

    def finish(self, code: int = 0, said: str = "") -> None:
        self.over += [Ended(run, code, said) for run in self.running]
        self.running = []

    def ended(self) -> list[Ended]:
        over, self.over = self.over, []
        return over

    def end_all(self) -> list[Ended]:
        self.finish(143)
        return self.ended()


class World:
    """A home with one config file, and one scheduler after the other."""

    def __init__(self, folder: Path, jobs: str) -> None:
        self.folder = folder
        self.settings = settings_of(folder, jobs)
        self.settings.home.make()
        self.settings.home.jobs.mkdir()
        self.clock = FakeClock()
        self.said: list[str] = []
        self.scheduler = self.new()

    def new(self) -> Scheduler:
        self.runner = FakeRunner()
        self.scheduler = Scheduler(read_configs([self.settings.file]), self.runner, self.said.append, 10.0, self.clock)
        return self.scheduler

    def passes(self, hours: float = 0, seconds: float = 0) -> list[str]:
        """Time passes, turn by turn as the scheduler asks for; gives what was started meanwhile."""
        before, until = len(self.runner.started), self.clock.at + hours * 3600 + seconds
        while True:
            wait = self.scheduler.turn()
            if self.clock.at >= until:
                return self.runner.started[before:]
            self.clock.at = min(self.clock.at + wait, until)

    def sleeps(self, hours: float) -> None:
        """Time passes, and nobody looks."""
        self.clock.at += hours * 3600

    def states(self) -> list[str]:
        runs = read_runs(system_of(self.settings.home), self.settings.home)
        return [f"{run.moment:%H:%M} {run.state}" for run in runs]


def hourly(folder: Path, rule: str = "last") -> World:
    return World(folder, HOURLY.format(rule=rule))


def test_a_job_starts_when_its_time_comes(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    assert world.passes(hours=0.99) == []
    assert world.passes(hours=0.02) == ["hourly schedule 30 01:00"]
    world.runner.finish()
    assert world.passes(hours=1) == ["hourly schedule 30 02:00"]


def test_one_run_at_a_time_the_other_is_skipped_and_recorded(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    assert world.passes(hours=3.5) == ["hourly schedule 30 01:00"]
    assert world.states() == ["02:00 skipped", "03:00 skipped"]
    world.runner.finish()
    assert world.passes(hours=1) == ["hourly schedule 30 04:00"]


@pytest.mark.parametrize(
    ("rule", "hours"), [("none", ["05"]), ("last", ["04", "05"]), ("all", ["02", "03", "04", "05"])]
)
def test_what_was_missed_is_run_by_the_rule(tmp_path: Path, rule: str, hours: Sequence[str]) -> None:
    world = hourly(tmp_path, rule)
    world.passes(hours=1)
    world.sleeps(3.5)
    world.new()
    started = list[str]()
    for _ in range(4):
        started += world.passes(seconds=100)
        world.runner.finish()
    started += world.passes(hours=0.6)
    assert started == [f"hourly schedule 30 {hour}:00" for hour in hours]
    assert world.states() == []


def test_with_all_nothing_is_skipped(tmp_path: Path) -> None:
    world = hourly(tmp_path, "all")
    assert world.passes(hours=3) == ["hourly schedule 30 01:00"]
    started = list[str]()
    for _ in range(3):
        world.runner.finish()
        started += world.passes(seconds=2)
    assert started == ["hourly schedule 30 02:00", "hourly schedule 30 03:00"]
    assert world.states() == []


def test_what_waits_survives_a_scheduler(tmp_path: Path) -> None:
    world = hourly(tmp_path, "all")
    world.passes(hours=3)
    world.new()
    assert world.passes(seconds=1) == ["hourly schedule 30 02:00"]


def test_a_time_is_not_run_twice(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    world.passes(hours=1)
    world.new()
    assert world.passes(hours=0.9) == []


def test_a_clock_that_is_set_back_is_said_and_lived_with(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    world.passes(hours=5)
    world.runner.finish()
    world.clock.at -= 4 * 3600
    assert world.passes(hours=1) == ["hourly schedule 30 02:00"]
    assert any("the clock was set back" in line for line in world.said)


def test_a_run_that_was_refused_before_it_began_is_recorded(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    world.passes(hours=1)
    world.runner.finish(2, "error: there is no function")
    world.passes(seconds=1)
    assert world.states() == ["01:00 failed"]
    assert "ended with exit 2: error: there is no function" in world.said[-1]


def test_what_cannot_be_recorded_does_not_end_the_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = hourly(tmp_path)

    def failing(*_: object) -> None:
        raise TableError("the disk is full")

    world.passes(hours=1)
    monkeypatch.setattr(world.scheduler._system, "append", failing)
    world.passes(hours=1)  # one that is skipped
    world.runner.finish(2, "error: there is no function")
    assert world.passes(hours=1) == ["hourly schedule 30 03:00"]
    assert [line.partition("hourly: ")[2] for line in world.said if line.endswith("the disk is full")] == [
        "the disk is full",
        "what became of it is not recorded: the disk is full",
    ]


def test_the_last_run_of_a_job_is_not_one_that_was_skipped(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    world.passes(hours=1)
    world.runner.finish(2, "error: there is no function")
    world.passes(hours=2)
    world.passes(hours=1)
    assert world.states() == ["01:00 failed", "03:00 skipped", "04:00 skipped"]
    found = find_run(system_of(world.settings.home), world.settings.home, "hourly")
    assert f"{found.moment:%H:%M} {found.state}" == "01:00 failed"


def test_the_end_of_the_scheduler_is_the_end_of_its_runs(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    world.passes(hours=1)
    world.scheduler.close()
    assert world.runner.running == []


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    world = hourly(tmp_path)
    world.passes(hours=0.5)
    text = world.settings.file.read_text()
    world.settings.file.write_text(text.replace('"0 * * * *"', '"every hour"'))
    world.passes(hours=0.6)
    assert world.runner.started == ["hourly schedule 30 01:00"]
    assert any("has changed and is not read: " in line and "five fields of cron" in line for line in world.said)
    world.runner.finish()
    world.settings.file.write_text(text.replace('"0 * * * *"', '"*/10 * * * *"'))
    assert world.passes(hours=0.2) == ["hourly schedule 30 01:10"]


# -------------------------------------------------------------------------------------------------- triggers


@pytest.fixture
def triggered(tmp_path: Path) -> World:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "old.csv").write_text("1")
    world = World(tmp_path, TRIGGERED)
    DeltaTables(world.settings.home.tables).write("air.flights", pa.table({"x": [1]}))
    world.passes(seconds=60)
    assert world.runner.started == []
    return world


def test_a_new_version_of_a_table_starts_a_job_once(triggered: World) -> None:
    tables = DeltaTables(triggered.settings.home.tables)
    tables.write("air.flights", pa.table({"x": [2]}), mode="append")
    assert [each[:15] for each in triggered.passes(seconds=60)] == ["on_tables table"]
    assert "on_tables: changed: air.flights@1" in "".join(triggered.said)
    # What comes while it runs starts the next one.
    tables.write("weather", pa.table({"x": [2]}))
    tables.write("air.weather", pa.table({"x": [2]}))
    assert triggered.passes(seconds=60) == []
    triggered.runner.finish()
    assert [each[:15] for each in triggered.passes(seconds=60)] == ["on_tables table"]
    triggered.runner.finish()
    assert triggered.passes(seconds=60) == []


def test_what_changed_while_nobody_looked_starts_one_run(triggered: World) -> None:
    tables = DeltaTables(triggered.settings.home.tables)
    for _ in range(3):
        tables.write("air.flights", pa.table({"x": [2]}), mode="append")
    triggered.new()
    assert [each[:15] for each in triggered.passes(seconds=60)] == ["on_tables table"]


def test_a_file_starts_a_job_when_nobody_writes_to_it_any_more(triggered: World) -> None:
    new = triggered.folder / "in" / "new.csv"
    for size in range(1, 4):
        new.write_text("x" * size)
        assert triggered.passes(seconds=15) == []
    assert [each[:13] for each in triggered.passes(seconds=30)] == ["on_files file"]
    triggered.runner.finish()
    new.write_text("changed")
    (triggered.folder / "in" / "old.csv").unlink()
    assert [each[:13] for each in triggered.passes(seconds=60)] == ["on_files file"]
    triggered.runner.finish()
    new.unlink()
    assert triggered.passes(seconds=60) == []


# ------------------------------------------------------------------------------------------------ what is wrong


def test_a_file_without_anything_that_starts_by_itself_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "  j: {tasks: {a: {run: sweep}}}\n")
    with pytest.raises(InvalidInput, match=r"no job of .* starts by itself; give one a schedule or triggers"):
        read_configs([settings.file])


def test_files_of_several_homes_or_of_one_name_are_refused(tmp_path: Path) -> None:
    one = settings_of(tmp_path, HOURLY.format(rule="last")).file
    other = tmp_path / "other.yaml"
    other.write_text(one.read_text())
    with pytest.raises(InvalidInput, match="two config files have the name 'mine'"):
        read_configs([one, other])
    other.write_text(one.read_text().replace("home: state", "home: elsewhere"))
    with pytest.raises(InvalidInput, match="a scheduler is of one home, and these config files have"):
        read_configs([one, other])


@pytest.mark.parametrize("text", ["{", "[]", '{"mine/hourly": {}}', '{"mine/hourly": {"handled": "x"}}'])
def test_a_memory_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str) -> None:
    world = hourly(tmp_path)
    world.settings.home.scheduler.write_text(text)
    with pytest.raises(SetupError, match="where the scheduler keeps what it has done, cannot be read"):
        world.new()


# ---------------------------------------------------------------------------------------------------- printed


def test_a_unit_of_systemd_runs_the_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "my project").mkdir()
    monkeypatch.chdir(folder)
    lines = list(printed("systemd", [settings_of(folder, HOURLY.format(rule="last"))]))
    assert f"WorkingDirectory={folder}" in lines
    assert f'Environment="SPARKML_HOME={folder}/state"' in lines
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert start.endswith(f' -P -m sparkml_track.cli scheduler "{folder}/conf.yaml"')
    assert "KillMode=mixed" in lines


def test_lines_of_a_crontab_run_jobs_of_schedules(tmp_path: Path) -> None:
    last = "  last: {schedule: '0 0 L * *', tasks: {a: {run: sweep}}}\n"
    lines = list(printed("cron", [settings_of(tmp_path, HOURLY.format(rule="last") + TRIGGERED + last)]))
    (line,) = [line for line in lines if line.startswith("0 * * * * ")]
    assert "job run hourly --config " in line
    assert lines[lines.index(line) - 1] == "CRON_TZ=UTC"
    assert "# on_files: cron does not know triggers; sparkml-track scheduler does" in lines
    assert "# last: cron does not know the schedule '0 0 L * *'; sparkml-track scheduler does" in lines
