"""Sweeps whose home lies in an object store: journal there, everything else in a folder of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkml_track import sweep, uniform
from sparkml_track.engine.audit.verify import verify
from sparkml_track.home import Home
from sparkml_track.journals import read, sweeps
from sparkml_track.testing.accounting import assert_accounting
from sparkml_track.testing.objects import KEY, SECRET, ObjectServer

pytestmark = pytest.mark.slow

DRIVER = """
import os, sys, time
from pathlib import Path
from sparkml_track import sweep, uniform

def objective(trial):
    if trial.number >= 4 and os.environ.get("HANG"):
        time.sleep(600)
    return trial.params["x"]

sweep(objective, {"x": uniform(0, 1)}, name="s", sampler="random", seed=1, max_trials=8, parallelism=1,
      executor="inline", progress=False)
"""


def objective(trial) -> float:  # type: ignore[no-untyped-def]
    return float(trial.params["x"])


@pytest.fixture
def home(s3: str, pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKML_HOME", f"{s3}/home")
    home = Home.find()
    home.root.mkdir(parents=True)
    shutil.copy(pristine / "mlflow.db", home.database)
    return home


def kinds(home: Home, name: str, kind: str) -> int:
    return sum(record.kind == kind for record in read(home.root, name))


def test_a_sweep_keeps_its_journal_in_the_store_and_no_credentials_anywhere(
    home: Home, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    result = sweep(objective, {"x": uniform(0, 1)}, name="s", sampler="random", max_trials=6, executor="inline")
    assert assert_accounting(home.root, result.sweep)["finished"] == 6
    assert verify(result.sweep).clean
    assert [entry.sweep for entry in sweeps(home.root)] == [result.sweep]
    assert list(home.journal.glob("*/*")) == []
    said = "".join([caplog.text, *capsys.readouterr()])
    kept = [path.read_bytes() for path in home.root.rglob("*") if path.is_file()]
    kept += [repr(record).encode() for record in read(home.root, result.sweep)]
    for secret in (KEY, SECRET):
        assert secret not in said
        assert not any(secret.encode() in data for data in kept)


def test_a_killed_sweep_goes_on_where_it_was(home: Home) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], env=os.environ | {"HANG": "yes"})
    deadline = time.monotonic() + 120
    try:
        while not (found := sweeps(home.root)) or kinds(home, found[0].sweep, "accepted") < 4:
            assert time.monotonic() < deadline
            assert driver.poll() is None
            time.sleep(0.1)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    (first,) = sweeps(home.root)
    assert first.holder is None
    before = kinds(home, first.sweep, "submitted")
    subprocess.run([sys.executable, "-c", DRIVER], check=True)
    (same,) = sweeps(home.root)
    assert (same.sweep, same.epoch) == (first.sweep, 2)
    assert kinds(home, first.sweep, "submitted") - before == 4
    assert kinds(home, first.sweep, "accepted") == 8
    assert assert_accounting(home.root, first.sweep)["finished"] == 8


def test_a_store_that_is_away_in_between_delays_and_loses_nothing(home: Home, object_server: ObjectServer) -> None:
    fault = object_server.fault

    def objective(trial) -> float:  # type: ignore[no-untyped-def]
        if trial.number in (3, 9):
            fault.write_text("503" if trial.number == 3 else "")
        time.sleep(0.1)
        return float(trial.params["x"])

    result = sweep(
        objective, {"x": uniform(0, 1)}, name="s", max_trials=12, parallelism=1, executor="inline", progress=False
    )
    assert result.counts.finished == 12
    assert assert_accounting(home.root, result.sweep)["finished"] == 12
