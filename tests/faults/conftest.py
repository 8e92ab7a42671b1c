"""A process that forks drivers, shared by a module; a migrated home for each test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.testing.servers import TrackingServer
from tests.faults import driver
from tests.faults.driver import Drivers
from tests.faults.proxy import Proxy


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


@pytest.fixture(scope="module")
def server(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    home = tmp_path_factory.mktemp("server")
    shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
    with TrackingServer(home) as server:
        yield server


@pytest.fixture
def proxy(server: TrackingServer) -> Iterator[Proxy]:
    with Proxy(server.uri) as proxy:
        yield proxy
