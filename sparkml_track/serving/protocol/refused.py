"""A request that cannot be answered: a status, MLflow's code of it and a sentence."""

from __future__ import annotations

import json
from http import HTTPStatus

__all__ = ["Refused", "error_body"]

_CODES = {
    HTTPStatus.BAD_REQUEST: "BAD_REQUEST",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.NOT_FOUND: "ENDPOINT_NOT_FOUND",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_LIMIT_EXCEEDED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_ERROR",
    HTTPStatus.SERVICE_UNAVAILABLE: "TEMPORARILY_UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}


class Refused(Exception):
    """A request that gets a sentence instead of predictions.

    Attributes:
        status: of HTTP.
        sentence: what is wrong, what was got, what is allowed.
    """

    def __init__(self, sentence: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def error_body(status: int, sentence: str, request_id: str) -> bytes:
    """The body of an answer without predictions, in the form of MLflow's errors."""
    code = _CODES.get(HTTPStatus(status), "INVALID_PARAMETER_VALUE")
    return json.dumps({"error_code": code, "message": sentence, "request_id": request_id}).encode()
