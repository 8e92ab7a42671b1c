"""marimo's editor on loopback, spoken to as its page does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

__all__ = ["Page", "opened", "wait_for"]

_SESSION = "s_notebk"
_LONG = 120.0


class Page:
    """A page that shows one notebook."""

    def __init__(self, address: str, socket: ClientConnection) -> None:
        self._address, self._socket = address, socket

    def post(self, path: str, **body: object) -> None:
        headers = {"Content-Type": "application/json", "Marimo-Session-Id": _SESSION}
        request = urllib.request.Request(
            f"http://{self._address}/api/kernel/{path}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=_LONG):
            pass

    def run(self) -> None:
        """Runs every cell."""
        self.post("instantiate", objectIds=[], values=[], autoRun=True)

    def messages(self) -> Iterator[tuple[str, dict[str, object]]]:
        """What the kernel says, until all that was asked for has run."""
        while True:
            message = json.loads(self._socket.recv(timeout=_LONG))
            yield message["op"], message.get("data", {})
            if message["op"] == "completed-run":
                return


@contextmanager
def opened(notebook: Path) -> Iterator[Page]:
    """Opens a notebook, and closes its kernel."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "marimo", "-q", "edit", "--headless", "--no-token", "--no-skew-protection"]
    command += ["--port", address.partition(":")[2], notebook.name]
    nowhere = subprocess.DEVNULL
    server = subprocess.Popen(command, cwd=notebook.parent, stdout=nowhere, stderr=nowhere)
    try:
        wait_for(f"http://{address}/health")
        where = f"ws://{address}/ws?session_id={_SESSION}&file={notebook.name}"
        with connect(where, max_size=None, open_timeout=_LONG) as socket_:
            yield Page(address, socket_)
    finally:
        server.terminate()
        server.wait(_LONG)


def wait_for(address: str) -> None:
    """Until somebody answers."""
    until = time.monotonic() + _LONG
    while True:
        try:
            with urllib.request.urlopen(address, timeout=_LONG):
                return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
