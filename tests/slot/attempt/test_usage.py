from __future__ import annotations

import subprocess
import sys
import time

import pytest

from sparkml_track.slot.attempt import usage
from sparkml_track.slot.attempt.usage import Meter, thread_usage

MB = 1 << 20


def work(seconds: float) -> None:
    began = time.process_time()
    while time.process_time() - began < seconds:
        pass


def measured(what: object) -> list[object]:
    """In a process of its own: what this one needed before must not show."""
    code = f"""
import json, subprocess, sys, time
from sparkml_track.slot.attempt.usage import Meter
from tests.slot.attempt.test_usage import work
meter, said = Meter(), []
for step in {what!r}:
    meter.begin()
    exec(step)
    said.append(meter.end())
print(json.dumps(said))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return list(__import__("json").loads(done.stdout))


def test_seconds_are_those_of_the_attempt_and_of_its_child_processes() -> None:
    idle, busy, child = measured(
        ["time.sleep(0.05)", "work(0.2)", "subprocess.run([sys.executable, '-c', 'sum(range(3_000_000))'])"]
    )
    assert idle[0] < 0.05  # type: ignore[index]
    assert 0.2 <= busy[0] < 0.4  # type: ignore[index]
    assert child[0] > 0.02  # type: ignore[index]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak begins anew on Linux alone")
def test_the_peak_is_that_of_the_attempt_not_of_the_process() -> None:
    before, large, after = measured(["pass", f"x = bytearray({100 * MB}); del x", "pass"])
    assert large[1] > before[1] + 90 * MB  # type: ignore[index]
    assert after[1] < before[1] + 50 * MB  # type: ignore[index]


def test_a_peak_that_cannot_begin_anew_is_known_only_where_it_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_PEAK", "/proc/self/there-is-none")
    meter = Meter()
    meter.begin()
    assert meter.end()[1] is None
    meter.begin()
    held = [b"x" * MB for _ in range(20)]
    while meter.end()[1] is None:  # until this process has never had so much
        held += [bytes([len(held) % 256]) * MB for _ in range(50)]
    del held


def test_a_thread_of_a_shared_process_has_seconds_alone() -> None:
    began = time.thread_time()
    work(0.05)
    seconds, memory = thread_usage(began)
    assert isinstance(seconds, float)
    assert 0.0 < seconds < 5.0
    assert memory is None
