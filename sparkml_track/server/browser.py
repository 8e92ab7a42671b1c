"""Chromium without a window, driven by its own protocol: opens pages, waits, clicks, looks, prints.

Source: Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from websockets.sync.client import connect

from sparkml_track.errors import SetupError

__all__ = ["Chromium", "find_browser"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_LOOPBACK = {"127.0.0.1", "localhost"}
#: It looks nothing up and asks nobody by itself.
_QUIET = [
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


_READS = """(() => {
  const read = node => node.nodeType === 3 ? node.data : node.nodeName === "STYLE" || node.nodeName === "SCRIPT" ? ""
    : [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes].map(read).join(" ");
  return read(document.body).replace(/\\s+/g, " ");
})()"""


#: Every element, also inside those of marimo.
_EVERY = """function every(root) {
  return [...root.querySelectorAll("*")].flatMap(e => e.shadowRoot ? [e, ...every(e.shadowRoot)] : [e]);
}"""


def find_browser() -> str | None:
    """The program on this machine; None if there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Chromium:
    """One page of one browser, which ends with the block. One thread.

    Args:
        folder: of its profile, a new one.

    Attributes:
        requests: addresses that the page asked for, in order.
        errors: what it wrote to its console as errors, and exceptions of its scripts.
    """

    #: What a person reads, as an expression in JavaScript.
    reads = _READS

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._user = folder / "user"
        self._open = ExitStack()
        self._number = 0

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            SetupError: there is no browser, or it does not start.
        """
        with ExitStack() as starting:
            process = self._start()
            starting.callback(_end, process)
            address = _address(process, self._user / "DevToolsActivePort")
            with urlopen(Request(f"http://{address}/json/new?about:blank", method="PUT"), timeout=60) as answer:
                target = json.load(answer)["webSocketDebuggerUrl"]
            self._socket = starting.enter_context(connect(target, max_size=None, open_timeout=60))
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
            self._open = starting.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ends the browser, by its process id."""
        self._open.close()

    def _start(self) -> subprocess.Popen[bytes]:
        program = find_browser()
        if program is None:
            raise SetupError(f"no browser was found: one of {', '.join(_NAMES)} is needed on the PATH")
        command = [program, *_QUIET, f"--user-data-dir={self._user}", "--remote-debugging-port=0", "about:blank"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603

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
        raise TimeoutError(f"{condition} did not come to hold in {seconds:.0f} s; the page says: {self.text()[-1500:]}")

    def text(self) -> str:
        """What a person reads, also inside marimo's own elements."""
        return str(self.run(self.reads))

    def wait_for(self, selector: str, seconds: float = 90) -> None:
        """Until there is an element, also inside those of marimo."""
        self.wait(f"({_EVERY})(document).some(e => e.matches({json.dumps(selector)}))", seconds)

    def click(self, text: str, tag: str = "a") -> None:
        """Clicks the first element of a kind whose text holds these words."""
        found = f"({_EVERY})(document).find(e => e.matches({tag!r}) && e.textContent.includes({json.dumps(text)}))"
        self.wait(found)
        # Not ``click()``, which links in drawings do not have.
        self.run(f"{found}.dispatchEvent(new MouseEvent('click', {{bubbles: true, cancelable: true, view: window}}))")

    def size(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """The size of the window, and which colours its person likes."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def picture(self, path: Path) -> None:
        """The page as it is seen, into a file."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def print(self, path: Path) -> None:
        """The page as PDF, on A4 across."""
        how = {"printBackground": True, "landscape": True, "paperWidth": 8.27, "paperHeight": 11.69, "scale": 0.7}
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", **how)["data"]))

    def elsewhere(self) -> set[str]:
        """Hosts other than this machine that were asked."""
        hosts = {urlsplit(url).hostname for url in self.requests if not url.startswith(("data:", "blob:", "about:"))}
        return {host for host in hosts if host and host not in _LOOPBACK}


def _address(process: subprocess.Popen[bytes], file: Path) -> str:
    """Where a browser that is starting takes commands."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, IndexError):
            return f"127.0.0.1:{file.read_text().splitlines()[0]}"
        time.sleep(0.05)
    raise SetupError("the browser did not start")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)
