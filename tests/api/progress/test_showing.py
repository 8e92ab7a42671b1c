"""What is said beside the number of trials that are done."""

from __future__ import annotations

import logging

import pytest

from sparkml_track.api.progress.lines import LogLines
from sparkml_track.api.progress.showing import display
from sparkml_track.api.progress.words import sentence
from sparkml_track.engine.loop.progress import Progress


def progress(**fields: object) -> Progress:
    none = {"finished": 0, "pruned": 0, "failed": 0, "killed": 0, "running": 0, "planned": 40}
    none |= {"best": None, "best_number": None, "elapsed": 0.0, "remaining": None}
    return Progress(**{**none, **fields})  # type: ignore[arg-type]


def test_trials_that_wait_for_slots_are_not_called_running() -> None:
    assert sentence(progress(waiting=12)) == "0 running, 12 waiting for slots, 0 failed"


def test_trials_that_wait_their_turn_behind_others_are_not_worth_saying() -> None:
    assert sentence(progress(running=2, waiting=4, failed=1)) == "2 running, 1 failed"


def test_best_time_left_and_the_note_come_last() -> None:
    said = sentence(progress(running=2, pruned=1, best=0.25, best_number=7, remaining=75.0, note="tracking is away"))
    assert said == "2 running, 1 pruned, 0 failed, best 0.25 (trial 7), 1 min 15 s left, tracking is away"


def test_false_shows_nothing(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), display("s", False) as listener:
        listener(progress())
    assert capsys.readouterr() == ("", "")
    assert not caplog.records


def test_true_shows_what_is_shown_by_default() -> None:
    with display("s", True) as listener:
        listener(progress())


def test_without_a_terminal_there_is_no_terminal_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with display("s", None) as listener:
        assert isinstance(listener, LogLines)
