"""A sweep on two hosts under everything at once: what dies or freezes, and when, follows from a seed.

SPARKML_NEMESIS_SEED, _TRIALS and _FAULTS choose another, longer one; `scripts/test nemesis [SEED]` sets them.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.testing.servers import TrackingServer
from tests.clusters import Cluster, cluster, command, wait_until
from tests.nemesis.checker import check
from tests.nemesis.executions import Executions
from tests.nemesis.hosts import HOSTS, with_environ
from tests.nemesis.nemesis import Driver, Nemesis, Story
from tests.nemesis.schedule import KINDS, SILENT, Plan, plan

SEED = int(os.environ.get("SPARKML_NEMESIS_SEED", "7"))
TRIALS = int(os.environ.get("SPARKML_NEMESIS_TRIALS", "200"))
FAULTS = int(os.environ.get("SPARKML_NEMESIS_FAULTS", "2"))
#: Seconds that the sweep may take at most.
BOUND = 240 + TRIALS


def test_a_plan_follows_from_its_seed_and_has_all_kinds_in_order() -> None:
    for seed in range(50):
        made = plan(seed, 200, 3)
        assert made == plan(seed, 200, 3) != plan(seed + 1, 200, 3)
        assert [fault.at for fault in made.faults] == sorted(fault.at for fault in made.faults)
        assert {fault.kind for fault in made.faults} == set(KINDS)
        kinds = [fault.kind for fault in made.faults]
        assert kinds.count("driver") == 1
        after = made.faults[kinds.index("driver") :]
        assert any(fault.kind == "freeze" and fault.lasts > SILENT for fault in after)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What is in the environment of all that is started from here."""
    monkeypatch.setenv("SPARKML_NEMESIS", uuid.uuid4().hex)
    return f"SPARKML_NEMESIS={os.environ['SPARKML_NEMESIS']}".encode()


@pytest.fixture
def server(marked: bytes, tmp_path: Path) -> Iterator[TrackingServer]:
    from sparkml_track.trackers import open_tracker

    home = tmp_path / "server"
    home.mkdir()
    open_tracker(None, home).close()
    server = TrackingServer(home, bulk=True, environ={"SPARKML_HOME": str(home)})
    with server:
        yield server


@pytest.fixture
def hosts(marked: bytes, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path / "cluster", "--no-connect", "--cores=2", "--memory=1500m") as there:
        yield there


def settings(made: Plan, hosts: Cluster, server: TrackingServer, folder: Path) -> Path:
    path = folder / "settings.json"
    sweep = {name: getattr(made, name) for name in ("seed", "trials", "sampler", "pruner", "isolation", "units")}
    # Whatever is lost can be tried again, so no trial fails by it.
    around = {"retries": len(made.faults), "master": hosts.master, "tracking": server.uri}
    path.write_text(json.dumps({**sweep, **around, "folder": str(folder), "answer": str(folder / "answer")}))
    return path


@pytest.mark.spark
@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(BOUND + 120)
def test_whatever_dies_each_trial_counts_once(
    hosts: Cluster, server: TrackingServer, marked: bytes, tmp_path: Path
) -> None:
    made = plan(SEED, TRIALS, FAULTS)
    story, home = Story(tmp_path), tmp_path / "home"
    home.mkdir()
    story.tell(f"{made}\nin {tmp_path}")
    driver = Driver(settings(made, hosts, server, tmp_path), home, tmp_path / "driver.log")
    nemesis = Nemesis(hosts, server, driver, Executions(tmp_path), home, story)
    try:
        nemesis.run(made.faults, BOUND)
        assert driver.process.returncode == 0, "the driver failed"
        wait_until(lambda: not left(marked, hosts, server), 30)
        assert nemesis.death is not None
        assert {fault.kind for fault in nemesis.done} == set(KINDS), "the sweep ended too early"
        found = check(made, home, server.uri, nemesis.executions, nemesis.death)
        assert found.stale > 0 or not nemesis.late, "a host came back with results, and none was counted as stale"
        begun = len(nemesis.executions.begun)
        story.tell(f"all holds: {begun} executions of {TRIALS} trials, {len(nemesis.done)} faults, {found.stale} stale")
    except BaseException as error:
        keep(tmp_path)
        lines = driver.log.read_text(errors="replace").splitlines()[-60:]
        said = left(marked, hosts, server)
        raise AssertionError(
            f"{error}\nSPARKML_NEMESIS_SEED={SEED} SPARKML_NEMESIS_TRIALS={TRIALS} SPARKML_NEMESIS_FAULTS={FAULTS}\n"
            f"{story}\nstill running: {said}\nthe driver's last lines:\n" + "\n".join(lines)
        ) from error
    finally:
        if driver.process.poll() is None:
            driver.kill()


def left(marked: bytes, hosts: Cluster, server: TrackingServer) -> list[str]:
    """What was started for the sweep and still runs: neither the standalone cluster nor the tracking server."""
    cluster = {hosts.pid(name) for name in ("master", *HOSTS)}
    found = {pid: command(pid) for pid in with_environ(marked) if pid not in cluster and pid != os.getpid()}
    return [f"{pid} {text}" for pid, text in found.items() if text and "mlflow" not in text and "uvicorn" not in text]


def keep(folder: Path) -> None:
    """Copies what a person reads to where SPARKML_NEMESIS_KEEP says."""
    if target := os.environ.get("SPARKML_NEMESIS_KEEP"):
        shutil.copytree(folder, Path(target) / folder.name, dirs_exist_ok=True, ignore_dangling_symlinks=True)
