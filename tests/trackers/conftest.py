from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from sparkml_track.testing.servers import PostgresServer, TrackingServer
from sparkml_track.trackers import open_tracker


@pytest.fixture(scope="session")
def server(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own server on loopback."""
    home = tmp_path_factory.mktemp("server")
    shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
    with TrackingServer(home) as one:
        yield one.uri


@pytest.fixture(scope="session")
def bulk_server(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ours, with the bulk endpoint."""
    home = tmp_path_factory.mktemp("bulk")
    shutil.copy(pristine / "mlflow.db", home / "mlflow.db")
    with TrackingServer(home, bulk=True, environ={"SPARKML_HOME": str(home)}) as one:
        yield one.uri


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Gives URIs of databases that have MLflow's tables and nothing in them."""
    if PostgresServer.programs() is None:
        pytest.skip("NO POSTGRESQL: install it (on Debian: sudo apt-get install postgresql) to test that lane")
    with PostgresServer(tmp_path_factory.mktemp("postgres") / "cluster") as one:
        pristine = one.database()
        open_tracker(pristine, tmp_path_factory.mktemp("unused")).close()
        yield partial(one.database, like=pristine)
