"""What is told when trials wait and there are no slots."""

from __future__ import annotations

import pytest

import sparkml_track.engine.loop.slot_watch as slots_module
from sparkml_track.engine.loop.slot_watch import SlotWatch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(slots_module.time, "monotonic", lambda: now[0])
    return now


def test_nothing_is_said_in_the_first_seconds_while_there_are_slots_or_if_nobody_waits(clock: list[float]) -> None:
    slots = SlotWatch("Spark")
    clock[0] += 9
    assert slots.note(12) == ""
    clock[0] += 90
    assert slots.note(0) == ""
    slots.changed(2)
    assert slots.note(12) == ""


def test_after_ten_seconds_without_a_first_worker_it_says_who_is_waited_for_and_how_long(clock: list[float]) -> None:
    slots = SlotWatch("Spark")
    clock[0] += 35
    assert slots.note(12).startswith("waiting for Spark to give slots (35 s); ")


def test_slots_that_are_gone_are_waited_for_from_then_on(clock: list[float]) -> None:
    slots = SlotWatch("Spark")
    slots.changed(2)
    clock[0] += 500
    slots.changed(0)
    clock[0] += 5
    slots.changed(0)
    assert slots.note(2) == ""
    clock[0] += 7
    assert slots.note(2) == "no slot is left, waiting for Spark to give new ones (12 s)"


def test_slots_are_idle_while_they_are_there_and_no_accepted_attempt_ran(clock: list[float]) -> None:
    slots = SlotWatch("Spark")
    clock[0] += 50  # no slot is there yet
    slots.changed(2)
    clock[0] += 10
    slots.changed(3)
    slots.worked(4.0)
    clock[0] += 5
    slots.worked(8.5)
    assert slots.idle == 2 * 10 + 3 * 5 - 12.5
    slots.changed(0)
    clock[0] += 100
    assert slots.idle == 22.5
    slots.before = 7.5
    assert slots.idle == 30


def test_clocks_of_slots_that_run_fast_make_no_time(clock: list[float]) -> None:
    slots = SlotWatch("Spark")
    slots.changed(1)
    clock[0] += 10
    slots.worked(11.0)
    assert slots.idle == 0
