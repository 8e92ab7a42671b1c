"""What dead children left running is ended, by somebody who waits for nobody."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from sparkml_track.slot import strays

#: Traces a process and lets it be; a killed one is not gone before its tracer says so.
TRACER = """
import ctypes, sys, time
print(ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None), flush=True)
time.sleep(60)
"""


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    tracer = subprocess.Popen([sys.executable, "-c", TRACER, str(stray.pid)], stdout=subprocess.PIPE)
    monkeypatch.setattr(strays, "_children", lambda: {stray.pid})
    assert tracer.stdout is not None
    may = tracer.stdout.readline() == b"0\n"
    if may:
        yield stray
    for process in (tracer, stray):
        process.kill()
        process.wait()
    tracer.stdout.close()
    if not may:
        pytest.skip("this user may not trace processes")


def test_a_stray_that_is_traced_holds_nobody_up(
    traced: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strays, "LONGEST_WAIT", 0.1)
    began = time.monotonic()
    strays.Strays().end([])
    assert time.monotonic() - began < 20
    assert traced.poll() is None, "it is still its tracer's"
