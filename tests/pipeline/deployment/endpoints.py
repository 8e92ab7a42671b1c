"""Endpoints that answer as real ones do and start at once: a script, and files that say what it answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sparkml_track.config.serving import EndpointFile, EndpointSettings
from sparkml_track.home import Home
from sparkml_track.pipeline.deployment import endpoint
from sparkml_track.pipeline.deployment.endpoint import Running
from sparkml_track.pipeline.deployment.settings import Endpoint
from sparkml_track.refs import ModelRef

PROJECT = "front"
SCRIPT = """\
import http.server, pathlib, signal, sys, threading
said = pathlib.Path(sys.argv[1])
if said.with_suffix(".stubborn").exists():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.read_bytes())
    def log_message(self, *_): pass

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
print(f"serving delay on http://127.0.0.1:{server.server_port}/invocations (Ctrl-C ends it)", flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Scripted(Endpoint):
    """The script in the place of ``sparkml-track serve``."""

    script: str = SCRIPT

    def command(self, file: Path) -> list[str]:
        return [sys.executable, "-c", self.script, str(said(file.parent)), str(self.file.settings.port)]


def said(folder: Path) -> Path:
    return folder / "said.json"


class Bench:
    """One project of a home, with a model whose champion the test moves."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        self.folder = self.home.deployment(PROJECT)
        self.folder.mkdir(parents=True)
        self.champion = 1
        self.answers({"champion": 1})

    def answers(self, versions: Mapping[str, int], problems: Mapping[str, str] | None = None) -> None:
        """What ``/health`` says from now on."""
        routes = {alias: {"version": version, "share": 1} for alias, version in versions.items()}
        beside = self.folder / "said.new"
        beside.write_text(json.dumps({"status": "ok", "routes": routes, "problems": problems or {}}))
        beside.replace(said(self.folder))

    def deploy(self, script: str = SCRIPT, **settings: object) -> Running:
        file = EndpointFile(EndpointSettings(**{"port": 0, **settings}), self.folder)  # type: ignore[arg-type]
        with endpoint.locked(self.home, PROJECT) as folder:
            return endpoint.put_to_work(folder, Scripted("delay", file, "sqlite://", script), "champion", self.wanted)

    def wanted(self) -> ModelRef:
        return ModelRef("delay", self.champion, "r", "models:/delay")

    def end(self) -> bool:
        with endpoint.locked(self.home, PROJECT) as folder:
            return endpoint.end(folder) is not None


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Ends what was started."""
    made = Bench(folder)
    try:
        yield made
    finally:
        (made.folder / "endpoint.json").exists() and made.end()
