"""The command ``serve`` as processes of its own: killed, ended, and with aliases that move under load."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sparkml_track.home import Home
from sparkml_track.registries import MlflowRegistry
from sparkml_track.tables import DeltaTables
from tests.serving.models import NAME, RUN, ask, get, package, rows, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def registered(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two versions; made once."""
    folder = tmp_path_factory.mktemp("registered")
    shutil.copy(pristine / "mlflow.db", folder / "mlflow.db")
    models = MlflowRegistry(Home(folder).tracking_uri, str(folder / "artifacts"), lineage=False)
    for sign in (1.0, -1.0):
        models.register(NAME, package(sign), RUN)
    models.set_alias(NAME, "champion", 1)
    return folder


@dataclass(frozen=True)
class Served:
    """A process that serves."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@contextmanager
def served(home: Path, config: str) -> Iterator[Served]:
    """Ends, by its id, what it started."""
    file, log = home / "serving.yaml", home / "serving.log"
    file.write_text(f"home: {home}\nport: 0\n{config}")
    command = [sys.executable, "-m", "sparkml_track.cli", "serve", NAME, "--config", str(file)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=home, stdout=output, stderr=subprocess.STDOUT)
    try:
        until(lambda: process.poll() is not None or (bool(url_in(log)) and answers(url_in(log))))
        assert process.poll() is None, log.read_text()
        yield Served(process, url_in(log), log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def url_in(log: Path) -> str:
    found = re.search(r"on (http://\S+)/invocations", log.read_text())
    return found[1] if found else ""


def answers(url: str) -> bool:
    try:
        return get(url, "/health").status == 200
    except OSError:
        return False


class Load:
    """Clients that ask until they are stopped; remembers what was acknowledged and what failed."""

    def __init__(self, url: str, clients: int = 3) -> None:
        self.acknowledged: list[str] = []
        self.versions: set[int] = set()
        self.failed: list[object] = []
        self._url, self._stop = url, threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = ask(self._url, rows())
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(error)
                continue
            if answer.status != 200:
                self.failed.append(answer)
                continue
            self.acknowledged.append(answer.json["request_id"])
            self.versions.add(answer.json["model"]["version"])

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_nothing_acknowledged_is_missing_or_twice_after_kill_9_under_load(registered: Path, tmp_path: Path) -> None:
    acknowledged = []
    config = "record: {tables: killed, every: 0.05}\n"
    for _ in range(2):
        with served(registered, config) as endpoint:
            load = Load(endpoint.url)
            until(lambda load=load: len(load.acknowledged) > 60)  # type: ignore[misc]
            endpoint.process.kill()
            endpoint.process.wait()
            load.stop()
            acknowledged += load.acknowledged
    with served(registered, config) as endpoint:
        acknowledged.append(ask(endpoint.url, rows()).json["request_id"])
        endpoint.process.send_signal(signal.SIGTERM)
        assert endpoint.process.wait(120) == 143
    tables = DeltaTables(registered / "tables", lineage=False)
    for name in ("killed_payload", "killed_rows"):
        found = Counter(tables.to_arrow(name)["request_id"].to_pylist())
        assert set(found.values()) == {1}
        assert set(acknowledged) - set(found) == set()
    segments = [path for path in (registered / "inference" / "killed").rglob("*.log") if path.stat().st_size]
    assert segments == []


def test_no_request_fails_while_an_alias_moves_and_workers_end_as_they_should(registered: Path) -> None:
    models = MlflowRegistry(Home(registered).tracking_uri, lineage=False)
    config = "workers: 2\nreload: 0.2\nrecord: {tables: moved}\n"
    with served(registered, config) as endpoint:
        load = Load(endpoint.url)
        models.set_alias(NAME, "champion", 2)
        until(lambda: load.versions == {1, 2} and len(load.acknowledged) > 50)
        load.stop()
        assert load.failed == []
        workers = children(endpoint.process.pid)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: len({*children(endpoint.process.pid)} - {*workers}) == 1)
        last = Load(endpoint.url)
        until(lambda: len(last.acknowledged) > 5)
        endpoint.process.send_signal(signal.SIGINT)
        assert endpoint.process.wait(120) == 130
        last.stop()
    models.set_alias(NAME, "champion", 1)
    assert "is started again" in endpoint.log.read_text()
    found = Counter(
        DeltaTables(registered / "tables", lineage=False).to_arrow("moved_payload")["request_id"].to_pylist()
    )
    assert set(found.values()) == {1}
    assert {*load.acknowledged, *last.acknowledged} - set(found) == set()


def test_workers_end_when_their_parent_is_killed(registered: Path) -> None:
    with served(registered, "workers: 2\nrecord: false\n") as endpoint:
        workers = children(endpoint.process.pid)
        endpoint.process.kill()
        endpoint.process.wait()
        until(lambda: not any(alive(each) for each in workers))


def test_what_cannot_be_served_is_said_at_the_start(registered: Path, tmp_path: Path) -> None:
    for arguments, code, sentence in (
        (["nobody"], 1, "no route of the model 'nobody' leads to a version"),
        ([NAME, "--host", "0.0.0.0"], 2, "on 0.0.0.0 anybody on the network could ask the model"),
        ([NAME, "--token-file", str(tmp_path / "none")], 1, "cannot be read: No such file"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "sparkml_track.cli", "serve", *arguments],
            env={**os.environ, "SPARKML_HOME": str(registered)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert (done.returncode, done.stdout) == (code, "")
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


def children(pid: int) -> list[int]:
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
