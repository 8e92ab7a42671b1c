"""A link that ends what a cell does: asked first, at an address that only the page shows."""

from __future__ import annotations

import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

import pytest

from sparkml_track.adapters.notebooks.stop_button import StopButton
from tests.clusters import wait_until


@pytest.fixture
def button() -> Iterator[StopButton]:
    button = StopButton("<b>forests</b>")
    yield button
    button.close()


def asked(url: str, data: bytes | None = None) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return str(answer.read().decode())


def test_a_link_asks_and_its_button_stops(button: StopButton) -> None:
    page = asked(button.url)
    assert "Stop &lt;b&gt;forests&lt;/b&gt;?" in page
    assert "<form method=post>" in page
    assert not button.pressed
    for _ in range(2):
        assert "is being stopped" in asked(button.url, b"")
        assert button.pressed


@pytest.mark.parametrize("path", ["/", "/x", "/é"])
def test_whoever_does_not_know_the_address_stops_nothing(path: str, button: StopButton) -> None:
    place = urlsplit(button.url)
    for data in (None, b""):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            asked(f"http://{place.netloc}{quote(path)}", data)
    assert not button.pressed


def test_a_page_that_was_left_open_stops_nothing_afterwards(button: StopButton) -> None:
    """Its connection was accepted before, and is answered still."""
    place = urlsplit(button.url)
    with closing(HTTPConnection(place.netloc, timeout=30)) as line:
        line.connect()
        button.close()
        line.request("POST", place.path, b"")
        try:
            said = line.getresponse().read()
        except OSError:  # nobody accepted it
            said = b"has ended already"
    assert b"has ended already" in said
    assert not button.pressed


def test_a_browser_that_goes_away_has_stopped(button: StopButton, capfd: pytest.CaptureFixture[str]) -> None:
    place = urlsplit(button.url)
    with closing(HTTPConnection(place.netloc, timeout=30)) as line:
        line.connect()
        line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends by a reset
        line.request("POST", place.path, b"")
        wait_until(lambda: button.pressed, 30)
    asked(button.url)  # the line before is done with
    assert capfd.readouterr().err == ""


def test_addresses_differ(button: StopButton) -> None:
    other = StopButton("other")
    assert urlsplit(other.url).path != urlsplit(button.url).path
    other.close()
