"""Numbers and times as a person reads them."""

from __future__ import annotations

import pytest

from sparkml_track.readable import clock_time, duration, number, short_text, told_apart


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_durations_have_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_values_are_short() -> None:
    assert number(1 / 3) == "0.333333"
    assert short_text(0.1 + 0.2) == "0.3"
    assert short_text("x" * 90) == "x" * 79 + "…"
    assert clock_time(0.0) == "1970-01-01 00:00:00 UTC"


def test_texts_that_are_alike_are_numbered() -> None:
    assert told_apart(["a…", "b", "a…", "a… (2)", "a…"]) == ["a…", "b", "a… (2)", "a… (2) (2)", "a… (3)"]
