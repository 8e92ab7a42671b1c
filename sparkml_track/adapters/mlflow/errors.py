"""The way to MLflow: its errors become ours and its log lines stay off the terminal."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import sqlalchemy.exc
from mlflow.exceptions import MlflowException, RestException
from mlflow.utils.logging_utils import suppress_logs_in_thread

from sparkml_track.adapters.mlflow.uri import has_secret, redacted, scrubbed
from sparkml_track.errors import SparkmlError, TrackingDenied, TrackingError, TrackingSchemaError, TrackingUnavailable

__all__ = ["door", "is_refusal", "schema_error", "translated"]

_DENIED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
_LATER = {"TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED", "ABORTED", "RESOURCE_EXHAUSTED"}
_FOREIGN = (MlflowException, requests.RequestException, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError)

_ERRNO = re.compile(r"\[Errno -?\d+\] [^\"')]+")


@contextmanager
def door(uri: str) -> Iterator[None]:
    """Everything that calls MLflow or its database runs inside this.

    MLflow logs what it raises; in here its lines are dropped for this thread only, since the error is passed on.

    Args:
        uri: of the tracking store; its secrets are kept out of messages.

    Raises:
        TrackingError: or one of its kinds, for anything foreign.
    """
    with suppress_logs_in_thread():
        try:
            yield
        except SparkmlError:
            raise
        except _FOREIGN as error:
            # A chained traceback prints the foreign message, and with it the secrets of the URI.
            raise translated(error, uri) from (None if has_secret(uri) else error)


def translated(error: BaseException, uri: str) -> TrackingError:
    """The error of this package that a foreign one stands for."""
    where, said = redacted(uri), scrubbed(_first_line(error), uri)
    if _denied(error):
        return TrackingDenied(
            f"The tracking store {where} refused the credentials: {said}. Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, for an account that may edit the experiment."
        )
    if "out-of-date database schema" in said:
        return schema_error(uri, said)
    if _later(error):
        return TrackingUnavailable(
            f"The tracking store {where} is not available now: {said}. Accepted results are kept and publishing is "
            "tried again; check that the store runs and is reachable."
        )
    if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
        return TrackingError(f"The tracking store {where} does not have it: {said}.")
    return TrackingError(f"The tracking store {where} failed: {said}. Accepted results are kept in the journal.")


def is_refusal(error: BaseException) -> bool:
    """Whether a store refused what one item is, so that others may be taken: neither who asks, nor all it was asked."""
    if _denied(error) or _later(error):
        return False
    for one in _chain(error):
        code = _http_code(one)
        if code is not None:
            return 400 <= code < 500
        if isinstance(one, MlflowException):
            return 400 <= int(one.get_http_status_code()) < 500
    return False


def schema_error(uri: str, found: str) -> TrackingSchemaError:
    """The error for a database that the installed MLflow cannot use as it is."""
    return TrackingSchemaError(
        f"The tracking database {redacted(uri)} is not at the schema of the installed MLflow: {found}. Back it up, "
        f"then run: mlflow db upgrade {redacted(uri)}"
    )


def _first_line(error: BaseException) -> str:
    # SQLAlchemy appends the statement, its parameters and a link; a proxy sends a page of HTML.
    if cause := _ERRNO.search(str(error)):
        return cause.group()
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(" Response text:", 1)[0].strip().rstrip(".")[:400]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _denied(error: BaseException) -> bool:
    if isinstance(error, MlflowException) and error.error_code in _DENIED:
        return True
    return _http_code(error) in {401, 403} or _said_code(error, ("401", "403"))


def _http_code(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _said_code(error: BaseException, codes: tuple[str, ...]) -> bool:
    return any(f"failed with error code {code}" in str(error) for code in codes)


def _later(error: BaseException) -> bool:
    for one in _chain(error):
        if isinstance(one, requests.RequestException):
            return (_http_code(one) or 503) >= 500 or _http_code(one) in {408, 429}
        if isinstance(one, MlflowException) and one.error_code in _LATER:
            return True
        if isinstance(one, RestException) and one.get_http_status_code() >= 500:
            return True
        if isinstance(one, sqlite3.OperationalError | sqlalchemy.exc.OperationalError) and _passing(str(one)):
            return True
    return _said_code(error, ("429", "500", "502", "503", "504"))


def _passing(text: str) -> bool:
    return any(hint in text for hint in ("locked", "busy", "is full", "connection", "could not connect", "timeout"))
