"""Attempts and the front door of their sweep: what goes along, what is asked, and who cannot ask."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from sparkml_track.engine.loop.doorkeeper import DoorLine, Replied
from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.loop.running_trial import RunningTrial, RunningUnit
from sparkml_track.engine.records.entries import read_records
from sparkml_track.engine.records.types import Suggested
from sparkml_track.errors import SetupError
from sparkml_track.executors import Capabilities, Questioned, Reported
from sparkml_track.journals import Record
from sparkml_track.trial import Attempt, Report, Trial, Unit

ATTEMPT = Attempt(Trial(0, {"a": 1}), Unit(0))


class Carrier:
    """An executor that keeps what it is given."""

    name = "carrier"

    def __init__(self, streams: bool = True) -> None:
        self.capabilities = Capabilities(kills=True, streams=streams, isolates=True)
        self.said: list[Any] = []

    def submit(self, *attempts: Attempt) -> None:
        self.said += [attempt.along for attempt in attempts]

    def reply(self, *reply: object) -> None:
        self.said.append(reply)

    def answer(self, *answer: object) -> None:
        self.said.append(answer)


class Pages:
    """A journal of which the records are looked at."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: list[Record]) -> None:
        self.records += records


class Door:
    def along(self, attempt: Attempt) -> object:
        return {"for": attempt.id}

    def question(self, attempt: Attempt, event: Questioned) -> Replied:
        return Replied(event.body.upper(), {"x": event.number})


def line(door: Door | None, streams: bool = True) -> tuple[DoorLine, Carrier, Pages]:
    carrier, journal = Carrier(streams), Pages()
    return DoorLine(door, JournalWriter(journal, None, deque()), carrier), carrier, journal  # type: ignore[arg-type]


def test_params_of_a_reply_are_in_the_journal_before_the_attempt_has_it() -> None:
    between, carrier, journal = line(Door())
    unit = RunningUnit(RunningTrial(ATTEMPT.trial), ATTEMPT)
    between.submit([ATTEMPT])
    between.hear(unit, Questioned("0.0.1", 1, "note", False))
    between.hear(unit, Questioned("0.0.1", 2, "ask", True))
    assert carrier.said == [{"for": "0.0.1"}, ("0.0.1", 2, "ASK")]
    assert list(read_records(journal.records)) == [Suggested(0, {"x": 1}), Suggested(0, {"x": 2})]
    assert unit.of.trial.params == {"a": 1, "x": 2}


def test_without_a_door_a_question_gets_nothing_and_a_report_its_answer() -> None:
    between, carrier, _ = line(None)
    between.submit([ATTEMPT])
    between.hear(RunningUnit(RunningTrial(ATTEMPT.trial), ATTEMPT), Questioned("0.0.1", 1, "ask", True))
    between.answer(Reported("0.0.1", 4, Report({}, 0, 0.0)), True)
    assert carrier.said == [None, ("0.0.1", 1, ""), ("0.0.1", 4, True)]


def test_an_executor_that_does_not_stream_is_refused() -> None:
    line(None, streams=False)[0].submit([ATTEMPT])
    with pytest.raises(SetupError, match="executor 'carrier' cannot carry; take"):
        line(Door(), streams=False)[0].submit([ATTEMPT])
