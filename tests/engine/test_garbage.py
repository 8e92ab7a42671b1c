"""What collections look at while a sweep runs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from sparkml_track.engine.garbage import collecting_new_only


class Circle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def nobody_froze() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_what_was_there_before_is_left_out_and_comes_back() -> None:
    old = Circle()
    gone = weakref.ref(old)
    with collecting_new_only():
        del old
        gc.collect()
        assert gone() is not None
    gc.collect()
    assert gone() is None


def test_what_a_sweep_makes_is_collected() -> None:
    with collecting_new_only():
        gone = weakref.ref(Circle())
        gc.collect()
        assert gone() is None


def test_a_process_that_froze_its_objects_itself_keeps_them_so() -> None:
    gc.freeze()
    with collecting_new_only():
        pass
    assert gc.get_freeze_count() > 0


def test_an_error_ends_it_too() -> None:
    with pytest.raises(ValueError, match="x"), collecting_new_only():
        raise ValueError("x")
    assert gc.get_freeze_count() == 0
