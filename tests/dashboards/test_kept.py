"""What was made of something is made again when that changes, and once for all who ask."""

from __future__ import annotations

import threading

import pytest

from sparkml_track.dashboards.kept import Kept


def test_it_is_made_again_only_after_a_change() -> None:
    kept, made = Kept(), []
    for stamp in ((1,), (1,), (2,), (2,)):
        kept.get("a", stamp, lambda: made.append(None))
    assert len(made) == 2


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept, made = Kept(most=2), []

    def ask(key: str) -> str:
        return kept.get(key, (), lambda: made.append(key) or key)

    for key in ("a", "b", "a", "c", "a", "b"):
        assert ask(key) == key
    assert made == ["a", "b", "c", "b"]


def test_two_modules_may_take_the_same_key() -> None:
    kept = Kept()

    def other() -> str:
        return "theirs"

    other.__module__ = "another"
    assert kept.get("tables", (), lambda: "ours") == "ours"
    assert kept.get("tables", (), other) == "theirs"
    assert kept.get("tables", (), lambda: "made again") == "ours"


def test_what_could_not_be_made_is_tried_again() -> None:
    kept = Kept()
    with pytest.raises(OSError, match="away"):
        kept.get("a", (), lambda: (_ for _ in ()).throw(OSError("away")))
    assert kept.get("a", (), lambda: 1) == 1


def test_what_could_not_be_made_leaves_nothing_behind() -> None:
    kept = Kept(most=2)
    for key in range(10):
        with pytest.raises(OSError, match="away"):
            kept.get(key, (), lambda: (_ for _ in ()).throw(OSError("away")))
    for key in range(10):
        kept.get(key, (), lambda: 1)
    assert len(kept._making) == len(kept._found) == 2


def test_two_that_ask_at_once_wait_for_one_of_them() -> None:
    kept, made, going = Kept(), [], threading.Barrier(2)

    def make() -> int:
        made.append(None)
        return 1

    def ask() -> None:
        going.wait(30)
        kept.get("a", (), make)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(made) == 1
