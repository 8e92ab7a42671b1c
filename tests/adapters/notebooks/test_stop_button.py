"""A link that ends what a cell does: asked first, at an address that only the page shows."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from sparkml_track.adapters.notebooks.stop_button import StopButton


class Stopped:
    def __init__(self) -> None:
        self.times, self.came = 0, threading.Event()

    def __call__(self) -> None:
        self.times += 1
        self.came.set()


@pytest.fixture
def stopped() -> Stopped:
    return Stopped()


@pytest.fixture
def button(stopped: Stopped) -> Iterator[StopButton]:
    button = StopButton("<b>forests</b>", stopped)
    yield button
    button.close()


def asked(url: str, data: bytes | None = None) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return str(answer.read().decode())


def test_a_link_asks_and_its_button_stops_once(button: StopButton, stopped: Stopped) -> None:
    page = asked(button.url)
    assert "Stop &lt;b&gt;forests&lt;/b&gt;?" in page
    assert "<form method=post>" in page
    assert stopped.times == 0
    assert "is being stopped" in asked(button.url, b"")
    assert stopped.came.wait(30)
    asked(button.url, b"")
    assert stopped.times == 1


@pytest.mark.parametrize("path", ["/", "/x", "/é"])
def test_whoever_does_not_know_the_address_stops_nothing(path: str, button: StopButton, stopped: Stopped) -> None:
    place = urlsplit(button.url)
    for data in (None, b""):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            asked(f"http://{place.netloc}{urllib.request.quote(path)}", data)
    assert stopped.times == 0


def test_addresses_differ(button: StopButton, stopped: Stopped) -> None:
    other = StopButton("other", stopped)
    assert urlsplit(other.url).path != urlsplit(button.url).path
    other.close()
