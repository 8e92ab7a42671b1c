"""What attempts give back, put together on the driver: slots hold to the bounds, and are not believed."""

from __future__ import annotations

import pytest

from sparkml_track.executors._attempts.payloads import Payloads
from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.slot.wire.messages import Done, Part


def ended(size: int) -> Done:
    return Done("0.0.1", "finished", 1.0, 1.0, payload=size)


def test_parts_come_together_in_their_order() -> None:
    payloads = Payloads(limit=10)
    payloads.take(Part("0.0.1", 0), b"abc")
    payloads.take(Part("0.0.1", 3), b"def")
    assert payloads.whole(ended(8), b"gh") == b"abcdefgh"


@pytest.mark.parametrize(("at", "size"), [(4, 1), (2, 1), (-1, 1), (3, 8)])
def test_a_part_that_does_not_follow_or_is_too_much_is_refused(at: int, size: int) -> None:
    payloads = Payloads(limit=10)
    payloads.take(Part("0.0.1", 0), b"abc")
    with pytest.raises(BadMessage, match="allowed are those that follow the last one, 10 in all"):
        payloads.take(Part("0.0.1", at), b"x" * size)


@pytest.mark.parametrize(("size", "last"), [(5, b"x"), (3, b"x"), (11, b"x" * 8)])
def test_an_end_that_says_another_size_is_refused(size: int, last: bytes) -> None:
    payloads = Payloads(limit=10)
    payloads.take(Part("0.0.1", 0), b"abc")
    with pytest.raises(BadMessage, match="allowed is all of it"):
        payloads.whole(ended(size), last)


def test_an_attempt_that_begins_anew_gives_anew() -> None:
    payloads = Payloads(limit=10)
    payloads.take(Part("0.0.1", 0), b"abc")
    payloads.take(Part("0.0.1", 0), b"xyz")
    assert payloads.whole(ended(3), b"") == b"xyz"
    payloads.take(Part("0.0.1", 0), b"abc")
    payloads.forget("0.0.1")
    assert payloads.whole(ended(1), b"d") == b"d"
