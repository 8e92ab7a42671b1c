"""Journals read back: the state of a sweep after each kind of record, and how much memory a sweep takes."""

from __future__ import annotations

import tracemalloc
from collections import deque
from collections.abc import Sequence
from typing import Any

import sparkml_track as st
from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.loop import Loop, Parts
from sparkml_track.engine.recovery.rebuild import params_of
from sparkml_track.engine.results.history import History
from sparkml_track.engine.spec.spec import Spec
from sparkml_track.executors import Capabilities, Ended, Event, Executor, Started
from sparkml_track.journals import Journal, Record
from sparkml_track.samplers import build
from sparkml_track.space import flatten, parse
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Attempt, Outcome, State

SPEC = Spec(lambda _: 0.0, parse({"x": st.uniform(0, 9)}), "s", "e", max_trials=5)
PLAN = Record("plan", {"name": "s", "spec": SPEC.plan(), "fingerprint": {}})


def asked(number: int) -> Record:
    return Record("asked", {"n": number, "params": {"x": 1.5}, "seed": 3})


def accepted(number: int, state: str = "finished", **more: object) -> Record:
    body = {"n": number, "state": state, "metrics": {"loss": 0.5}, "k": 1, "t": 100.0, "d": 2.0, "host": "h"}
    return Record("accepted", {**body, **more})


def submitted(attempt: str) -> Record:
    return Record("submitted", {"a": attempt})


def reported(attempt: str, step: int) -> Record:
    return Record("reported", {"a": attempt, "step": step, "metrics": {"loss": 1.0}, "t": 101.0})


def test_trials_are_accepted_once_and_the_rest_is_unfinished() -> None:
    records = [PLAN, asked(0), submitted("0.0.1"), asked(1), submitted("1.0.1"), accepted(0), asked(2)]
    past = History.of(records)
    assert list(past.results) == [0]
    assert past.results[0].value == (0.5,)
    assert [trial.number for trial in past.unfinished] == [1, 2]
    assert past.attempts == {0: 1, 1: 1}
    assert (past.counts.finished, past.counts.running, past.counts.not_started) == (1, 2, 2)
    assert past.problems == []


def test_reports_are_those_of_the_last_attempt_and_go_when_they_are_published() -> None:
    lost = Record("lost", {"a": "0.0.1", "why": "gone", "charged": True, "host": "h"})
    records = [PLAN, asked(0), submitted("0.0.1"), reported("0.0.1", 1), lost, submitted("0.0.2"), reported("0.0.2", 7)]
    records += [reported("0.0.1", 9), accepted(0, log="a line")]
    past = History.of(records)
    assert past.charged == {0: 1}
    assert [report.step for report in past.child(0).reports] == [7]
    assert past.child(0).log == "a line"
    published = Record("published", {"n": [0]})
    assert History.of([*records, published]).child(0).reports == ()
    assert [report.step for report in History.of([*records, published], keep=True).child(0).reports] == [7]


def test_a_retried_trial_is_open_again_and_its_end_is_void() -> None:
    records = [PLAN, asked(0), submitted("0.0.1"), accepted(0, "killed"), Record("published", {"n": [0]})]
    ended = Record("ended", {"state": "killed", "digest": "d", "counts": {"planned": 5}, "t": 1.0})
    past = History.of([*records, ended, Record("retried", {"n": [0]})])
    assert past.results == {} and past.published == set() and past.ended is None
    assert [trial.number for trial in past.unfinished] == [0]


def test_late_answers_are_known_also_of_a_driver_that_did_not_end() -> None:
    records = [PLAN, asked(0), Record("late", {"n": 2})]
    assert History.of(records).stale == 2
    ended = Record("ended", {"counts": {"planned": 1}, "stale": 3, "t": 9.0})
    assert History.of([*records, ended, Record("late", {"n": 5})]).stale == 5


def test_what_contradicts_itself_is_told() -> None:
    records = [PLAN, asked(0), asked(0), submitted("0.0.1"), submitted("0.0.1"), accepted(0), accepted(0, "failed")]
    records += [submitted("0.0.2"), accepted(7)]
    text = "\n".join(History.of(records).problems)
    for part in ("asked twice", "submitted twice", "second outcome", "after the outcome", "never asked"):
        assert part in text
    assert History.of(records).results[0].state is State.FINISHED


def test_records_of_a_later_release_are_passed_over() -> None:
    assert History.of([PLAN, Record("dreamt", {"n": 1}), asked(0)]).trials.keys() == {0}


def test_the_time_of_drivers_is_their_own_however_long_nobody_worked() -> None:
    def parent(at: float) -> Record:
        return Record("parent", {"run": "r", "experiment": "1", "t": at})

    records = [PLAN, parent(90.0), asked(0), asked(1), accepted(0), parent(5000.0), accepted(1, t=5003.0, d=1.0)]
    assert History.of(records).used == (102.0 - 90.0) + 4.0


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

    def __init__(self) -> None:
        self.stale = 0
        self._events: list[Event] = []

    @property
    def slots(self) -> int:
        return 16

    @property
    def room(self) -> int:
        return 64 - len(self._events) // 2

    def submit(self, attempt: Attempt) -> None:
        outcome = Outcome(State.FINISHED, {"loss": 0.5}, log="x" * 2000, started=5.0, duration=0.1, host="h")
        self._events += [Started(attempt.id, "h", 5.0), Ended(attempt.id, outcome)]

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


def _bytes_held(trials: int) -> int:
    spec = Spec(lambda _: 0.0, SPEC.space, "s", "e", sampler="random", max_trials=trials)
    asker = Asker(build("random", spec.space, seed=1), (), trials, 1)
    parts = Parts(asker, None, _Quick(), _Nowhere(), _Published(), lambda loop: None, deque())
    tracemalloc.start()
    try:
        loop = Loop(spec, parts)
        loop.run()
        assert len(loop.results) == trials
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_sweep_holds_less_than_a_kilobyte_a_trial_logs_and_reports_are_let_go() -> None:
    grown = _bytes_held(6000) - _bytes_held(2000)
    assert grown / 4000 < 1000, f"{grown / 4000:.0f} bytes a trial: 100,000 trials would take {grown / 40:.0f} kB"
