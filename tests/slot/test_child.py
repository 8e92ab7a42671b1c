"""What one attempt leaves in a recycled process, the next does not find."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator

import pytest

from sparkml_track.slot.child import _Clean


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Clean]:
    monkeypatch.setattr("sparkml_track.slot.child._children_left", lambda: False)
    yield _Clean()
    signal.setitimer(signal.ITIMER_REAL, 0.0)


def test_timers_and_handlers_are_put_back(clean: _Clean) -> None:
    before = signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1000.0)
    assert clean.restore(1000)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_limits_are_put_back(clean: _Clean) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        assert clean.restore(1000)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_stream_that_was_replaced_is_put_back_and_a_closed_one_ends_the_process(
    clean: _Clean, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sys.stdout
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    sys.stdout.close()
    assert clean.restore(1000)
    assert sys.stdout is before
    with open(os.devnull, "w") as stream:
        monkeypatch.setattr(clean, "_streams", (stream, stream, stream))
    assert not clean.restore(1000)
    sys.stdout = before
