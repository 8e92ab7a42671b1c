"""Journals read back: the state of a sweep after each kind of record, and how much memory a sweep takes."""

from __future__ import annotations

import tracemalloc
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

import sparkml_track as st
from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.loop import Loop, Parts
from sparkml_track.engine.records import types as records
from sparkml_track.engine.records.codec import planned_spec
from sparkml_track.engine.records.entries import written
from sparkml_track.engine.records.types import (
    Accepted,
    Asked,
    JournalRecord,
    Late,
    Parent,
    Plan,
    Published,
    Reported,
    Retried,
    Submitted,
)
from sparkml_track.engine.recovery.rebuild import params_of
from sparkml_track.engine.results.history import History
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.engine.spec.units import Units
from sparkml_track.errors import JournalError
from sparkml_track.executors import Capabilities, Ended, Event, Executor, Started
from sparkml_track.executors import Reported as Said
from sparkml_track.journals import Journal, Record
from sparkml_track.samplers import build
from sparkml_track.space import flatten, parse
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Attempt, AttemptId, Counts, Outcome, Report, RunLog, State

SPEC = Spec(lambda _: 0.0, parse({"x": st.uniform(0, 9)}), "s", "e", max_trials=5)
PLAN = Plan("s", 1.0, planned_spec(SPEC.plan()), {"spec": {}}, {})


def asked(number: int) -> Asked:
    return Asked(number, {"x": 1.5}, 3)


def accepted(number: int, state: State = State.FINISHED, **more: Any) -> Accepted:
    return replace(Accepted(number, state, {"loss": 0.5}, 1, 100.0, 2.0, "h"), **more)


def submitted(attempt: str) -> Submitted:
    return Submitted(AttemptId.parse(attempt))


def reported(attempt: str, step: int) -> Reported:
    return Reported(AttemptId.parse(attempt), step, {"loss": 1.0}, 101.0)


def ended(state: State, planned: int, stale: int) -> records.Ended:
    return records.Ended(state, "d", Counts(planned), None, "r", 9.0, stale)


def history(said: Iterable[JournalRecord], keep: bool = False) -> History:
    return History.of(map(written, said), keep)


def test_trials_are_accepted_once_and_the_rest_is_unfinished() -> None:
    said: list[JournalRecord] = [
        PLAN,
        asked(0),
        submitted("0.0.1"),
        asked(1),
        submitted("1.0.1"),
        accepted(0),
        asked(2),
    ]
    past = history(said)
    assert list(past.results) == [0]
    assert past.results[0].value == (0.5,)
    assert [trial.number for trial in past.unfinished] == [1, 2]
    assert past.attempts == {0: 1, 1: 1}
    assert (past.counts.finished, past.counts.running, past.counts.not_started) == (1, 2, 2)
    assert past.problems == []


def test_reports_are_those_of_the_last_attempt_and_go_when_they_are_published() -> None:
    lost = records.Lost(AttemptId(0, 0, 1), "gone", True, "h", 102.0)
    said: list[JournalRecord] = [
        PLAN,
        asked(0),
        submitted("0.0.1"),
        reported("0.0.1", 1),
        lost,
        submitted("0.0.2"),
        reported("0.0.2", 7),
    ]
    said += [reported("0.0.1", 9), accepted(0, log="a line")]
    past = history(said)
    assert past.charged == {0: 1}
    assert [report.step for report in past.child(0).reports] == [7]
    assert past.child(0).log == "a line"
    said += [Published((0,))]
    assert history(said).child(0).reports == ()
    assert [report.step for report in history(said, keep=True).child(0).reports] == [7]


def test_what_was_logged_is_that_of_the_last_attempt_and_stays_for_who_asks() -> None:
    def logged(attempt: str, value: str) -> records.Logged:
        return records.Logged(AttemptId.parse(attempt), RunLog(params={"alpha": value}))

    said: list[JournalRecord] = [PLAN, asked(0), submitted("0.0.1"), logged("0.0.1", "lost"), submitted("0.0.2")]
    said += [logged("0.0.2", "kept"), logged("0.0.1", "late"), accepted(0)]
    assert history(said).child(0).logged.params == {"alpha": "kept"}
    said += [Published((0,))]
    assert history(said).logged == {}
    past = History.of(map(written, said), keep_logged=True)
    assert RunLog.joined(past.logged[0]).params == {"alpha": "kept"}


def test_a_retried_trial_is_open_again_and_its_end_is_void() -> None:
    said: list[JournalRecord] = [
        PLAN,
        asked(0),
        submitted("0.0.1"),
        accepted(0, State.KILLED),
        Published((0,)),
        ended(State.KILLED, 5, 0),
    ]
    past = history([*said, Retried((0,))])
    assert past.results == {} and past.published == set() and past.ended is None
    assert [trial.number for trial in past.unfinished] == [0]


def test_curves_are_of_accepted_attempts_outlive_publication_and_go_with_a_retried_trial() -> None:
    said: list[JournalRecord] = [
        PLAN,
        asked(0),
        submitted("0.0.1"),
        reported("0.0.1", 7),
        submitted("0.0.2"),
        reported("0.0.2", 0),
        reported("0.0.2", 1),
        asked(1),
        submitted("1.0.1"),
        reported("1.0.1", 0),
        accepted(0),
        Published((0,)),
    ]
    past = history(said)
    assert [(one.number, list(one.steps)) for one in past.curves.best()] == [(0, [0, 1])]
    assert past.reports.keys() == {1}
    assert history([*said, Retried((0,))]).curves.reported == 0


def test_late_answers_are_known_also_of_a_driver_that_did_not_end() -> None:
    said: list[JournalRecord] = [PLAN, asked(0), Late(2)]
    assert history(said).stale == 2
    assert history([*said, ended(State.FINISHED, 1, 3), Late(5)]).stale == 5


def test_what_contradicts_itself_is_told() -> None:
    said: list[JournalRecord] = [
        PLAN,
        asked(0),
        asked(0),
        submitted("0.0.1"),
        submitted("0.0.1"),
        accepted(0),
        accepted(0, State.FAILED),
    ]
    said += [submitted("0.0.2"), accepted(7)]
    text = "\n".join(history(said).problems)
    for part in ("asked twice", "submitted twice", "second outcome", "after the outcome", "never asked"):
        assert part in text
    assert history(said).results[0].state is State.FINISHED


def test_records_of_a_later_release_are_passed_over() -> None:
    assert History.of([written(PLAN), Record("dreamt", {"n": 1}), written(asked(0))]).trials.keys() == {0}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([written(PLAN), Record("asked", {"n": 0})], r"'asked' is not as this release writes it \(params is missing\)"),
        ([written(PLAN), written(asked(0)), written(accepted(0, metrics={}))], "trial 0 lacks the metric 'loss'"),
        ([written(asked(0)), written(accepted(0))], "does not begin with a plan"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_on(said: list[Record], why: str) -> None:
    with pytest.raises(JournalError, match=why + r".*resume='never'"):
        History.of(said)


def test_the_time_of_drivers_is_their_own_however_long_nobody_worked() -> None:
    def parent(at: float) -> Parent:
        return Parent("r", "1", at)

    said: list[JournalRecord] = [PLAN, parent(90.0), asked(0), asked(1), accepted(0), parent(5000.0)]
    said += [accepted(1, started=5003.0, duration=1.0)]
    assert history(said).used == (102.0 - 90.0) + 4.0
    assert history([PLAN, Parent("r", "1"), asked(0), accepted(0)]).used == 0.0


def test_parameters_are_read_back_from_text_by_the_space() -> None:
    options = st.choice("1", 1, 2.5, None, True, "True", {"deep": st.randint(0, 9)}, ("a", 1))
    space = parse({"x": st.uniform(0, 1), "n": st.randint(0, 99), "o": options, "fixed": "text"})
    sampler = build("random", space, seed=3)
    for number in range(60):
        params: Any = sampler.ask(number)
        texts = {name: str(value) for name, value in flatten(params).items()}
        found = params_of(space, texts)
        assert {name: str(value) for name, value in flatten(found).items()} == texts
        assert found["x"] == params["x"] and found["n"] == params["n"]


# -- memory


class _Quick(Executor):
    """Ends everything at once."""

    name = "quick"
    capabilities = Capabilities(kills=True, streams=True, isolates=True)

    def __init__(self, reports: int = 0) -> None:
        self.stale = 0
        self._events: list[Event] = []
        self._reports = reports

    @property
    def slots(self) -> int:
        return 16

    @property
    def room(self) -> int:
        return 64 - len(self._events) // (2 + self._reports)

    def submit(self, *attempts: Attempt) -> None:
        outcome = Outcome(State.FINISHED, {"loss": 0.5}, log="x" * 2000, started=5.0, duration=0.1, host="h")
        for attempt in attempts:
            reports = [Report({"loss": step / 7}, step, 5.0) for step in range(self._reports)]
            said = [Said(attempt.id, index, one) for index, one in enumerate(reports)]
            self._events += [Started(attempt.id, "h", 5.0), *said, Ended(attempt.id, outcome)]

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        events, self._events = self._events, []
        return events

    def answer(self, attempt: str, index: int, stop: bool) -> None: ...

    def stop(self, attempt: str, reason: str) -> None: ...

    def close(self) -> None: ...


class _Nowhere(Journal):
    sweep, epoch, durable, repaired = "s", 1, False, None

    def replay(self) -> Any:
        return iter(())

    def append(self, records: Sequence[Record]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class _Published:
    """Has published everything already."""

    trouble = ""

    def put(self, child: ChildRun) -> None: ...

    def check(self) -> None: ...


def _bytes_held(trials: int, reports: int = 0) -> int:
    spec = Spec(lambda _: 0.0, SPEC.space, "s", "e", sampler="random", max_trials=trials)
    asker = Asker(build("random", spec.space, seed=1), (), trials, 1)
    parts = Parts(asker, None, _Quick(reports), _Nowhere(), _Published(), lambda loop: None, deque())
    tracemalloc.start()
    try:
        loop = Loop(spec, parts)
        loop.run()
        assert len(loop.results) == trials
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_sweep_holds_less_than_a_kilobyte_a_trial_logs_and_reports_are_let_go() -> None:
    grown = _bytes_held(6000) - _bytes_held(2000)
    assert grown / 4000 < 1000, f"{grown / 4000:.0f} bytes a trial: 100,000 trials would take {grown / 40:.0f} kB"


@pytest.mark.slow
def test_curves_are_of_a_bounded_number_of_trials() -> None:
    grown = _bytes_held(1500, reports=20) - _bytes_held(500, reports=20)
    assert grown / 1000 < 1200, f"{grown / 1000:.0f} bytes a trial that reported 20 times"


def test_a_trial_has_what_its_units_with_an_outcome_said_and_nothing_of_those_it_ended() -> None:
    """As its child run, to which nothing of a unit goes that was ended because another one failed."""
    plan = replace(PLAN, spec=planned_spec(replace(SPEC, units=Units(2)).plan()))
    failed = records.UnitAccepted(AttemptId.parse("0.0.1"), State.FAILED, {}, 100.0, 1.0, "h", "exception", "raised")

    def logged(attempt: str) -> records.Logged:
        return records.Logged(AttemptId.parse(attempt), RunLog(params={f"by {attempt}": "1"}))

    both = ("0.0.1", "0.1.1")
    said = [plan, asked(0), *map(submitted, both), *map(logged, both), *(reported(one, 0) for one in both), failed]
    past = history([*said, accepted(0, State.FAILED, metrics={}, reason="exception")], keep=True)
    assert [set(log.params) for log in past.logged[0]] == [{"by 0.0.1"}]
    assert len(past.reports[0]) == 1
    killed = history([*said[:-1], accepted(0, State.KILLED, metrics={}, reason="cancelled")], keep=True)
    assert (killed.logged, killed.reports) == ({}, {})
