"""What sweeps leave in the temporary folder: nothing, also when their driver was killed, and however many there are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters import wait_until

pytestmark = pytest.mark.slow

SWEEPS = """
import os, sys, time
import numpy as np
from sparkml_track.executors import Work, open_executor
from sparkml_track.testing.executors import attempt, outcomes

def objective(trial):
    return float(trial.data["x"].sum())

def objective_that_stays(trial):
    import time
    time.sleep(60)

stays = sys.argv[1] == "stays"
for turn in range(1 if stays else int(sys.argv[2])):
    data = {"x": np.full(1 << 16, 1.0)}
    chosen = objective_that_stays if stays else objective
    executor = open_executor("processes", Work(chosen, data=data, parallelism=1 + turn % 2), None)
    for number in range(4):
        executor.submit(attempt(number))
    if stays:
        while not any(type(event).__name__ == "Started" for event in executor.events(1.0)):
            pass
        blob = executor._host.blob_path(executor._pool._config.data[0])
        print(executor._host.folder, os.path.getsize(blob), flush=True)
        time.sleep(60)
    assert {n: o.metrics["loss"] for n, o in outcomes(executor, 4).items()} == dict.fromkeys(range(4), 65536.0)
    executor.close()
"""

# Workers with a temporary folder of their own, as on another host.
ELSEWHERE = """
import os, sys, tempfile
import numpy as np
from sparkml_track.executors import Work
from sparkml_track.executors._resident.launcher import LocalLauncher
from sparkml_track.executors._resident.executor import ResidentExecutor
from sparkml_track.executors._resident.fleet import Fleet
from sparkml_track.executors._resident.slot import ListenAddress
from sparkml_track.testing.executors import attempt

tempfile.gettempdir()
os.environ["TMPDIR"] = sys.argv[1]

def objective(trial):
    import time
    time.sleep(60)

work = Work(objective, data={"x": np.full(1 << 16, 1.0)})
executor = ResidentExecutor(work, Fleet(LocalLauncher(1), os.urandom(8).hex(), listen=ListenAddress("127.0.0.1")))
executor.submit(attempt(0))
while True:
    if any(type(event).__name__ == "Started" for event in executor.events(1.0)):
        print("started", flush=True)
"""


@pytest.fixture
def user() -> Iterator[Path]:
    """The folder of all sweeps of this user, in a temporary folder of the test: short, for sockets in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder) / f"sparkml-{os.getuid()}"


def sweeps(user: Path, *args: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "TMPDIR": str(user.parent)}
    return subprocess.Popen([sys.executable, "-c", SWEEPS, *args], env=environ, stdout=subprocess.PIPE, text=True)


def killed_sweep(user: Path, *, with_all_of_it: bool) -> Path:
    """The folder of a sweep whose driver was killed, with all its processes or alone."""
    process = sweeps(user, "stays")
    assert process.stdout is not None
    folder, size = process.stdout.readline().split()
    assert int(size) > 500_000
    for pid in [*(processes_in(folder) if with_all_of_it else []), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    return Path(folder)


def processes_in(folder: str) -> list[int]:
    """Those that have a share in the folder, but for the driver: templates first, so that none of them tidies up."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_text()
            shares = any(os.path.realpath(fd) == folder for fd in (path / "fd").iterdir())
        except OSError:
            continue
        if shares and "open_executor" not in command:
            found.append((".template" not in command, int(path.name)))
    return [pid for _, pid in sorted(found)]


def test_the_folder_of_a_killed_driver_goes_with_its_workers(user: Path) -> None:
    left = killed_sweep(user, with_all_of_it=False)
    wait_until(lambda: not left.exists(), 10)
    assert sorted(path.name for path in user.parent.iterdir()) == [user.name], "nor is there a socket elsewhere"


def test_sweeps_that_start_and_end_at_once_do_not_disturb_each_other_and_remove_a_crashed_one(user: Path) -> None:
    crashed = killed_sweep(user, with_all_of_it=True)
    wait_until(lambda: not processes_in(str(crashed)), 10)
    assert (crashed / "blobs").exists(), "nobody was left who could remove it"
    crowd = [sweeps(user, "ends", "3") for _ in range(4)]
    for process in crowd:
        process.communicate(timeout=100)
    assert [process.returncode for process in crowd] == [0] * len(crowd)
    assert list(user.iterdir()) == []


@pytest.mark.parametrize("moment", ["while it loads", "while it runs"])
def test_other_hosts_keep_nothing_of_a_killed_driver(user: Path, moment: str) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
        there = Path(elsewhere) / user.name
        environ = {**os.environ, "TMPDIR": str(user.parent)}
        run = [sys.executable, "-c", ELSEWHERE, elsewhere]
        driver = subprocess.Popen(run, env=environ, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        # The template comes when the host has all the data.
        wait_until(lambda: list(there.glob("*/template")), 20)
        if moment == "while it runs":
            driver.stdout.readline()
        driver.kill()
        driver.communicate()
        wait_until(lambda: not list(there.iterdir()), 10)
