"""A link that interrupts the cell: neither Jupyter's nor marimo's kernel hears of a click while one runs."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

__all__ = ["StopButton", "interrupt"]

_PAGE = (
    "<!doctype html><meta charset=utf-8><title>{title}</title><body style='font:16px sans-serif;margin:3em'>"
    "<p>{text}</p>{form}"
)
_FORM = "<form method=post><button autofocus style='font:inherit;padding:.4em 1.2em'>Stop</button></form>"


def interrupt() -> None:
    """As the notebook's own button does."""
    os.kill(os.getpid(), signal.SIGINT)


class StopButton:
    """Listens on loopback, at an address that only the page shows, until the block ends.

    To follow the link asks once more, so that a page that is fetched ahead stops nothing.

    Args:
        name: of what is stopped.
        stop: called on another thread, once.

    Raises:
        OSError: there is no port to listen on.
    """

    def __init__(self, name: str, stop: Callable[[], None] = interrupt) -> None:
        self._path = f"/{secrets.token_urlsafe(24)}"
        handler = type("Handler", (_Handler,), {"path_there": self._path, "stopped": name, "stop": _Once(stop)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{self._path}"
        threading.Thread(target=self._server.serve_forever, name="sparkml-stop", daemon=True).start()

    def close(self) -> None:
        """Listens no more, in a moment: who ends a sweep does not wait for it."""
        threading.Thread(target=self._end, name="sparkml-stop-end", daemon=True).start()

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Once:
    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop, self._lock = stop, threading.Lock()

    def __call__(self) -> None:
        if self._lock.acquire(blocking=False):
            self._stop()


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[float] = 10.0
    path_there: ClassVar[str]
    stopped: ClassVar[str]
    stop: ClassVar[_Once]

    def do_GET(self) -> None:
        """Asks whether it is meant."""
        self._answer(f"Stop {self.stopped}? What is known is kept.", _FORM)

    def do_POST(self) -> None:
        """Stops."""
        if self._answer(f"{self.stopped} is being stopped. This page can be closed.", ""):
            type(self).stop()

    def _answer(self, text: str, form: str) -> bool:
        if not secrets.compare_digest(self.path.encode(), self.path_there.encode()):
            self.send_error(404)
            return False
        page = _PAGE.format(title=escape(self.stopped), text=escape(text), form=form).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(page)
        return True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Nothing: the address is a secret."""
