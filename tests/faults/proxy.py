"""The loss proxy: stands before a tracking server and does to its answers what networks do."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import requests

__all__ = ["Proxy"]


class Proxy:
    """Passes requests on to a server, or fails them.

    Args:
        target: the server's URI.

    Attributes:
        lose: path ending to how many answers are dropped after the server wrote.
        refuse: an HTTP status that all requests get, 0 for none; the server learns nothing of them.
        hole: whether requests are taken and never answered.
        seen: requests by the end of their path.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.lose: Counter[str] = Counter()
        self.refuse = 0
        self.hole = False
        self.seen: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def loses(self, path: str) -> bool:
        """Whether the answer to this request is to be dropped; counts it down."""
        for ending, left in self.lose.items():
            if left and path.endswith(ending):
                self.lose[ending] -= 1
                self.lost[ending] += 1
                return True
        return False


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def do_GET(self) -> None:
        self._pass("GET")

    def do_POST(self) -> None:
        self._pass("POST")

    def do_PUT(self) -> None:
        self._pass("PUT")

    def do_PATCH(self) -> None:
        self._pass("PATCH")

    def do_DELETE(self) -> None:
        self._pass("DELETE")

    def _pass(self, method: str) -> None:
        proxy = self.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        proxy.seen["/".join(path.split("/")[-2:])] += 1
        if proxy.hole:
            proxy.closing.wait(120)
            self.close_connection = True
            return
        if proxy.refuse:
            self.send_response(proxy.refuse)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
        answer = requests.request(method, proxy.target + self.path, data=body, headers=headers, timeout=60)
        if proxy.loses(path):
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *args: object) -> None:
        """Says nothing."""
