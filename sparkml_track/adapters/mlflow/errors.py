"""The way to MLflow: its errors become ours and its log lines stay off the terminal.

Nothing of it is imported here: a library that is not imported has raised nothing, and a sweep that needs no MLflow
starts two seconds sooner.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
import socket
import sqlite3
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sparkml_track.adapters.mlflow.uri import has_secret, redacted, scrubbed
from sparkml_track.errors import (
    SetupError,
    SparkmlError,
    TrackingDenied,
    TrackingError,
    TrackingSchemaError,
    TrackingUnavailable,
)

__all__ = [
    "OddAnswer",
    "hush",
    "is_refusal",
    "message_of",
    "schema_error",
    "shown_cause",
    "translated",
    "translation",
    "tried_again",
]

Answer = TypeVar("Answer")

_DENIED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
_LATER = {
    "ABORTED",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "TEMPORARILY_UNAVAILABLE",
}
# Connections end in these; whoever answers at the address may do so later.
_BROKEN: tuple[type[BaseException], ...] = (
    ConnectionError,
    TimeoutError,
    InterruptedError,
    BlockingIOError,
    socket.gaierror,
    socket.herror,
    ssl.SSLError,
    http.client.HTTPException,
)
_BROKEN_OF = ("urllib3.exceptions.HTTPError", "sqlalchemy.exc.DisconnectionError", "sqlalchemy.exc.TimeoutError")
# What was asked for is not an address: to ask again changes nothing.
_NO_ADDRESS_OF = (
    "mlflow.exceptions.InvalidUrlException",
    "requests.exceptions.InvalidHeader",
    "requests.exceptions.InvalidSchema",
    "requests.exceptions.InvalidURL",
    "requests.exceptions.MissingSchema",
    "requests.exceptions.URLRequired",
    "urllib3.exceptions.LocationValueError",
)
_MLFLOW, _REST = "mlflow.exceptions.MlflowException", "mlflow.exceptions.RestException"
_OPERATIONAL = "sqlalchemy.exc.OperationalError"
_PARSE, _SQLALCHEMY = "google.protobuf.json_format.ParseError", "sqlalchemy.exc.SQLAlchemyError"
_FOREIGN: tuple[type[BaseException], ...] = (sqlite3.Error, OSError, ImportError, *_BROKEN)
_FOREIGN_OF = (_MLFLOW, _SQLALCHEMY, _PARSE, *_BROKEN_OF)
_REFUSED = re.compile(r"password authentication failed|no pg_hba\.conf entry|access denied for user", re.IGNORECASE)
_ERRNO = re.compile(r"\[Errno -?\d+\] [^\"')\n]+")
_BODY = re.compile(r"\.? Response (text|body):")
_OURS = str(Path(__file__).parents[2])


#: The blocks that threads are in.
_blocks = threading.local()


class OddAnswer(TrackingUnavailable):
    """A server answered what no MLflow server answers: a page of HTML, or nothing where something must be."""


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Everything that calls MLflow or its database runs inside this.

    MLflow logs what it raises; in here its lines are dropped for this thread only, since the error is passed on.

    Args:
        uri: of the tracking store; its secrets are kept out of messages.

    Raises:
        TrackingError: or one of its kinds, for anything foreign.
        SetupError: a package is missing that the store needs.
    """
    with ExitStack() as block:
        around, _blocks.now = getattr(_blocks, "now", None), block
        try:
            hush()
            yield
        except SparkmlError:
            raise
        except Exception as error:
            if not _is_foreign(error):
                raise
            raise translation(error, uri) from shown_cause(error, uri)
        finally:
            if getattr(_blocks, "now", None) is block:
                _blocks.now = around


def hush() -> None:
    """Keeps MLflow's log lines off the terminal until the block ends; for who imports it inside of one."""
    logs: Any = sys.modules.get("mlflow.utils.logging_utils")
    block: ExitStack | None = getattr(_blocks, "now", None)
    if logs is not None and block is not None:
        block.enter_context(logs.suppress_logs_in_thread())


def translation(error: BaseException, uri: str) -> TrackingError | SetupError:
    """The error of this package that a foreign one stands for."""
    where, said = redacted(uri), message_of(error, uri)
    if _is_missing_package(error):
        way = ": pip install 'sparkml-track[postgres]'" if "'psycopg'" in said else ""
        return SetupError(
            f"The tracking store {where} needs a Python package that is missing: {said}. Install it{way}."
        )
    if _is_odd(error):
        return OddAnswer(
            f"The tracking store {where} answered what no MLflow server does: {said}. Accepted results are kept and "
            "publishing is tried again; check that the address is MLflow's and what stands before it."
        )
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
    if _error_code(error) == "RESOURCE_DOES_NOT_EXIST":
        return TrackingError(f"The tracking store {where} does not have it: {said}.")
    return TrackingError(f"The tracking store {where} failed: {said}. Accepted results are kept in the journal.")


def message_of(error: BaseException, uri: str) -> str:
    """What a foreign error says, in one line without secrets, statements and pages of HTML."""
    return scrubbed(_first_line(error), uri)


def shown_cause(error: BaseException, uri: str) -> BaseException | None:
    """The error itself, to chain it; None if the traceback would print a secret with its message."""
    hidden = has_secret(uri) or any(scrubbed(str(one), uri) != str(one) for one in _chain(error))
    return None if hidden else error


def tried_again(call: Callable[[], Answer]) -> Answer:
    """What a call that may be repeated gives; it is made once more where the first answer was odd."""
    try:
        return call()
    except Exception as error:
        if not _is_odd(error):
            raise
    return call()


def is_refusal(error: BaseException) -> bool:
    """Whether a store refused what one item is, so that others may be taken: neither who asks, nor all it was asked."""
    if _denied(error) or _later(error):
        return False
    for one in _chain(error):
        code = _http_code(one)
        if code is not None:
            return 400 <= code < 500
        if _is_a(one, _MLFLOW) and _error_code(one):
            return 400 <= _status(one) < 500
    return False


def schema_error(uri: str, found: str) -> TrackingSchemaError:
    """The error for a database that the installed MLflow cannot use as it is."""
    return TrackingSchemaError(
        f"The tracking database {redacted(uri)} is not at the schema of the installed MLflow: {found}. Back it up, "
        f"then run: mlflow db upgrade {redacted(uri)}"
    )


def _is_foreign(error: BaseException) -> bool:
    """Whether an error is of a library: known to be one, or raised in code that is not ours."""
    if isinstance(error, _FOREIGN) or _is_a(error, *_FOREIGN_OF):
        return True
    if isinstance(error, MemoryError):
        return False
    trace, file = error.__traceback__, _OURS
    while trace is not None:
        file, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    return not file.startswith(_OURS)


def _first_line(error: BaseException) -> str:
    # SQLAlchemy appends the statement, its parameters and a link; a proxy sends a page of HTML.
    text = str(error)
    if cause := _ERRNO.search(text):
        return cause.group()
    lines = text.strip().splitlines() or [type(error).__name__]
    return _BODY.split(lines[0], maxsplit=1)[0].strip().rstrip(".")[:400] or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _is_missing_package(error: BaseException) -> bool:
    """A database driver, mostly: MLflow brings none but SQLite's."""
    both = (error, error.__cause__)
    return any(isinstance(one, ImportError) or _is_a(one, "sqlalchemy.exc.NoDBAPILoaded") for one in both)


def _is_odd(error: BaseException) -> bool:
    if isinstance(error, OddAnswer | json.JSONDecodeError):
        return True
    if _is_a(error, "requests.exceptions.InvalidJSONError", _PARSE):
        return True
    return "response body was not in a valid JSON format" in str(error)


def _denied(error: BaseException) -> bool:
    if _error_code(error) in _DENIED:
        return True
    if any(_is_a(one, "sqlalchemy.exc.DBAPIError") and _REFUSED.search(str(one)) for one in _chain(error)):
        return True
    return _http_code(error) in {401, 403} or _said_code(error, ("401", "403"))


def _error_code(error: BaseException) -> str:
    # Some of MLflow's own errors forget theirs.
    return str(getattr(error, "error_code", "")) if _is_a(error, _MLFLOW) else ""


def _http_code(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) else None


def _said_code(error: BaseException, codes: tuple[str, ...]) -> bool:
    return any(f"failed with error code {code}" in str(error) for code in codes)


def _later(error: BaseException) -> bool:
    for one in _chain(error):
        if _is_a(one, *_NO_ADDRESS_OF):
            return False
        if _is_a(one, "requests.exceptions.RequestException"):
            return (_http_code(one) or 503) >= 500 or _http_code(one) in {408, 429}
        if _error_code(one) in _LATER:
            return True
        if _is_a(one, _REST) and _status(one) >= 500:
            return True
        if isinstance(one, _BROKEN) or _is_a(one, *_BROKEN_OF) or _is_passing(one):
            return True
    return _said_code(error, ("429", "500", "502", "503", "504"))


def _is_passing(error: BaseException) -> bool:
    """Whether a database failed for what may pass."""
    if _is_a(error, "sqlalchemy.exc.DBAPIError"):
        origin = getattr(error, "orig", None)
        invalidated = bool(getattr(error, "connection_invalidated", False))
        if invalidated or (isinstance(origin, OSError) and origin.errno != errno.EACCES):
            return True
        # SQLite says "operational" of whatever is wrong with a statement; servers say it of themselves.
        if _is_a(error, _OPERATIONAL) and not isinstance(origin, sqlite3.Error):
            return True
    hints = ("locked", "busy", "is full", "connection", "could not connect", "timeout", "closed")
    known = isinstance(error, sqlite3.OperationalError) or _is_a(error, _OPERATIONAL, "sqlalchemy.exc.InterfaceError")
    return known and any(hint in str(error) for hint in hints)


def _status(error: BaseException) -> int:
    """The HTTP status that MLflow gives its errors."""
    said: Any = error
    return int(said.get_http_status_code())


def _is_a(error: BaseException | None, *names: str) -> bool:
    """Whether an error is of one of these classes. What is not imported raised nothing."""
    parts = (name.rpartition(".") for name in names)
    kinds = (getattr(sys.modules.get(module), kind, None) for module, _, kind in parts)
    return any(isinstance(error, kind) for kind in kinds if kind is not None)
