"""A process that forks drivers, shared by a module; a migrated home for each test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.trackers import open_tracker
from tests.faults import driver
from tests.faults.driver import Drivers


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
