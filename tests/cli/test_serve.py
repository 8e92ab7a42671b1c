"""The command ``serve`` in this process, around an endpoint that only says whether it lives."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls import caller


@pytest.fixture
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.usefixtures("interval")
def test_collections_leave_out_what_was_imported_while_requests_are_answered(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("SPARKML_HOME", str(home)), ("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")):
        monkeypatch.setenv(name, value)
    left_out = list[int]()

    class Ended:
        url = "http://127.0.0.1:1"

        def alive(self) -> bool:
            left_out.append(gc.get_freeze_count())
            return False

        def close(self) -> None:
            left_out.append(gc.get_freeze_count())

    monkeypatch.setattr("sparkml_track.serving.serve", lambda *_, **__: Ended())
    code, _, err = caller("serve", capsys)("delay")
    assert (code, "the server ended by itself" in err) == (1, True), err
    assert left_out[0] > 10_000
    assert left_out[1] == 0
