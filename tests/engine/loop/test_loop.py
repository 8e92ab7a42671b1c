"""The loop with a scripted executor: what is accepted, retried, refused, and in which order it is told."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

import sparkml_track as st
import sparkml_track.engine.loop.slot_watch
from sparkml_track.engine.loop.asker import Asker
from sparkml_track.engine.loop.loop import Loop, Parts
from sparkml_track.engine.loop.ports import goes_on
from sparkml_track.engine.results.summary import Result
from sparkml_track.engine.spec.spec import Failures, Spec
from sparkml_track.errors import ExecutorError, SweepStopped
from sparkml_track.executors import Capabilities, Ended, Event, Executor, Logged, Lost, Reported, SlotsChanged, Started
from sparkml_track.goal import Goal
from sparkml_track.journals import Journal, Record
from sparkml_track.pruners import Pruner
from sparkml_track.samplers import Capabilities as Can
from sparkml_track.samplers import Sampler
from sparkml_track.space import parse
from sparkml_track.trackers import ChildRun
from sparkml_track.trial import Attempt, Outcome, Params, Report, RunLog, State

Script = Callable[[Attempt], Sequence[Event]]


def done(attempt: Attempt, loss: float = 1.0) -> Ended:
    return Ended(attempt.id, Outcome(State.FINISHED, {"loss": loss}, started=5.0, duration=1.0, host="h"))


def failed(attempt: Attempt) -> Ended:
    return Ended(attempt.id, Outcome(State.FAILED, reason="exception", message="ValueError: no"))


class Scripted(Executor):
    """Each submitted attempt gives the events its script says."""

    name = "scripted"
    capabilities = Capabilities(kills=True, streams=True, isolates=True)

    def __init__(self, script: Script, slots: int = 2) -> None:
        self.stale = 0
        self._script = script
        self._slots = slots
        self._waiting: deque[Event] = deque()
        self.submitted: list[Attempt] = []
        self.answers: list[tuple[str, int, bool]] = []
        self.stopped: list[str] = []

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def room(self) -> int:
        ended = sum(isinstance(event, Ended | Lost) for event in self._waiting)
        return self._slots - ended

    def submit(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self.submitted.append(attempt)
            self._waiting += [Started(attempt.id, "h", 5.0), *self._script(attempt)]

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        assert self._waiting, "the loop waits for what will never come"
        return [self._waiting.popleft()]

    def answer(self, attempt: str, index: int, stop: bool) -> None:
        self.answers.append((attempt, index, stop))

    def stop(self, attempt: str, reason: str) -> None:
        self.stopped.append(attempt)
        self._waiting = deque(e for e in self._waiting if getattr(e, "attempt", "") != attempt)
        self._waiting.append(Ended(attempt, Outcome(State.KILLED, reason=reason)))

    def close(self) -> None: ...


class Counting(Sampler):
    """Proposes x = 0, 1, 2 ...; keeps what it was told."""

    def __init__(self, order: list[str], adaptive: bool = False) -> None:
        self.capabilities = Can(adaptive=adaptive)
        self.told: list[tuple[int, State, tuple[float, ...]]] = []
        self.asked: list[tuple[int, int]] = []
        self._order = order

    def ask(self, number: int) -> Params:
        self.asked.append((number, len(self.told)))
        return {"x": float(number)}

    def tell(self, number: int, params: Params, state: State, values: Sequence[float]) -> None:
        self._order.append(f"sampler {number}")
        self.told.append((number, state, tuple(values)))


class Listing(Journal):
    """Keeps records in a list."""

    def __init__(self, order: list[str]) -> None:
        self.sweep, self.epoch = "s", 1
        self.records: list[Record] = []
        self._order = order

    def replay(self) -> object:  # type: ignore[override]
        return iter(())

    def append(self, records: Sequence[Record]) -> None:
        self.records += records
        self._order += [f"journal {record.body['n']}" for record in records if record.kind == "accepted"]

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Publishing:
    """Keeps child runs in a list."""

    trouble = ""

    def __init__(self, order: list[str]) -> None:
        self.children: list[ChildRun] = []
        self._order = order

    def put(self, child: ChildRun) -> None:
        self._order.append(f"publisher {child.number}")
        self.children.append(child)

    def check(self) -> None: ...


class StopAt(Pruner):
    """Stops every trial at one step."""

    def __init__(self, step: int) -> None:
        self._step = step
        self.calls: list[tuple[object, ...]] = []

    def report(self, trial: int, step: int, value: float) -> bool:
        self.calls.append((trial, step, value))
        return step >= self._step

    def ended(self, trial: int, finished: bool) -> None:
        self.calls.append(("ended", trial, finished))

    def restarted(self, trial: int) -> None:
        self.calls.append(("restarted", trial))


class World:
    """A loop with all its doubles."""

    def __init__(self, script: Script, trials: int = 4, pruner: Pruner | None = None, **spec: object) -> None:
        self.order: list[str] = []
        self.sampler = Counting(self.order, adaptive=bool(spec.pop("adaptive", False)))
        self.executor = Scripted(script)
        self.journal = Listing(self.order)
        self.publisher = Publishing(self.order)
        behind = spec.pop("behind", None)
        accepted = spec.pop("accepted", goes_on)
        base = Spec(lambda _: 0.0, parse({"x": st.uniform(0, 99)}), "s", "e")
        self.spec = replace(base, max_trials=trials, **spec)  # type: ignore[arg-type]
        asker = Asker(self.sampler, (), trials, 0, behind)  # type: ignore[arg-type]
        parts = Parts(asker, pruner, self.executor, self.journal, self.publisher, lambda loop: None)
        parts = replace(parts, accepted=accepted)  # type: ignore[arg-type]
        self.loop = Loop(self.spec, parts)

    def run(self) -> World:
        self.loop.run()
        return self


def test_every_trial_is_accepted_once_and_the_journal_learns_first() -> None:
    world = World(lambda a: [done(a, a.trial.number)]).run()
    assert sorted(result.number for result in world.loop.results) == [0, 1, 2, 3]
    for number in range(4):
        order = [each for each in world.order if each.endswith(f" {number}")]
        assert order == [f"journal {number}", f"sampler {number}", f"publisher {number}"]


def test_the_records_of_a_trial_come_in_the_order_of_its_life() -> None:
    world = World(lambda a: [Reported(a.id, 0, Report({"loss": 2.0}, 1, 6.0)), done(a)], trials=1).run()
    assert [record.kind for record in world.journal.records] == ["asked", "submitted", "reported", "accepted"]


def test_what_ends_twice_or_late_counts_once() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        if attempt.number == 1:
            return [Lost(attempt.id, "gone")]
        late = Ended(attempt.id.rpartition(".")[0] + ".1", Outcome(State.FINISHED, {"loss": -99.0}))
        return [late, done(attempt, 3.0), done(attempt, 4.0)]

    world = World(script, trials=1)
    world.executor._slots = 1
    world.run()
    assert [(r.number, r.value, r.attempts) for r in world.loop.results] == [(0, (3.0,), 2)]
    assert world.loop.stale == 2, "the late one and the second one"


def test_late_answers_are_in_the_journal_before_the_sweep_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkml_track.engine.loop.loop.TURN", 0.0)
    world = World(lambda a: [done(a), done(a)], trials=3)
    world.executor.stale = 4
    world.loop.stale = 10
    world.run()
    assert [record.body["n"] for record in world.journal.records if record.kind == "late"] == [14, 15, 16]


def test_lost_attempts_are_linked_with_host_reason_and_time() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        if attempt.number == 1:
            return [Lost(attempt.id, "worker on h: its connection ended")]
        return [Ended(attempt.id, Outcome(State.FINISHED, {"loss": 1.0}, log="its own words"))]

    world = World(script, trials=1).run()
    (lost,) = (record.body for record in world.journal.records if record.kind == "lost")
    assert (lost["host"], lost["why"], lost["t"] > 1e9) == ("h", "worker on h: its connection ended", True)
    (child,) = (child for child in world.publisher.children if child.state.terminal)
    first, second = child.log.splitlines()
    assert re.fullmatch(r"attempt 1 was lost on h at 20\d\d-.* UTC: worker on h: its connection ended", first)
    assert second == "its own words"


class Never(Pruner):
    """Prunes nothing."""

    def report(self, trial: int, step: int, value: float) -> bool:
        return False

    def restarted(self, trial: int) -> None: ...

    def ended(self, trial: int, finished: bool) -> None: ...


def test_reports_that_no_pruner_can_read_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        return [Reported(attempt.id, 0, Report({"acc": 2.0}, 1, 6.0)), done(attempt)]

    World(script, trials=3, pruner=Never()).run()
    said = "trial 0 reports no 'loss', only acc: the pruner cannot decide by that; report it too"
    assert [record.getMessage() for record in caplog.records] == [said]
    caplog.clear()
    World(script, trials=3).run()
    assert caplog.text == ""


def test_trials_that_a_limit_ended_say_which() -> None:
    world = World(lambda a: [], trials=2)
    world.executor._slots = 2
    world.loop._turn_once()
    world.loop.stop("the sweep's timeout of 3 s is over")
    world.run()
    assert {r.message for r in world.loop.results} == {"ended: the sweep's timeout of 3 s is over"}


def test_who_listens_gets_each_accepted_outcome_and_may_end_the_sweep() -> None:
    heard: list[tuple[int, float]] = []

    def accepted(result: Result, outcome: Outcome) -> str:
        heard.append((result.number, outcome.metrics["loss"]))
        return "enough" if len(heard) == 2 else ""

    world = World(lambda a: [done(a, a.trial.number)], trials=9, adaptive=True, accepted=accepted)
    world.executor._slots = 1
    world.run()
    assert heard == [(0, 0.0), (1, 1.0)]
    assert world.loop.stopping == "enough"


def test_trials_that_have_no_slot_yet_are_not_running() -> None:
    world = World(lambda a: [], trials=2)
    world.loop._start_trials()
    assert (len(world.loop.live), world.loop.running) == (2, 0)
    world.loop._handle(Started("0.0.1", "h", 5.0))
    assert world.loop.running == 1
    world.loop._handle(Lost("0.0.1", "gone"))
    assert world.loop.running == 0, "it waits for a slot again"


def test_a_sweep_without_slots_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparkml_track.engine.loop.slot_watch, "PATIENT", 0.0)
    world = World(lambda a: [], trials=2)
    world.loop._start_trials()
    assert "waiting for Spark to give slots" in world.loop.note
    world.loop._handle(SlotsChanged(2))
    assert world.loop.note == ""


def test_a_lost_attempt_is_tried_again_under_a_new_number_and_not_told_as_failed() -> None:
    world = World(lambda a: [Lost(a.id, "gone")] if a.number < 3 else [done(a)], trials=1).run()
    assert [attempt.id for attempt in world.executor.submitted] == ["0.0.1", "0.0.2", "0.0.3"]
    assert world.sampler.told == [(0, State.FINISHED, (1.0,))]


def test_a_trial_that_is_lost_too_often_fails_and_the_others_finish() -> None:
    world = World(lambda a: [Lost(a.id, "killed its worker")] if a.trial.number == 1 else [done(a)]).run()
    poison = next(result for result in world.loop.results if result.number == 1)
    assert (poison.state, poison.reason, poison.attempts) == (State.FAILED, "worker lost", 3)
    assert "killed its worker" in poison.message
    assert world.loop.counts == {State.FINISHED: 3, State.FAILED: 1}


def test_losses_before_a_trial_began_are_not_charged_to_it() -> None:
    world = World(lambda a: [Lost(a.id, "gone", charged=False)] if a.number < 9 else [done(a)], trials=1).run()
    assert world.loop.results[0].state is State.FINISHED
    assert world.loop.results[0].attempts == 9


def test_a_users_error_is_never_retried() -> None:
    world = World(lambda a: [failed(a)]).run()
    assert len(world.executor.submitted) == 4
    assert world.sampler.told == [(n, State.FAILED, ()) for n in range(4)]


def test_too_many_failed_trials_stop_the_sweep_with_what_to_do() -> None:
    world = World(lambda a: [failed(a)], trials=50, failures=Failures(max_failed=2)).run()
    assert len(world.loop.results) <= 5
    with pytest.raises(SweepStopped, match=r"3 trials failed, allowed are 2.*ValueError: no.*max_failed"):
        world.loop.tally.raise_if_stopped(world.loop.stopping)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_no_number_is_finished_never_best_and_told_as_failed(value: float) -> None:
    world = World(lambda a: [done(a, value if a.trial.number == 0 else 7.0)], trials=2).run()
    assert {result.state for result in world.loop.results} == {State.FINISHED}
    assert world.loop.best is not None
    assert world.loop.best.number == 1
    assert (0, State.FAILED, ()) in world.sampler.told


def test_maximize_turns_values_round_for_sampler_and_pruner_only() -> None:
    pruner = StopAt(99)
    script: Script = lambda a: [Reported(a.id, 0, Report({"loss": 2.0}, 1, 6.0)), done(a, a.trial.number)]  # noqa: E731
    world = World(script, trials=2, pruner=pruner, goals=(Goal(maximize=True),)).run()
    assert world.sampler.told == [(0, State.FINISHED, (-0.0,)), (1, State.FINISHED, (-1.0,))]
    assert pruner.calls[0] == (0, 1, -2.0)
    assert world.loop.best is not None
    assert world.loop.best.value == (1.0,)


def test_each_report_is_answered_and_a_retry_starts_with_a_clean_pruner() -> None:
    pruner = StopAt(2)

    def script(attempt: Attempt) -> Sequence[Event]:
        reports = [Reported(attempt.id, step, Report({"loss": 1.0}, step, 6.0)) for step in range(3)]
        return [*reports, Lost(attempt.id, "gone") if attempt.number == 1 else done(attempt)]

    world = World(script, trials=1, pruner=pruner).run()
    assert world.executor.answers == [(f"0.0.{k}", i, i == 2) for k in (1, 2) for i in range(3)]
    assert ("restarted", 0) in pruner.calls
    assert len(world.publisher.children[0].reports) == 3, "those of the lost attempt are gone"


def test_curves_are_those_of_accepted_attempts() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        reports = [Reported(attempt.id, step, Report({"loss": attempt.number}, step, 6.0)) for step in range(2)]
        return [*reports, Lost(attempt.id, "gone") if attempt.number == 1 else done(attempt)]

    (curve,) = World(script, trials=1).run().loop.tally.curves.best()
    assert (list(curve.steps), list(curve.values)) == ([0, 1], [2.0, 2.0])


def test_what_a_lost_attempt_logged_is_not_in_the_child_run() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        log = Logged(attempt.id, RunLog(params={"alpha": str(attempt.number)}))
        return [log, Lost(attempt.id, "gone") if attempt.number == 1 else done(attempt)]

    world = World(script, trials=1).run()
    assert world.publisher.children[0].logged.params == {"alpha": "2"}


def test_an_adaptive_sampler_is_never_asked_ahead_of_free_slots() -> None:
    world = World(lambda a: [done(a)], trials=20, adaptive=True).run()
    assert all(number - told <= 2 for number, told in world.sampler.asked)


def test_deterministic_asks_know_exactly_what_lies_parallelism_behind() -> None:
    def order(turned: bool) -> list[tuple[int, int]]:
        waiting: list[Attempt] = []

        def script(attempt: Attempt) -> Sequence[Event]:
            if not turned:
                return [done(attempt)]
            waiting.append(attempt)
            if len(waiting) == 2 or attempt.trial.number == 9:
                events = [done(each) for each in reversed(waiting)]
                waiting.clear()
                return events
            return []

        world = World(script, trials=10, behind=2, adaptive=True).run()
        assert [number for number, _, _ in world.sampler.told] == sorted(n for n, _, _ in world.sampler.told)
        return world.sampler.asked

    assert order(turned=False) == order(turned=True) == [(n, max(0, n - 1)) for n in range(10)]


def test_stop_ends_what_runs_and_starts_nothing() -> None:
    world = World(lambda a: [], trials=100)
    world.loop._parts = replace(world.loop._parts)
    world.loop._start_trials()
    world.loop.stop("enough")
    world.loop.run()
    assert {(r.state, r.reason) for r in world.loop.results} == {(State.KILLED, "cancelled")}
    assert len(world.executor.submitted) == len(world.loop.results)


def test_an_executor_that_gives_up_leaves_what_ran_to_be_abandoned() -> None:
    class Broken(Scripted):
        def events(self, timeout: float | None = None) -> Sequence[Event]:
            raise ExecutorError("no slot is left")

    world = World(lambda a: [])
    world.executor = Broken(lambda a: [])
    world.loop._parts = replace(world.loop._parts, executor=world.executor)
    with pytest.raises(ExecutorError):
        world.loop.run()
    world.loop.abandon("no slot is left")
    assert {result.state for result in world.loop.results} == {State.KILLED}
    assert not world.loop.live


def test_trials_that_were_asked_before_a_sampler_raised_are_counted() -> None:
    world = World(lambda attempt: [])
    ask = world.sampler.ask

    def raises(number: int) -> Params:
        if number == 1:
            raise ValueError("no more")
        return ask(number)

    world.sampler.ask = raises  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no more"):
        world.loop.run()
    world.loop.abandon("the sweep ended: no more")
    asked = [record.body["n"] for record in world.journal.records if record.kind == "asked"]
    assert [result.number for result in world.loop.results] == asked == [0]
