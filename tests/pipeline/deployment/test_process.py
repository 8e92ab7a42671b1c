"""A process in the background never runs unless it is recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sparkml_track.errors import SetupError
from sparkml_track.journals import alive
from sparkml_track.pipeline.deployment.process import start
from tests.serving.models import until

RUNS = [sys.executable, "-c", "open('ran', 'w').close()"]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process works where its starter does, so that what it is given may be relative."""
    monkeypatch.chdir(tmp_path)


def test_it_runs_once_it_is_recorded(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    def record(pid: int, began: str) -> None:
        assert not (tmp_path / "ran").exists()
        assert alive(pid, began)
        seen.append((pid, began))

    start(RUNS, tmp_path / "log", os.environ, record)
    until((tmp_path / "ran").exists)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    until(lambda: not alive(*seen[0]))


def test_it_never_runs_where_it_cannot_be_recorded(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    def record(pid: int, began: str) -> None:
        seen.append((pid, began))
        raise SetupError("the disk is full")

    with pytest.raises(SetupError, match="the disk is full"):
        start(RUNS, tmp_path / "log", os.environ, record)
    until(lambda: not alive(*seen[0]))
    assert not (tmp_path / "ran").exists()


def test_it_never_runs_where_its_starter_is_killed_before(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, threading\n"
        "from sparkml_track.pipeline.deployment.process import start\n"
        "def record(pid, began):\n"
        "    print(pid, began, flush=True)\n"
        "    threading.Event().wait()\n"
        f"start({RUNS!r}, pathlib.Path({str(tmp_path / 'log')!r}), os.environ, record)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with starter:
        assert starter.stdout is not None
        pid, began = starter.stdout.readline().split()
        assert alive(int(pid), began)
        starter.send_signal(signal.SIGKILL)
    until(lambda: not alive(int(pid), began))
    assert not (tmp_path / "ran").exists()


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be started: No such file or directory"):
        start(RUNS, tmp_path / "none" / "log", os.environ, lambda *_: None)
