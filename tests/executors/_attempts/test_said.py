"""What attempts say while they run, as events."""

from __future__ import annotations

from sparkml_track.executors import Questioned, Reported
from sparkml_track.executors._attempts.received import Judge
from sparkml_track.executors._attempts.said import event_of
from sparkml_track.slot.attempt.door import LONGEST
from sparkml_track.slot.wire.messages import Done, Logged, Question, Report
from sparkml_track.trial import State

END = Done("0.0.1", "finished", 1.0, 1.0, {"loss": 1.0}, "", "", "")


def test_questions_and_reports_are_events() -> None:
    judge = Judge(("loss",))
    assert event_of(Question("0.0.1", 3, "[]", True), "h", judge) == Questioned("0.0.1", 3, "[]", True)
    assert isinstance(event_of(Report("0.0.1", 0, {"loss": 1}, 2, 3.0), "h", judge), Reported)
    assert judge.outcome(END, "h").state is State.FINISHED


def test_what_cannot_be_is_none_and_fails_the_attempt() -> None:
    for said in (Question("0.0.1", 3, "x" * (LONGEST + 1), True), Report("0.0.1", -1, {}, 2, 3.0), Logged("0.0.1", 3)):
        judge = Judge(("loss",))
        assert event_of(said, "h", judge) is None
        assert (judge.outcome(END, "h").state, judge.outcome(END, "h").state) == (State.FAILED, State.FINISHED)
