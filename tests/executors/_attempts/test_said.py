"""What attempts say while they run, as events."""

from __future__ import annotations

import pytest

from sparkml_track.executors import Questioned, Reported
from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.executors._attempts.said import event_of
from sparkml_track.slot.attempt.door import LONGEST
from sparkml_track.slot.wire.messages import Logged, Question, Report


def test_questions_and_reports_are_events() -> None:
    assert event_of(Question("0.0.1", 3, "[]", True)) == Questioned("0.0.1", 3, "[]", True)
    assert isinstance(event_of(Report("0.0.1", 0, {"loss": 1}, 2, 3.0)), Reported)


@pytest.mark.parametrize(
    "said",
    [Question("0.0.1", 3, "x" * (LONGEST + 1), True), Report("0.0.1", -1, {}, 2, 3.0), Logged("0.0.1", 3)],
    ids=["question", "report", "log"],
)
def test_what_cannot_be_is_refused(said: Question | Report | Logged) -> None:
    with pytest.raises(BadMessage):
        event_of(said)
