"""A process that forks drivers, shared by a module; a migrated home for each test."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.trackers import open_tracker
from tests.faults import driver
from tests.faults.driver import Drivers
from tests.faults.proxy import Proxy


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty, migrated database; made once, since that takes two seconds."""
    home = tmp_path_factory.mktemp("pristine")
    open_tracker(None, home).close()
    return home


@pytest.fixture
def home(pristine: Path, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
    return home


@pytest.fixture(scope="module")
def forking() -> Iterator[subprocess.Popen[str]]:
    process = driver.start()
    yield process
    assert process.stdin is not None
    process.stdin.close()
    process.wait(20)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
def drivers(forking: subprocess.Popen[str], home: Path, tmp_path: Path) -> Drivers:
    executions = tmp_path / "executions"
    executions.mkdir()
    return Drivers(forking, home, executions)


class Server:
    """A real MLflow server on loopback, which can be stopped and started again on the same port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.home}/mlflow.db"]
        command += ["--artifacts-destination", f"{self.home}/artifacts"]
        env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.home / "server.log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.uri + "/health", timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"the server did not answer: {(self.home / 'server.log').read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)
            self._process.wait(20)
            self._process = None


@pytest.fixture(scope="module")
def server(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
    server = Server(home)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.uri) as proxy:
        yield proxy
