"""Chromium without a window, driven by its own protocol: opens pages, clicks, waits, looks, counts requests."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from websockets.sync.client import connect

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: It looks nothing up and asks nobody by itself.
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--hide-scrollbars",
]


class Chromium:
    """One page of one browser, which ends with the block.

    Attributes:
        requests: addresses that the page asked for, in order.
        errors: what it wrote to its console as errors, and exceptions of its scripts.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        user = folder / "user"
        command = [str(BROWSER), *QUIET, f"--user-data-dir={user}", "--remote-debugging-port=0", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = self._address(user / "DevToolsActivePort")
        with urlopen(Request(f"http://{address}/json/new?about:blank", method="PUT"), timeout=60) as answer:
            target = json.load(answer)["webSocketDebuggerUrl"]
        self._socket = connect(target, max_size=None, open_timeout=60)
        self._number = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _address(self, file: Path) -> str:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError, IndexError):
                return f"127.0.0.1:{file.read_text().splitlines()[0]}"
            time.sleep(0.05)
        raise RuntimeError("Chromium did not start")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)

    def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol; what happens meanwhile is noted."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=180))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        body = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(body["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(body["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(body["exceptionDetails"])[:400])
            case "Log.entryAdded" if body["entry"]["level"] == "error":
                self.errors.append(f"{body['entry']['text']} {body['entry'].get('url', '')}")

    def open(self, url: str, wait: str = "true", seconds: float = 90) -> None:
        """Opens a page and waits until a condition in JavaScript holds in it."""
        self.call("Page.navigate", url=url)
        self.wait(wait, seconds)

    def run(self, script: str) -> Any:
        """What an expression in JavaScript gives."""
        given = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in given:
            raise RuntimeError(json.dumps(given["exceptionDetails"])[:600])
        return given["result"].get("value")

    def wait(self, condition: str, seconds: float = 90) -> None:
        """Until a condition holds; a page that is on its way to another holds none."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(RuntimeError):
                if self.run(f"Boolean({condition})"):
                    return
            time.sleep(0.1)
        raise AssertionError(f"{condition} did not come to hold; the page says: {self.text()[-1500:]}")

    def text(self) -> str:
        """What a person reads, also inside marimo's own elements."""
        return str(self.run(_TEXT))

    def click(self, text: str, tag: str = "a") -> None:
        """Clicks the first element of a kind whose text holds these words."""
        found = f"[...document.querySelectorAll({tag!r})].find(e => e.textContent.includes({json.dumps(text)}))"
        self.wait(found)
        self.run(f"{found}.click()")

    def size(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """The size of the window, and which colours its person likes."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def picture(self, path: Path) -> None:
        """The page as it is seen, into a file."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=False)["data"]
        path.write_bytes(base64.b64decode(data))

    def elsewhere(self) -> set[str]:
        """Hosts other than this machine that were asked."""
        hosts = {urlsplit(url).hostname for url in self.requests if not url.startswith(("data:", "blob:", "about:"))}
        return {host for host in hosts if host and host not in {"127.0.0.1", "localhost"}}


_TEXT = """(() => {
  const read = node => node.nodeType === 3 ? node.data : node.nodeName === "STYLE" || node.nodeName === "SCRIPT" ? ""
    : [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes].map(read).join(" ");
  return read(document.body).replace(/\\s+/g, " ");
})()"""
