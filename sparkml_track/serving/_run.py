"""An endpoint in this process: started, looked after, and ended without losing anything."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn

from sparkml_track.errors import SetupError
from sparkml_track.registries import Registry
from sparkml_track.serving._spec import Serving
from sparkml_track.serving.http.app import Parts, make_app
from sparkml_track.serving.http.endpoint import Endpoint
from sparkml_track.serving.http.metrics import Metrics
from sparkml_track.serving.inference.flushing import Recorder
from sparkml_track.serving.models.features import OpenFeatures
from sparkml_track.serving.models.following import Follower
from sparkml_track.tables import Tables

__all__ = ["ServedModel", "bind", "serve"]

_LOG = logging.getLogger(__name__)
_SHADOWS_END = _OTHERS_END = 5.0
_PUBLISH = 1.0


class ServedModel:
    """An endpoint that answers. Whoever started it closes it; any thread may.

    Attributes:
        host: on which it listens.
        port: on which it listens.
    """

    def __init__(self, parts: Parts, listening: socket.socket, refresh_seconds: float) -> None:
        self.host, self.port = listening.getsockname()[:2]
        self._parts, self._every = parts, refresh_seconds
        self._stop = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        self._server = _server(parts)
        self._threads = [
            threading.Thread(target=self._server.run, args=([listening],), name="serving", daemon=True),
            threading.Thread(target=self._follow, name="aliases", daemon=True),
            threading.Thread(target=self._publish, name="metrics", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        while not self._server.started:
            if not self._threads[0].is_alive():
                raise SetupError(f"the server on {self.host}:{self.port} did not start; the log says why")
            time.sleep(0.01)

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def reload(self) -> None:
        """Looks at the aliases now."""
        self._parts.follower.look()

    def health(self) -> dict[str, object]:
        """What ``/health`` says."""
        return self._parts.health()

    def flush(self) -> bool:
        """Brings what was recorded into the tables; says whether all is there."""
        return self._parts.recorder is None or self._parts.recorder.flush()

    def alive(self) -> bool:
        """Whether it answers."""
        return self._threads[0].is_alive()

    def close(self) -> None:
        """Answers what is in hand, takes nothing more, and brings the records into the tables. May be called twice."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._server.should_exit = True
            self._threads[0].join()
            self._stop.set()
            for thread in self._threads[1:]:
                thread.join(_OTHERS_END)  # a registry that is away may hold one for minutes
            self._parts.endpoint.close(_SHADOWS_END)
            recorder = self._parts.recorder
            if recorder is not None and not recorder.close():
                _LOG.warning("records wait in the home, and the next start brings them into the tables")

    def __enter__(self) -> ServedModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> None:
        while not self._stop.wait(self._every):
            self.reload()

    def _publish(self) -> None:
        metrics = self._parts.endpoint.metrics
        while not self._stop.wait(_PUBLISH):
            self._parts.count()
            metrics.publish()


def serve(  # noqa: PLR0913 - keywords, each with a default
    spec: Serving,
    registry: Registry,
    tables: Tables | None = None,
    *,
    open_features: OpenFeatures | None = None,
    refresh: Callable[[], Serving] | None = None,
    listening: socket.socket | None = None,
    counts: Path | None = None,
) -> ServedModel:
    """Starts an endpoint in this process.

    Args:
        spec: what is served.
        registry: has the model. It is used by a thread of the endpoint from then on, and stays the caller's.
        tables: take the records; needed where ``spec.recording`` is given.
        open_features: makes look-ups that versions carry ready, as ``online_stores.features_of_rows`` does with a
            store; None refuses versions that carry some.
        refresh: gives the spec as its file says it now: routes and shadows may change while it runs.
        listening: a bound socket; by default one is bound as ``spec`` says.
        counts: the file of this process in a folder that processes of one endpoint share.

    Returns:
        What answers, until it is closed.

    Raises:
        RegistryError: no route leads to a version that can be served.
        SetupError: the port cannot be had, or the folder of records cannot be written.
    """
    follower = Follower(spec, registry, open_features, refresh)
    bound = listening or bind(spec.host, spec.port)
    recorder = Recorder(spec.recording, tables) if spec.recording is not None and tables is not None else None
    endpoint = Endpoint(spec, follower, recorder, Metrics(counts))
    return ServedModel(Parts(spec, endpoint, follower, recorder), bound, spec.reload)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        SetupError: the address is in use or is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SetupError(f"the host {host!r} is not known ({error}); give an address of this machine") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        text = f"port {port} is in use" if error.errno == 98 else f"{host}:{port} cannot be had: {error}"
        raise SetupError(f"{text}; give another one") from None
    return made


def _server(parts: Parts) -> Any:
    config = uvicorn.Config(
        make_app(parts),
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(parts.spec.limits.seconds) + 5,
    )
    return uvicorn.Server(config)
