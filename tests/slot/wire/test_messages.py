"""The codec of messages: what is sent arrives, and what is none is refused."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sparkml_track.slot.wire.frames import WireError, pack
from sparkml_track.slot.wire.messages import Bye, Message, Report, decode, encode

KINDS: list[type[Any]] = list(get_args(Message))
VALUES: dict[Any, some.SearchStrategy[Any]] = {
    str: some.text(some.characters(codec="utf-8"), max_size=9),
    int: some.integers(),
    bool: some.booleans(),
    object: some.none() | some.integers() | some.text(some.characters(codec="utf-8")) | some.lists(some.integers()),
    float | None: some.none() | some.floats(allow_nan=False),
    list[int]: some.lists(some.integers()),
    list[str]: some.lists(some.text(some.characters(codec="utf-8"))),
}


def values(hint: Any) -> some.SearchStrategy[Any]:
    return VALUES.get(hint, some.dictionaries(some.text(some.characters(codec="utf-8")), some.integers()))


@given(some.data(), some.sampled_from(KINDS), some.binary(max_size=20))
def test_each_message_arrives_as_it_was_sent(data: Any, kind: type[Any], blob: bytes) -> None:
    message = kind(*(data.draw(values(hint)) for hint in get_type_hints(kind).values()))
    arrived, behind = decode(encode(message, blob))
    assert (type(arrived), arrived, behind) == (kind, message, blob)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ([""], "no name that is known"),
        (["hell"], "no name that is known"),
        ([["run"]], "no name that is known"),
        (["report", "0.0.1"], "Report cannot be read: .*missing"),
        (["exit", 1, 0, 1], "Exit cannot be read: .*takes 3 positional arguments but 4"),
        (["exit", True, 0], "pid of a message Exit is a bool"),
        (["exit", 1.0, 0], "pid of a message Exit is a float"),
        (["done", None, 1, 1, 1], "attempt of a message Done"),
    ],
)
def test_what_is_no_message_is_refused_and_named(head: list[object], said: str) -> None:
    with pytest.raises(WireError, match=said):
        decode(pack(head))


def test_fields_that_a_users_code_made_pass_for_others_to_check() -> None:
    odd = Report("0.0.1", "first", [1], {}, None)
    assert decode(encode(odd)) == (odd, b"")


def test_fields_may_be_left_out_that_have_a_default() -> None:
    assert decode(pack(["bye"])) == (Bye(), b"")
