"""Waiting for a Spark Connect server."""

from __future__ import annotations

import socket
import threading

import pytest

from sparkml_track.adapters.spark.connect import address_of, wait_for_server
from sparkml_track.api.session import local_or_active
from sparkml_track.config.settings import SparkSettings
from sparkml_track.errors import SetupError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sc://there", ("there", 15002)),
        ("sc://there:99/;token=a:b", ("there", 99)),
        ("sc://[::1]:99", ("::1", 99)),
    ],
)
def test_the_address_is_that_of_the_url(url: str, address: tuple[str, int]) -> None:
    assert address_of(url) == address


def test_one_that_comes_is_waited_for_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    came: list[socket.socket] = []
    thread = threading.Timer(0.7, lambda: came.append(socket.create_server(("127.0.0.1", port))))
    thread.start()
    wait_for_server(("127.0.0.1", port))
    thread.join()
    came[0].close()
    assert [record.message.split(";")[0] for record in caplog.records] == [
        f"the Spark Connect server at 127.0.0.1:{port} is away"
    ]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sc://127.0.0.1:{port}/;token=hunter2", "Connection refused"),
        ("sc://127.0.0.1:notaport/;token=hunter2", "notaport"),
        ("sc:///;token=hunter2", "names no host"),
    ],
)
def test_one_that_stays_away_is_said_in_one_sentence_without_its_token(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setattr(wait_for_server, "__defaults__", (0.1,))
    monkeypatch.setenv("SPARK_REMOTE", "")
    with pytest.raises(SetupError, match=said) as caught:
        local_or_active(SparkSettings(master=url.format(port=free_port())))
    assert "hunter2" not in str(caught.value)
