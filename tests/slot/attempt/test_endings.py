"""How an attempt ended whose process could not say so itself."""

from __future__ import annotations

import time

import pytest

from sparkml_track.slot.attempt.endings import Begun, died, garbled, killed
from sparkml_track.slot.wire.messages import Run

RUN = Run("0.0.1", 0, {}, 1, "0.0", 1, timeout=1.5)


def test_how_long_a_killed_attempt_took_does_not_depend_on_a_clock_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Begun.now(RUN)
    monkeypatch.setattr(time, "time", lambda: 0.0)  # set back to 1970
    monkeypatch.setattr(time, "monotonic", lambda: begun.tick + 3.0)
    for done in (killed(begun, "timeout"), died(begun, -9)):
        assert (done.started, done.duration) == (begun.since, 3.0)


def test_what_ended_an_attempt_is_said() -> None:
    begun = Begun.now(RUN)
    assert killed(begun, "timeout").message == "over the limit of 1.5 s"
    assert killed(begun, "cancelled").message == "ended: cancelled"
    assert died(begun, -11).message == "the process was ended by signal 11 (SIGSEGV)"
    assert died(begun, 0).message == "the process exited by itself with status 0"
    assert garbled(begun, "a message has no name that is known").message == (
        "its process was ended, since what it sent cannot be read (a message has no name that is known)"
    )
