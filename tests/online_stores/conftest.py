from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparkml_track.testing.servers import PostgresServer, RedisServer


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Gives URLs of empty databases."""
    pytest.importorskip("redis", reason="NO PACKAGE redis: pip install 'sparkml-track[redis]' to test that member")
    if RedisServer.program() is None:
        pytest.skip("NO REDIS: install it (on Debian: sudo apt-get install redis-server) to test that member")
    with RedisServer(tmp_path_factory.mktemp("redis")) as one:
        yield one.database


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Gives URLs of empty databases."""
    if PostgresServer.programs() is None:
        pytest.skip("NO POSTGRESQL: install it (on Debian: sudo apt-get install postgresql) to test that member")
    with PostgresServer(tmp_path_factory.mktemp("postgres") / "cluster") as one:
        yield one.database


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty store that other processes see."""
    if request.param == "sqlite":
        return str(tmp_path / "online")
    return str(request.getfixturevalue(f"{request.param}_url")())
