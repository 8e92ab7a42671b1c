"""The command that starts a tracking server, up to where MLflow takes over."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.cli import app as command_line
from sparkml_track.home import Home
from sparkml_track.server.command import ServerSpec, command, environment, make_keys
from sparkml_track.testing.servers import free_port


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """What would have been started, with its environment."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def instead(_: str, words: list[str]) -> None:
        seen.append((words, dict(os.environ)))
        raise SystemExit(0)

    monkeypatch.setattr("sparkml_track.cli.server.os.execv", instead)
    for name in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "SPARKML_LAKE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return seen


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        command_line.main(["server", *map(str, words)])
    return int(ended.value.code or 0)


def test_it_serves_the_home_on_loopback(
    home: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    assert call("--port", port := free_port()) == 0
    words, environ = started[0]
    assert words[words.index("--app-name") + 1] == "sparkml"
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--artifacts-destination") + 1] == str(home / "artifacts")
    assert environ["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{home}/mlflow.db"
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().out


def test_beyond_loopback_it_asks_for_accounts_or_for_a_word(
    home: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    port = free_port()
    assert call("--host", "0.0.0.0", "--port", port) == 2
    assert "add --auth" in capsys.readouterr().err and not started
    assert call("--host", "0.0.0.0", "--port", port, "--no-auth") == 0
    assert started[0][0][started[0][0].index("--app-name") + 1] == "sparkml"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_of_this_machine_is_named(
    home: Path, started: list[Any], host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    assert call("--host", host, "--no-auth") == 1
    said = capsys.readouterr().err
    assert host in said and "Traceback" not in said and not started


def test_a_port_in_use_is_named(
    home: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(home))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert call("--port", port) == 1
    assert f"port {port} is in use" in capsys.readouterr().err and not started


def test_a_store_that_cannot_be_is_named_before_anything_starts(
    tmp_path: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKML_HOME", str(tmp_path))
    (tmp_path / "other.db").write_text("this is not a database, whatever it is called, and long enough to be read")
    assert call("--store", f"sqlite:///{tmp_path}/other.db", "--port", free_port()) == 1
    assert "not a database" in capsys.readouterr().err and not started


def test_the_password_of_a_store_is_not_on_the_command_line(tmp_path: Path) -> None:
    spec = ServerSpec(Home(tmp_path), "postgresql://me:hunter2@db/mlflow", auth=True)
    make_keys(spec.home)
    words = command(spec)
    assert "hunter2" not in " ".join(words)
    added = environment(spec, {})
    assert added["MLFLOW_BACKEND_STORE_URI"] == spec.store
    secrets = {added["MLFLOW_FLASK_SERVER_SECRET_KEY"], added["MLFLOW_AUTH_ADMIN_PASSWORD"]}
    assert not any(one in " ".join(words) for one in secrets)


def test_keys_are_made_once_and_a_persons_own_come_first(tmp_path: Path) -> None:
    spec = ServerSpec(Home(tmp_path), "sqlite:///x", auth=True)
    make_keys(spec.home)
    first = environment(spec, {})
    make_keys(spec.home)
    assert environment(spec, {}) == first
    own = {"MLFLOW_AUTH_ADMIN_PASSWORD": "mine", "MLFLOW_FLASK_SERVER_SECRET_KEY": "also mine"}
    again = environment(spec, own)
    assert again["MLFLOW_FLASK_SERVER_SECRET_KEY"] == "also mine" and "MLFLOW_AUTH_ADMIN_PASSWORD" not in again
