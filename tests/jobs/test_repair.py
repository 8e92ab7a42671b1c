"""Runs that are gone on with, and runs for many dates; with tasks that take no time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from sparkml_track.config.sections.jobs import JobSettings
from sparkml_track.errors import InvalidInput
from sparkml_track.home import Home
from sparkml_track.jobs.backfill import Filled, Span, backfill, moments
from sparkml_track.jobs.course.states import RunState
from sparkml_track.jobs.course.states import TaskState as S
from sparkml_track.jobs.records.views import Run, find_run, read_runs
from sparkml_track.jobs.repair import repair
from sparkml_track.jobs.start import Asked, start, system_of
from tests.jobs.fakes import FakeClock, FakeLauncher, settings_of

FLOW = """\
  flow:
    parameters: {n: 1}
    tasks:
      a: {notebook: a.py}
      b: {notebook: a.py, needs: a}
      c: {notebook: a.py, needs: b}
      d: {notebook: a.py, needs: a}
      e: {notebook: a.py, needs: c, when: at_least_one_failed}
"""


class Project:
    """The job ``flow``, whose tasks end as was last said."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "a.py").write_text("")
        self.folder = folder
        self.settings = settings_of(folder, FLOW)
        self.clock = FakeClock()
        self.launchers: list[FakeLauncher] = []
        self.codes: Mapping[str, Sequence[int]] = {}
        self.meanwhile: Callable[[str], None] = lambda _: None
        monkeypatch.setattr("sparkml_track.jobs.start.Processes", self._launcher)

    def _launcher(self, kept: int) -> FakeLauncher:
        self.launchers.append(FakeLauncher(self.clock, self.codes, meanwhile=self.meanwhile))
        return self.launchers[-1]

    def start(self, **codes: Sequence[int]) -> Run:
        self.codes = codes
        order = start(self.settings, "flow", Asked({}), lambda _: None, self.clock)
        assert order is not None
        return self.run(order.run)

    def repair(self, run: Run, again: Sequence[str] = (), **codes: Sequence[int]) -> Run:
        self.codes = codes
        repair(self.settings, run, lambda _: None, again=again, clock=self.clock)
        return self.run(run.id)

    def backfill(self, span: Span, **codes: Sequence[int]) -> Filled:
        self.codes = codes
        return backfill(self.settings, "flow", span, {}, lambda _: None, clock=self.clock)

    def run(self, name: str) -> Run:
        return find_run(system_of(self.settings.home), self.settings.home, name)

    def days(self) -> list[str]:
        """The dates of all runs in the order of their beginnings."""
        runs = read_runs(system_of(self.settings.home), self.settings.home)
        return [f"{run.moment:%m-%d}" for run in runs]

    @property
    def launched(self) -> list[str]:
        """What the last attempt began."""
        return self.launchers[-1].launched


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, monkeypatch)


def states(run: Run) -> dict[str, S]:
    return {name: one.state for name, one in run.tasks.items()}


def test_a_repair_does_what_failed_and_what_hangs_on_it(project: Project) -> None:
    run = project.start(b=[1])
    assert states(run) == {"a": S.SUCCEEDED, "b": S.FAILED, "c": S.UPSTREAM_FAILED, "d": S.SUCCEEDED, "e": S.SUCCEEDED}
    run = project.repair(run)
    assert project.launched == ["b", "c"]
    assert (run.state, run.last.number, run.last.cause) == (RunState.SUCCEEDED, 2, "repair")
    assert states(run) == {"a": S.SUCCEEDED, "b": S.SUCCEEDED, "c": S.SUCCEEDED, "d": S.SUCCEEDED, "e": S.EXCLUDED}
    with pytest.raises(InvalidInput, match="nothing to repair: every task succeeded or was not needed; --again TASK"):
        project.repair(run)


def test_a_repair_may_fail_and_be_repaired(project: Project) -> None:
    run = project.repair(project.start(b=[1]), c=[3])
    assert (run.state, states(run)["b"], states(run)["c"]) == (RunState.FAILED, S.SUCCEEDED, S.FAILED)
    run = project.repair(run)
    assert (run.state, run.last.number, project.launched) == (RunState.SUCCEEDED, 3, ["c"])


def test_a_task_is_done_again_where_that_is_asked_for(project: Project) -> None:
    run = project.start()
    run = project.repair(run, ["b"])
    assert project.launched == ["b", "c"]
    with pytest.raises(InvalidInput, match="has no task 'z'; it has: a, b, c, d, e"):
        project.repair(run, ["z"])


def test_a_repair_goes_by_the_file_as_it_is_now(project: Project) -> None:
    run = project.start(b=[1])
    project.settings = settings_of(project.folder, FLOW.replace("      c:", "      new: {notebook: a.py}\n      c:"))
    run = project.repair(run)
    assert project.launched == ["b", "new", "c"]
    project.settings = settings_of(project.folder, FLOW.replace("flow", "flaw"))
    with pytest.raises(InvalidInput, match="there is no job 'flow' in"):
        project.repair(run)


def test_an_interrupted_run_is_gone_on_with(project: Project) -> None:
    def interrupt(name: str) -> None:
        if name == "b" and not project.launchers[-1].ended:
            raise KeyboardInterrupt

    project.meanwhile = interrupt
    with pytest.raises(KeyboardInterrupt):
        project.start()
    run = project.run("flow")
    assert run.state is RunState.INTERRUPTED
    project.meanwhile = lambda _: None
    assert project.repair(run).state is RunState.SUCCEEDED
    assert project.launched == ["b", "c", "d"]


def test_a_run_that_was_repaired_by_somebody_else_is_not_repaired_as_it_was(project: Project) -> None:
    run = project.start(b=[1])
    project.repair(run, b=[1])
    with pytest.raises(InvalidInput, match="has got attempt 2 in the meantime"):
        project.repair(run)


@pytest.mark.parametrize("name", ["flow-2", "", "none"])
def test_a_run_is_found_by_what_names_one_alone(project: Project, name: str) -> None:
    first, second = project.start(), project.start()
    assert project.run("flow").id == second.id
    assert project.run(first.id[:-1]).id == first.id
    with pytest.raises(InvalidInput, match="begins the ids of 2 runs" if name == "flow-2" else "there is no run"):
        project.run(name)


# -------------------------------------------------------------------------------------------------- many dates

WEEK = Span(date(2026, 11, 1), date(2026, 11, 4))


def test_a_backfill_is_a_run_for_each_date(project: Project) -> None:
    done = project.backfill(WEEK)
    assert [len(done.succeeded), len(done.failed), len(done.passed)] == [4, 0, 0]
    assert project.days() == ["11-01", "11-02", "11-03", "11-04"]
    assert '"date": "2026-11-04"' in project.launchers[-1].launches["a"].environ["SPARKML_JOB_PARAMETERS"]


def test_the_newest_may_come_first(project: Project) -> None:
    project.backfill(Span(WEEK.first, WEEK.last, newest_first=True))
    assert project.days() == ["11-04", "11-03", "11-02", "11-01"]


def test_a_backfill_goes_on_where_it_was_left(project: Project) -> None:
    def interrupt(name: str) -> None:
        if len(project.launchers) == 3 and name == "c" and not project.launchers[-1].ended:
            raise KeyboardInterrupt

    project.meanwhile = interrupt
    with pytest.raises(KeyboardInterrupt):
        project.backfill(WEEK)
    project.meanwhile = lambda _: None
    done = project.backfill(WEEK)
    assert [len(done.succeeded), len(done.failed), len(done.passed)] == [2, 0, 2]
    assert project.days() == ["11-01", "11-02", "11-03", "11-04"]
    assert project.run(done.succeeded[0]).last.number == 2
    assert project.launchers[3].launched == ["c", "d"]
    assert len(project.backfill(Span(WEEK.first, WEEK.last, again=True)).succeeded) == 4


def test_a_date_that_fails_is_repaired_by_the_next(project: Project) -> None:
    one = Span(WEEK.first, WEEK.first)
    failed = project.backfill(one, b=[1]).failed
    assert project.backfill(one).succeeded == failed
    assert project.launched == ["b", "c"]


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (Span(WEEK.last, WEEK.first), "--to 2026-11-01 is before --from 2026-11-04"),
        (Span(WEEK.first, WEEK.last, "year"), "--every must be one of hour, day, week, month, not 'year'"),
        (Span(date(1950, 1, 1), WEEK.last), "are more than 10,000 runs"),
    ],
)
def test_wrong_dates_are_one_sentence(project: Project, span: Span, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        project.backfill(span)
    assert not Path(project.settings.home.root).exists()


def test_dates_are_those_of_the_time_zone() -> None:
    job = JobSettings.model_validate({"tasks": {"a": {"python": "m:f"}}, "timezone": "Europe/Berlin"})
    # The clocks go back on 25 October 2026: that day has 25 hours.
    assert [f"{each:%d %H}" for each in moments(job, Span(date(2026, 10, 25), date(2026, 10, 26)))] == [
        "24 22",
        "25 23",
    ]
    assert len(moments(job, Span(date(2026, 10, 25), date(2026, 10, 25), "hour"))) == 25
    months = moments(job, Span(date(2026, 1, 31), date(2026, 4, 30), "month"))
    assert [f"{each:%m-%d}" for each in months] == ["01-30", "02-27", "03-30", "04-29"]
    assert len(moments(job, Span(date(2026, 1, 1), date(2026, 1, 29), "week"))) == 5


def test_a_home_without_runs_has_none(tmp_path: Path) -> None:
    assert read_runs(system_of(Home(tmp_path)), Home(tmp_path)) == ()
