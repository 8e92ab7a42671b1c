"""A real S3 server on loopback (moto's), whose failures can be arranged. Run as a script it is the server.

moto looks at the condition of a put and puts in two steps, so changes are let through one at a time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["BUCKET", "KEY", "SECRET", "ObjectServer"]

BUCKET = "tables-of-tests"
#: The credentials that tests use; no log, error or record may hold them.
KEY, SECRET = "AKIALOOPBACKONLYKEY", "loopback/only+Secret0123456789abcdefghij"


class ObjectServer:
    """S3 on loopback with one bucket, in memory.

    Attributes:
        endpoint: its URL.
        fault: the file whose text arranges failures; see ``fail``.

    Args:
        folder: takes what the server prints, and what it was asked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.fault = folder, folder / "fault"
        self._process: subprocess.Popen[str] | None = None
        self.endpoint = ""

    def __enter__(self) -> Self:
        self.fault.write_text("")
        command = [sys.executable, __file__, str(self._folder)]
        with (self._folder / "server.log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)  # noqa: S603
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"the server did not start: {(self._folder / 'server.log').read_text()}")
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()

    @property
    def environ(self) -> Mapping[str, str]:
        """What leads clients here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def fail(self, how: str = "") -> None:
        """Arranges what happens to requests from now on.

        Args:
            how: "" for nothing; "503", "403" for that answer; "unanswered" for changes that are made and whose answer
                is a 500; "unconditional" for a store that ignores conditions. After a blank: for how many requests.
                After another: a part of their paths.
        """
        aside = self.fault.with_suffix(".new")
        aside.write_text(how)
        aside.rename(self.fault)

    def asked(self) -> list[str]:
        """Method and path of each request so far."""
        return (self._folder / "asked").read_text().splitlines()


def _serve(folder: Path) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3.models import s3_backends
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            pass

    s3_backends["123456789012"]["aws"].create_bucket(BUCKET, "us-east-1")
    app = _Faulty(DomainDispatcherApplication(create_backend_app), folder)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


class _Faulty:
    """moto's application, behind what was arranged."""

    def __init__(self, app: Callable[..., Iterable[bytes]], folder: Path) -> None:
        self._app, self.fault, self._changing = app, folder / "fault", threading.Lock()
        self._asked = (folder / "asked").open("a", buffering=1)
        self._seen, self._left = "", -1

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self._asked.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}\n")
        changes = environ["REQUEST_METHOD"] not in ("GET", "HEAD")
        with self._changing if changes else contextlib.nullcontext():
            fault = self._now(changes, environ["PATH_INFO"])
            if fault in ("503", "403"):
                return self._refused(environ, start, fault)
            if fault == "unconditional":
                environ.pop("HTTP_IF_NONE_MATCH", None)
            if fault == "unanswered" and changes:
                b"".join(self._app(environ, lambda *_: None))
                start("500 Internal Server Error", [("Content-Length", "0")])
                return [b""]
            return self._app(environ, start)

    def _now(self, changes: bool, path: str) -> str:
        text = self.fault.read_text()
        if text != self._seen:
            self._seen, self._left = text, int([*text.split(), "-1", "-1"][1])
        fault, _, part = (text + "  ").split(" ")[:3]
        if not fault or self._left == 0 or part not in path or (fault == "unanswered" and not changes):
            return ""
        self._left -= 1
        return fault

    def _refused(self, environ: dict[str, Any], start: Callable[..., Any], fault: str) -> Iterable[bytes]:
        # As Amazon's, an answer may repeat the key; nobody must see it.
        code = {"503": "SlowDown", "403": "AccessDenied"}[fault]
        body = f"<Error><Code>{code}</Code><AWSAccessKeyId>{KEY}</AWSAccessKeyId></Error>".encode()
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start(f"{fault} {code}", [("Content-Length", str(len(body))), ("Content-Type", "application/xml")])
        return [body]


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
