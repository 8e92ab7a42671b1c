"""A link that asks for the end of what a cell does: kernels hear of no click in their own pages while one runs."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

__all__ = ["StopButton"]

_PAGE = (
    "<!doctype html><meta charset=utf-8><title>{title}</title><body style='font:16px sans-serif;margin:3em'>"
    "<p>{text}</p>{form}"
)
_FORM = "<form method=post><button autofocus style='font:inherit;padding:.4em 1.2em'>Stop</button></form>"


class StopButton:
    """Listens on loopback, at an address that only the page shows, until ``close``.

    To follow the link asks once more, so that a page that is fetched ahead stops nothing.

    Args:
        name: of what is stopped.

    Attributes:
        url: where the link leads.
        pressed: whether somebody asked for the end.

    Raises:
        OSError: there is no port to listen on.
    """

    def __init__(self, name: str) -> None:
        self.name, self.pressed, self.closed = name, False, False
        self.path = f"/{secrets.token_urlsafe(24)}"
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"button": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.path}"
        threading.Thread(target=self._server.serve_forever, name="sparkml-stop", daemon=True).start()

    def close(self) -> None:
        """Stops nothing any more, and soon listens no more: nobody waits for that. May be called twice."""
        if not self.closed:
            self.closed = True
            threading.Thread(target=self._end, name="sparkml-stop-end", daemon=True).start()

    def press(self) -> str:
        """Asks for the end; says what becomes of it."""
        if self.closed:
            return f"{self.name} has ended already."
        self.pressed = True
        return f"{self.name} is being stopped. This page can be closed."

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that goes away is no news below a cell."""


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[float] = 10.0
    button: ClassVar[StopButton]

    def do_GET(self) -> None:
        """Asks whether it is meant."""
        self._answer(lambda: f"Stop {self.button.name}? What is known is kept.", _FORM)

    def do_POST(self) -> None:
        """Stops."""
        self._answer(self.button.press, "")

    def _answer(self, text: Callable[[], str], form: str) -> None:
        if not secrets.compare_digest(self.path.encode(), self.button.path.encode()):
            self.send_error(404)
            return
        page = _PAGE.format(title=escape(self.button.name), text=escape(text()), form=form).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Nothing: the address is a secret."""
