"""How an attempt is told to have ended that could not tell it itself."""

from __future__ import annotations

import time

import pytest

from sparkml_track.slot.attempt.endings import begun, died, killed


def test_how_long_a_killed_attempt_took_does_not_depend_on_a_clock_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    message = begun({"attempt": "0.0.1", "timeout": 1.0})
    started = message["since"]
    monkeypatch.setattr(time, "time", lambda: 0.0)  # set back to 1970
    monkeypatch.setattr(time, "monotonic", lambda: float(str(message["tick"])) + 3.0)
    for done in (killed(message, "timeout"), died(message, -9)):
        assert (done["started"], done["duration"]) == (started, 3.0)


def test_what_ended_an_attempt_is_told() -> None:
    message = begun({"attempt": "0.0.1", "timeout": 1.5})
    assert killed(message, "timeout")["message"] == "over the limit of 1.5 s"
    assert killed(message, "cancelled")["message"] == "ended: cancelled"
    assert died(message, -11)["message"] == "the process was ended by signal 11 (SIGSEGV)"
    assert died(message, 0)["message"] == "the process exited by itself with status 0"
