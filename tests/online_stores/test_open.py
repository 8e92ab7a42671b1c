from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sparkml_track.errors import OnlineStoreError, SetupError, SpecError
from sparkml_track.online_stores import MemoryOnlineStore, open_online_store
from sparkml_track.testing.online_stores import publication, rows
from sparkml_track.testing.servers import free_port


def test_an_address_is_a_folder_or_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path / "home"))
    for url in (tmp_path / "x", str(tmp_path / "x"), f"sqlite:///{tmp_path}/x", f"sqlite:////{tmp_path}/x"):
        assert open_online_store(url).address.rstrip("/").endswith(f"{tmp_path}/x")
    assert open_online_store("sqlite").address == f"sqlite:///{tmp_path}/home/online"
    assert isinstance(open_online_store("memory:"), MemoryOnlineStore)


@pytest.mark.parametrize("url", ["mongodb://host/db", "redis:host", "sqlite:", "http://u:hunter2@host/"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(SpecError, match="is not the address of an online store: allowed are") as raised:
        open_online_store(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(("scheme", "package"), [("redis", "redis"), ("postgresql", "psycopg")])
def test_a_package_that_is_not_there_is_named(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SetupError, match=rf"needs the package {package}: pip install") as raised:
        open_online_store(f"{scheme}://user:hunter2@host/0")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_server_that_is_away_is_said_without_its_password(scheme: str) -> None:
    pytest.importorskip({"redis": "redis"}.get(scheme, "psycopg"))
    url = f"{scheme}://user:hunter2@127.0.0.1:{free_port()}/0"
    data = rows(a=1)
    with closing(open_online_store(url)) as store:
        calls = [
            lambda: store.get_many("t", [("a",)]),
            lambda: store.publish(publication(data), data.to_batches()),
            store.names,
            lambda: store.drop("t"),
        ]
        for call in calls:
            with pytest.raises(OnlineStoreError, match="could not ") as raised:
                call()
            assert "hunter2" not in f"{raised.value} {store.address}"


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_bytes(b"no database" * 500)
    with pytest.raises(OnlineStoreError, match=r"could not read t in sqlite://.*: file is not a database"):
        open_online_store(tmp_path).get_many("t", [("a",)])


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = rows(a=1)
    with pytest.raises(OnlineStoreError, match="could not publish"):
        open_online_store(tmp_path / "file" / "online").publish(publication(data), data.to_batches())


def test_what_was_published_lately_is_read_by_a_forked_child(tmp_path: Path) -> None:
    store, data = open_online_store(tmp_path), rows(a=1)
    store.publish(publication(data), data.to_batches())
    assert store.get_many("shop.prices", [("a",)]).unknown == 0
    child = os.fork()
    if not child:
        try:
            os._exit(store.get_many("shop.prices", [("a",), ("b",)]).unknown)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert store.get_many("shop.prices", [("a",)]).unknown == 0


def test_a_connection_that_was_lost_is_made_again(postgres_url: Callable[[], str]) -> None:
    psycopg, url, data = pytest.importorskip("psycopg"), postgres_url(), rows(a=1)
    with closing(open_online_store(url)) as store:
        store.publish(publication(data), data.to_batches())
        assert store.get_many("shop.prices", [("a",)]).unknown == 0
        for call in (lambda: store.get_many("shop.prices", [("a",)]).unknown, lambda: len(store.names()) - 1):
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            assert call() == 0


def test_a_connection_to_redis_that_was_lost_is_made_again(redis_url: Callable[[], str]) -> None:
    redis, url, data = pytest.importorskip("redis"), redis_url(), rows(a=1)
    with closing(open_online_store(url)) as store, closing(redis.Redis.from_url(url)) as other:
        store.publish(publication(data), data.to_batches())
        assert store.get_many("shop.prices", [("a",)]).unknown == 0
        other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert store.get_many("shop.prices", [("a",)]).unknown == 0
        # A server that was emptied has nothing published, and no half of it.
        other.flushdb()
        with pytest.raises(OnlineStoreError, match="is not published"):
            store.get_many("shop.prices", [("a",)])
