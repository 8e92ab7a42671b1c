"""Paths and methods.

| path | method | answer |
|---|---|---|
| ``/invocations`` | POST | predictions |
| ``/health``, ``/ping`` | GET | which versions are served, what is wrong; without the token only that it lives |
| ``/version`` | GET | of MLflow, of this package, and of the model by alias |
| ``/metrics`` | GET | counts and times as Prometheus reads them |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import TypeAlias

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sparkml_track.serving._spec import Serving
from sparkml_track.serving.http.endpoint import Endpoint, answer
from sparkml_track.serving.http.metrics import prometheus_text
from sparkml_track.serving.http.reading import bears, shown_id
from sparkml_track.serving.inference.flushing import Recorder
from sparkml_track.serving.models.following import Follower

__all__ = ["Parts", "make_app"]

_Take: TypeAlias = Callable[[Request], Awaitable[Response]]
_PATHS = {"/invocations": "POST", "/health": "GET", "/ping": "GET", "/version": "GET", "/metrics": "GET"}


class Parts:
    """What the paths answer with.

    Args:
        spec: of the endpoint.
        endpoint: answers invocations.
        follower: has the routes.
        recorder: None where nothing is kept.
    """

    def __init__(self, spec: Serving, endpoint: Endpoint, follower: Follower, recorder: Recorder | None) -> None:
        self.spec, self.endpoint, self.follower, self.recorder = spec, endpoint, follower, recorder

    def health(self) -> dict[str, object]:
        """What is served and what is not as it should be."""
        routing = self.follower.routing
        problems = dict(self.follower.problems())
        if self.recorder is not None:
            if self.recorder.trouble:
                problems["inference tables"] = self.recorder.trouble
            if self.recorder.spool.dropped:
                problems["records"] = f"{self.recorder.spool.dropped} requests were answered and not recorded"
        return {
            "status": "ok",
            "model": self.spec.model,
            "routes": {r.alias: {"version": r.model.ref.version, "share": r.share} for r in routing.routes},
            "shadow": {r.alias: {"version": r.model.ref.version} for r in routing.shadows},
            "problems": problems,
        }

    def count(self) -> None:
        """Brings the counts of others into the metrics."""
        metrics = self.endpoint.metrics
        metrics.set("in_hand", self.endpoint.in_hand)
        metrics.set("reloads_total", self.follower.swaps)
        if self.recorder is not None:
            metrics.set("spool_bytes", self.recorder.spool.size)
            metrics.set("record_dropped_total", self.recorder.spool.dropped)
            for name, count in self.recorder.counts.copy().items():
                if name == "retyped":
                    metrics.set("retyped_rows_total", count)
                else:
                    metrics.set("recorded_rows_total", count, table=name)


def make_app(parts: Parts) -> FastAPI:
    """The ASGI application."""
    app = FastAPI(title=parts.spec.model, openapi_url=None)

    async def health(request: Request) -> Response:
        whole = bears(request, parts.spec.token)
        return JSONResponse(parts.health() if whole else {"status": "ok"})

    async def what(_: Request) -> Response:
        routes = parts.follower.routing.routes
        served = {route.alias: route.model.ref.version for route in routes}
        return JSONResponse({"mlflow": version("mlflow"), "sparkml_track": version("sparkml-track"), "model": served})

    async def metrics(_: Request) -> Response:
        parts.count()
        text = prometheus_text(parts.endpoint.metrics.values(), _facts(parts))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    def path(take: _Take, *, token: bool = True) -> _Take:
        async def named(request: Request) -> Response:
            response = await take(request) if not token or bears(request, parts.spec.token) else _stranger(request)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                parts.endpoint.metrics.add("rejected_total", reason="token")
            response.headers.setdefault("x-request-id", shown_id(request))
            return response

        return named

    app.add_route("/invocations", path(parts.endpoint.invoke), methods=["POST"])
    for name in ("/health", "/ping"):
        app.add_route(name, path(health, token=False), methods=["GET"])
    app.add_route("/version", path(what), methods=["GET"])
    app.add_route("/metrics", path(metrics), methods=["GET"])
    app.add_exception_handler(HTTPException, _not_there)
    return app


def _stranger(request: Request) -> Response:
    sentence = "the request does not bear the token; send the header Authorization: Bearer TOKEN"
    response = answer(HTTPStatus.UNAUTHORIZED, sentence, shown_id(request))
    response.headers["www-authenticate"] = "Bearer"
    return response


async def _not_there(request: Request, error: Exception) -> Response:
    path, method = request.url.path, request.method
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        sentence = f"{path:.80} takes {_PATHS.get(path)}, not {method:.20}"
    elif status == HTTPStatus.NOT_FOUND:
        sentence = f"there is no {path!r:.80} here; there are {', '.join(_PATHS)}"
    else:
        sentence = str(getattr(error, "detail", error))
    response = answer(status, sentence, shown_id(request))
    headers: Mapping[str, str] | None = getattr(error, "headers", None)
    response.headers.update(headers or {})
    return response


def _facts(parts: Parts) -> list[str]:
    """Which version each alias has, as lines of the metrics."""
    routing = parts.follower.routing
    name = "sparkml_serving_model_version"
    lines = [f"# HELP {name} The version that an alias has.", f"# TYPE {name} gauge"]
    for route in (*routing.routes, *routing.shadows):
        lines.append(f'{name}{{alias="{route.alias}",role="{route.role}"}} {route.model.ref.version}')
    return lines
