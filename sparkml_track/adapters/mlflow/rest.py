"""Calls to a tracking server, or its database, that the client makes with many retries, or prints about."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from sparkml_track.adapters.mlflow.errors import OddAnswer, hush
from sparkml_track.adapters.mlflow.uri import redacted

__all__ = ["check", "check_database", "create_run", "end_run", "get", "is_server", "post"]

_CHECK_SECONDS = 10
#: What is answered where an endpoint is not, or is closed to a body.
_LOST = {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.NOT_IMPLEMENTED,
}
_Answer = dict[str, dict[str, dict[str, str]]]


def is_server(uri: str) -> bool:
    """Whether the store is an MLflow server."""
    return urlsplit(uri).scheme in {"http", "https"}


def check(uri: str) -> None:
    """Asks the server one thing, once: MLflow's own retries would take minutes to say that it is away."""
    endpoint = "/api/2.0/mlflow/experiments/search"
    params = {"max_results": 1}
    _verified(_request(uri, endpoint, "GET", timeout=_CHECK_SECONDS, params=params), endpoint)


def check_database(uri: str) -> None:
    """Connects to a PostgreSQL once: MLflow's own store tries ten times, 100 seconds, to say that it is away."""
    if not uri.startswith(("postgresql:", "postgresql+")):
        return
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with create_engine(uri, poolclass=NullPool, connect_args={"connect_timeout": _CHECK_SECONDS}).connect():
        pass


def get(uri: str, endpoint: str) -> Mapping[str, Any]:
    """The answer of an endpoint that a server may not have; empty without it, or if it is not JSON."""
    response = _request(uri, endpoint, "GET", timeout=_CHECK_SECONDS)
    try:
        answer = response.json() if response.status_code == HTTPStatus.OK else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, Mapping) else {}


def post(uri: str, endpoint: str, body: bytes) -> Mapping[str, Any] | int:
    """The answer of an endpoint that a server may have lost, or its status if it has, or takes no body so large.

    Args:
        uri: of the server.
        endpoint: its path.
        body: JSON. It is sent once.
    """
    headers = {"Content-Type": "application/json"}
    response = _request(uri, endpoint, "POST", raise_on_status=False, data=body, extra_headers=headers)
    if response.status_code in _LOST:
        return int(response.status_code)
    answer: Mapping[str, Any] = _verified(response, endpoint).json()
    return answer


def create_run(uri: str, experiment_id: str, started: int, tags: Mapping[str, str]) -> tuple[str, str]:
    """Creates a run with one request, never sent again by itself: a lost answer would otherwise make two runs.

    Returns:
        The run id and the location of its artifacts.
    """
    body = {
        "experiment_id": experiment_id,
        "user_id": tags.get("mlflow.user", "unknown"),
        "start_time": started,
        "run_name": tags.get("mlflow.runName", ""),
        "tags": [{"key": name, "value": value} for name, value in tags.items()],
    }
    try:
        info = _post(uri, "runs/create", body)["run"]["info"]
        return info["run_id"], info["artifact_uri"]
    except (KeyError, TypeError):
        # Whether there is a run now is looked up before the next try.
        raise OddAnswer(
            f"The tracking store {redacted(uri)} was asked to create a run and answered without one."
        ) from None


def end_run(uri: str, run_id: str, status: str, ended: int) -> None:
    """Ends a run; the client would print two lines to stdout for each."""
    _post(uri, "runs/update", {"run_id": run_id, "status": status, "end_time": ended}, retries=None)


def _post(uri: str, path: str, body: Mapping[str, object], retries: int | None = 0) -> _Answer:
    endpoint = f"/api/2.0/mlflow/{path}"
    response = _request(uri, endpoint, "POST", max_retries=retries, json=body)
    answer: _Answer = _verified(response, endpoint).json()
    return answer


def _request(uri: str, endpoint: str, method: str, max_retries: int | None = 0, **more: Any) -> Any:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    hush()
    return http_request(get_default_host_creds(uri), endpoint, method, max_retries=max_retries, **more)


def _verified(response: Any, endpoint: str) -> Any:
    from mlflow.utils.rest_utils import verify_rest_response

    return verify_rest_response(response, endpoint)
