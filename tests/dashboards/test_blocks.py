"""Whatever a piece of a page is given is text."""

from __future__ import annotations

import pytest

from sparkml_track.dashboards import blocks
from sparkml_track.dashboards.blocks import Markup

EVIL = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "made",
    [
        blocks.section(EVIL, EVIL, about=EVIL),
        blocks.tiles([(EVIL, EVIL), (EVIL, 1, "bad")]),
        blocks.facts({EVIL: EVIL}),
        blocks.table([EVIL], [[EVIL]], texts=[0]),
        blocks.note(EVIL, "bad"),
        blocks.empty(EVIL, EVIL),
        blocks.state(EVIL),
        blocks.link(EVIL, ""),
        blocks.link(EVIL, '"><img src=x>'),
    ],
)
def test_nothing_that_is_given_is_html(made: Markup) -> None:
    assert "<img" not in made
    assert "&lt;img" in made


def test_a_query_is_encoded_and_what_is_empty_left_out() -> None:
    assert blocks.address("sweep", {"sweep": "a&b=c d", "trial": None}) == "/lake/sweep/?sweep=a%26b%3Dc+d"
    assert blocks.address("home") == "/lake/home/"


def test_what_is_not_known_is_not_a_fact() -> None:
    assert "empty" not in blocks.facts({"empty": "", "none": None, "zero": 0})
    assert "zero" in blocks.facts({"zero": 0})
