"""Trials of several units with a scripted executor: what is handed out, retried, accepted, and what a trial gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.engine.loop.doorkeeper import DoorLine
from sparkml_track.engine.loop.running_trial import RunningTrial
from sparkml_track.engine.records.types import UnitAccepted
from sparkml_track.engine.spec.spec import Failures
from sparkml_track.engine.spec.units import Units, units_of
from sparkml_track.executors import Ended, Event, Lost, Reported, Started
from sparkml_track.journals import Record
from sparkml_track.trial import Attempt, AttemptId, Outcome, Report, State, Trial
from tests.engine.loop.test_loop import Scripted, StopAt, World

Script = Callable[[Attempt], Sequence[Event]]
THREE = Units(3)


def done(attempt: Attempt, loss: float | None = None, **more: Any) -> Ended:
    """The loss of a unit is its index by default."""
    value = float(attempt.unit.index) if loss is None else loss
    return Ended(attempt.id, Outcome(State.FINISHED, {"loss": value}, started=5.0, duration=1.0, host="h", **more))


def failed(attempt: Attempt) -> Ended:
    return Ended(attempt.id, Outcome(State.FAILED, reason="exception", message="ValueError: no", started=5.0))


class Slots(Scripted):
    """Takes as many attempts as it has slots."""

    @property
    def room(self) -> int:
        return self._slots - len(self.submitted) + self.ended

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        events = super().events(timeout)
        self.ended += sum(isinstance(event, Ended | Lost) for event in events)
        return events

    ended = 0


class Losing(Slots):
    """Loses what it is to stop."""

    def stop(self, attempt: str, reason: str) -> None:
        self.stopped.append(attempt)
        self._waiting.append(Lost(attempt, "gone"))


def world(
    script: Script,
    trials: int = 2,
    units: Units = THREE,
    executor: type[Scripted] = Slots,
    slots: int = 2,
    **given: Any,
) -> World:
    found = World(script, trials=trials, units=units, **given)
    found.executor = executor(script, slots)
    found.loop._parts = replace(found.loop._parts, executor=found.executor)
    found.loop._line = DoorLine(None, found.loop.journal, found.executor)
    return found


def ids(found: World) -> list[str]:
    return [attempt.id for attempt in found.executor.submitted]


def records(found: World, kind: str) -> list[Record]:
    return [record for record in found.journal.records if record.kind == kind]


def test_a_trial_ends_when_its_units_have_with_their_means_and_each_units_values() -> None:
    found = world(lambda a: [done(a)], trials=1).run()
    (result,) = found.loop.results
    assert (result.state, result.value, result.attempts) == (State.FINISHED, (1.0,), 1)
    assert result.metrics == {
        "loss": 1.0,
        "loss_std": math.sqrt(2 / 3),
        **{f"fold_{index}_loss": float(index) for index in range(3)},
    }
    assert found.sampler.told == [(0, State.FINISHED, (1.0,))]
    (child,) = found.publisher.children
    assert child.metrics == result.metrics


def test_units_are_in_the_journal_before_their_trial_and_one_unit_leaves_none() -> None:
    found = world(lambda a: [done(a)], trials=1, slots=1).run()
    kinds = [record.kind for record in found.journal.records]
    assert kinds == ["asked", *["submitted", "unit"] * 3, "accepted"]
    assert [record.body["a"] for record in records(found, "unit")] == ["0.0.1", "0.1.1", "0.2.1"]
    plain = world(lambda a: [done(a)], trials=1, units=Units(1)).run()
    assert [record.kind for record in plain.journal.records] == ["asked", "submitted", "accepted"]
    assert plain.loop.results[0].metrics == {"loss": 0.0}
    assert "busy" not in records(plain, "accepted")[0].body


def test_units_of_begun_trials_come_before_new_trials() -> None:
    found = world(lambda a: [done(a)], trials=3, slots=2).run()
    assert ids(found) == [f"{trial}.{index}.1" for trial in range(3) for index in range(3)]


def test_an_adaptive_sampler_is_asked_when_a_slot_is_free_for_the_trial() -> None:
    found = world(lambda a: [done(a)], trials=4, slots=2, adaptive=True).run()
    assert found.sampler.asked == [(0, 0), (1, 0), (2, 1), (3, 2)]
    assert len(found.loop.results) == 4


def test_a_lost_unit_is_tried_again_alone() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        return [Lost(attempt.id, "gone")] if attempt.id == "0.1.1" else [done(attempt)]

    found = world(script, trials=1, slots=1).run()
    assert ids(found) == ["0.0.1", "0.1.1", "0.1.2", "0.2.1"]
    (result,) = found.loop.results
    assert (result.state, result.attempts) == (State.FINISHED, 2)
    assert "attempt 1 was lost on h" in found.publisher.children[0].log
    assert found.publisher.children[0].log.startswith("unit 1: ")


def test_a_unit_that_is_lost_too_often_fails_its_trial() -> None:
    found = world(
        lambda a: [Lost(a.id, "gone")] if a.unit.index == 1 else [done(a)], failures=Failures(retries=1)
    ).run()
    assert [(r.state, r.reason, r.attempts) for r in found.loop.results] == [(State.FAILED, "worker lost", 2)] * 2


def test_a_failed_unit_fails_its_trial_and_the_others_are_not_executed() -> None:
    found = world(lambda a: [failed(a)] if a.unit.index == 0 else [done(a)], trials=2, slots=1).run()
    assert ids(found) == ["0.0.1", "1.0.1"]
    assert [(r.state, r.reason, r.message) for r in found.loop.results] == [
        (State.FAILED, "exception", "ValueError: no")
    ] * 2
    assert found.loop.results[0].failed_units == ((0, "ValueError: no"),)
    assert found.sampler.told == [(n, State.FAILED, ()) for n in range(2)]


def test_units_that_run_when_their_trial_fails_are_ended_and_have_no_outcome() -> None:
    found = world(lambda a: [failed(a)] if a.unit.index == 0 else [], trials=1).run()
    assert found.executor.stopped == ["0.1.1"]
    assert [record.body["a"] for record in records(found, "unit")] == ["0.0.1"]
    assert [(r.state, r.reason) for r in found.loop.results] == [(State.FAILED, "exception")]
    assert found.loop.stale == 0


def test_a_unit_that_is_lost_while_its_trial_ends_is_not_tried_again() -> None:
    found = world(lambda a: [failed(a)] if a.unit.index == 0 else [], trials=1, executor=Losing)
    found.run()
    assert ids(found) == ["0.0.1", "0.1.1"]
    assert [r.state for r in found.loop.results] == [State.FAILED]


def test_a_failed_unit_may_count_as_another_value() -> None:
    units = Units(3, instead=-1.0)
    found = world(lambda a: [failed(a)] if a.unit.index == 1 else [done(a)], trials=1, units=units).run()
    (result,) = found.loop.results
    assert (result.state, result.value) == (State.FINISHED, (1 / 3,))
    assert result.metrics["fold_1_loss"] == -1.0
    assert result.failed_units == ((1, "ValueError: no"),)
    assert result.message == "1 of 3 units failed and count as -1.0: ValueError: no"


def test_a_trial_of_which_no_unit_finished_has_failed_whatever_they_count_as() -> None:
    found = world(lambda a: [failed(a)], trials=1, units=Units(3, instead=0.0)).run()
    (result,) = found.loop.results
    assert (result.state, result.reason, result.value, result.metrics) == (State.FAILED, "exception", None, {})
    assert len(result.failed_units) == len(found.executor.submitted) == 3


def test_a_unit_that_counts_as_nan_leaves_a_trial_that_is_never_best() -> None:
    units = Units(2, instead=math.nan)
    found = world(lambda a: [failed(a)] if a.id == "0.0.1" else [done(a)], trials=2, units=units).run()
    assert [r.state for r in found.loop.results] == [State.FINISHED] * 2
    assert found.loop.best is not None and found.loop.best.number == 1


def test_a_timeout_of_a_unit_ends_its_trial() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        killed = Ended(attempt.id, Outcome(State.KILLED, reason="timeout", message="over", started=5.0))
        return [killed] if attempt.unit.index == 1 else [done(attempt)]

    found = world(script, trials=1, slots=1, trial_timeout=7.0).run()
    assert {attempt.timeout for attempt in found.executor.submitted} == {7.0}
    assert [(r.state, r.reason, r.message) for r in found.loop.results] == [(State.KILLED, "timeout", "over")]


def test_a_hopeless_trial_is_left_after_its_first_units() -> None:
    pruner = StopAt(2)
    found = world(lambda a: [done(a)], trials=1, units=Units(4), slots=1, pruner=pruner).run()
    assert pruner.calls == [(0, 1, 0.0), (0, 2, 0.5), ("ended", 0, False)]
    (result,) = found.loop.results
    assert (result.state, result.reason) == (State.PRUNED, "pruned")
    assert result.metrics == {"loss": 0.5, "loss_std": 0.5, "fold_0_loss": 0.0, "fold_1_loss": 1.0}
    assert ids(found) == ["0.0.1", "0.1.1"]
    assert [(r.step, r.metrics) for r in found.publisher.children[0].reports] == [
        (1, {"loss": 0.0}),
        (2, {"loss": 0.5}),
    ]


def test_a_trial_whose_last_unit_is_hopeless_has_finished() -> None:
    found = world(lambda a: [done(a)], trials=1, slots=1, pruner=StopAt(3)).run()
    assert [r.state for r in found.loop.results] == [State.FINISHED]


def test_without_a_pruner_no_means_are_recorded_on_the_way() -> None:
    found = world(lambda a: [done(a)], trials=1).run()
    assert records(found, "reported") == []


def test_reports_of_a_unit_have_its_name_and_no_pruner_decides_by_them() -> None:
    pruner = StopAt(99)
    script: Script = lambda a: [Reported(a.id, 0, Report({"loss": 9.0}, 500, 6.0)), done(a)]  # noqa: E731
    found = world(script, trials=1, slots=1, pruner=pruner).run()
    assert found.executor.answers == [(f"0.{index}.1", 0, False) for index in range(3)]
    assert [call[1] for call in pruner.calls[:-1]] == [1, 2, 3]
    reports = found.publisher.children[0].reports
    assert [one.metrics for one in reports if one.step == 500] == [{f"fold_{index}_loss": 9.0} for index in range(3)]


def test_what_a_lost_attempt_of_a_unit_reported_is_not_in_the_child_run() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        report = Reported(attempt.id, 0, Report({"loss": float(attempt.number)}, 7, 6.0))
        return [report, Lost(attempt.id, "gone") if attempt.number == 1 else done(attempt)]

    found = world(script, trials=1).run()
    assert sorted(r.metrics.popitem() for r in map(_copied, found.publisher.children[0].reports)) == [  # type: ignore[attr-defined]
        (f"fold_{index}_loss", 2.0) for index in range(3)
    ]


def _copied(report: Report) -> Report:
    return replace(report, metrics=dict(report.metrics))


def test_times_of_a_trial_are_those_of_its_units() -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        outcome = Outcome(State.FINISHED, {"loss": 1.0}, started=100.0 + attempt.unit.index, duration=4.0, host="h")
        return [Ended(attempt.id, outcome)]

    found = world(script, trials=1).run()
    (result,) = found.loop.results
    assert (result.started, result.duration, result.busy, result.slot_seconds) == (100.0, 6.0, 12.0, 12.0)


def test_stop_ends_what_runs_and_hands_out_nothing_more() -> None:
    found = world(lambda a: [done(a)] if a.unit.index == 0 else [], trials=9, slots=2)
    for _ in range(3):
        found.loop._turn_once()
    found.loop.stop("enough")
    found.run()
    assert {(r.state, r.reason, r.message) for r in found.loop.results} == {
        (State.KILLED, "cancelled", "ended: enough")
    }
    asked = [record.body["n"] for record in records(found, "asked")]
    assert sorted(r.number for r in found.loop.results) == asked
    assert found.loop._units.handed_out == 0


def test_a_trial_of_which_nothing_runs_is_ended_by_stop_too() -> None:
    found = world(lambda a: [done(a)], trials=9, slots=1)
    found.loop._turn_once()
    while found.executor._waiting:  # its first unit ends, and no second one is handed out
        for event in found.executor.events():
            found.loop._handle(event)
    assert (len(found.loop.live), found.loop.running) == (1, 1)
    found.loop.stop("enough")
    assert [(r.state, r.metrics["fold_0_loss"]) for r in found.loop.results] == [(State.KILLED, 0.0)]


def test_abandon_counts_each_trial_once() -> None:
    found = world(lambda a: [], trials=9, slots=4)
    found.loop._start_trials()
    found.loop.abandon("no slot is left")
    assert [(r.number, r.state) for r in found.loop.results] == [(0, State.KILLED), (1, State.KILLED)]
    assert found.loop.summary().counts.killed == 2
    assert not found.loop.live and found.loop._units.handed_out == 0


def test_trials_are_what_is_counted_not_units() -> None:
    found = world(lambda a: [], trials=5, slots=4)
    found.loop._start_trials()
    assert (len(found.loop.live), found.loop.running, found.loop._units.handed_out) == (2, 0, 4)
    found.loop._handle(Started("0.0.1", "h", 5.0))
    assert found.loop.running == 1
    counts = found.loop.summary().counts
    assert (counts.planned, counts.running, counts.not_started) == (5, 2, 3)


# -- what an earlier driver left


def unit(index: int, state: State = State.FINISHED) -> UnitAccepted:
    metrics = {"loss": 10.0} if state is State.FINISHED else {}
    return UnitAccepted(AttemptId(0, index, 1), state, metrics, 5.0, 1.0, "h", "", "ValueError: then")


def left(*ended: UnitAccepted, count: int = 3) -> RunningTrial:
    known = {one.attempt.unit: one for one in ended}
    live = RunningTrial(Trial(0, {"x": 0.0}), Units(count), ended=known, tried={0: 1, 1: 2}, attempts=2)
    live.left.extend(index for index in range(count)[::-1] if index not in known)
    for one in ended:
        live.judge(one)
    return live


def test_units_that_were_accepted_are_not_executed_again() -> None:
    found = world(lambda a: [done(a)], trials=0, slots=1)
    found.loop.restore([], [left(unit(0))])
    found.run()
    assert ids(found) == ["0.1.3", "0.2.1"]
    (result,) = found.loop.results
    assert (result.value, result.attempts) == ((13 / 3,), 3)
    assert result.metrics["fold_0_loss"] == 10.0


def test_losses_under_an_earlier_driver_count_for_their_unit_alone() -> None:
    lost = left()
    lost.charged = {1: 2}
    found = world(lambda a: [Lost(a.id, "gone")] if a.number < 4 else [done(a)], trials=0, slots=1)
    found.loop.restore([], [lost])
    found.run()
    (result,) = found.loop.results
    assert (result.state, result.reason) == (State.FAILED, "worker lost")
    assert "0.1.3" in ids(found) and "0.1.4" not in ids(found), "it had two losses, and this is the third"


def test_a_trial_whose_units_had_all_ended_is_accepted_at_once() -> None:
    found = world(lambda a: [done(a)], trials=0)
    found.loop.restore([], [left(*map(unit, range(3)))])
    found.run()
    assert ids(found) == []
    assert [(r.state, r.value) for r in found.loop.results] == [(State.FINISHED, (10.0,))]


def test_a_trial_that_a_unit_had_failed_is_accepted_at_once() -> None:
    found = world(lambda a: [done(a)], trials=0)
    found.loop.restore([], [left(unit(0), unit(1, State.FAILED))])
    found.run()
    assert ids(found) == []
    assert [(r.state, r.message) for r in found.loop.results] == [(State.FAILED, "ValueError: then")]


def test_artifacts_of_units_lie_in_one_folder_of_their_trial(tmp_path: Path) -> None:
    def script(attempt: Attempt) -> Sequence[Event]:
        folder = tmp_path / attempt.id
        if attempt.unit.index == 1:
            return [done(attempt)]
        folder.mkdir()
        (folder / "note").write_text(attempt.id)
        return [done(attempt, artifacts=str(folder))]

    found = world(script, trials=1).run()
    (child,) = found.publisher.children
    assert child.artifacts == tmp_path / "0.units"
    notes = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("note")}
    assert notes == {"0.units/fold_0/note": "0.0.1", "0.units/fold_2/note": "0.2.1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (0, "units is 0; allowed is a whole number of at least 1"),
        ("5", "units is '5'; allowed is"),
        (True, "units is True; allowed is"),
        (Units(2, instead="no"), "units.instead is 'no'; allowed is a number"),  # type: ignore[arg-type]
        (Units(2, prefix="fold_"), "units.prefix is 'fold_'; allowed is text with {index} once"),
    ],
)
def test_wrong_units_are_refused(given: object, said: str) -> None:
    assert units_of(given)[1][0].startswith(said)
