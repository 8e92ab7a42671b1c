"""Every error that MLflow, its transport and its databases can raise becomes one of ours, without a secret.

The classes are those that the libraries have, found by walking their modules; what cannot be made of a message alone
is made by ``ODD``, so a class that a new release brings fails here until somebody looked at it.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import mlflow.exceptions
import pytest
import requests
import sqlalchemy.exc
import urllib3.exceptions
from google.protobuf.json_format import ParseError
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import ErrorCode

from sparkml_track import errors
from sparkml_track.adapters.mlflow.errors import OddAnswer, translated, translation, tried_again
from sparkml_track.errors import SetupError, TrackingDenied, TrackingError, TrackingSchemaError, TrackingUnavailable

SECRET = "s3cr3t%21pw"
URI = f"postgresql://ada:{SECRET}@db:5432/mlflow"
#: What a library may put into a message.
SAID = f"cannot reach {URI}: password s3cr3t!pw of ada:{SECRET} was refused"

for package in ("requests", "urllib3", "sqlalchemy.exc", "mlflow.exceptions", "mlflow.tracking", "mlflow.store"):
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}."):
        # Stores of other vendors need packages that are not here.
        if ".tests" not in found.name and found.name.count(".") < 3:
            with suppress(Exception):
                importlib.import_module(found.name)

#: Arguments of classes that a message alone does not make.
ODD: dict[str, Callable[[type[BaseException]], BaseException]] = {
    "RestException": lambda cls: cls({"error_code": "INTERNAL_ERROR", "message": SAID}),
    "JSONDecodeError": lambda cls: cls(SAID, "<html>", 0),
    "CircularDependencyError": lambda cls: cls(SAID, [], []),
    "UnsupportedCompilationError": lambda cls: cls(SAID, int),
    "StatementError": lambda cls: cls(SAID, "SELECT 1", {"password": SAID}, Exception(SAID)),
    "InvalidTypeHintException": lambda cls: cls(message=SAID),
    "LoaderStrategyException": lambda cls: cls(int, int, int, int, ((SAID, SAID),)),
    "IncompleteRead": lambda cls: cls(1, 2),
    "InvalidChunkLength": lambda cls: cls(SimpleNamespace(tell=lambda: 1, length_remaining=1), SAID.encode()),
    "HTTPError": lambda cls: cls(URI, 502, SAID, Message(), None) if cls.__module__ == "urllib.error" else cls(SAID),
}


def subclasses(base: type[BaseException]) -> Iterator[type[BaseException]]:
    yield base
    for one in base.__subclasses__():
        yield from subclasses(one)


def made(cls: type[BaseException]) -> BaseException:
    """An instance whose message holds secrets, however many arguments the class takes."""
    if cls.__name__ in ODD:
        return ODD[cls.__name__](cls)
    for arguments in ((SAID,), (None, SAID), (SAID, None, None), (SAID, SAID), (SAID, None, Exception(SAID)), ()):
        with suppress(Exception):
            one = cls(*arguments)
            str(one)
            return one
    raise AssertionError(f"nobody knows how to make {cls}: add it to ODD")


ROOTS = (
    MlflowException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    sqlalchemy.exc.SQLAlchemyError,
    sqlite3.Error,
    OSError,
    ImportError,
    ParseError,
    json.JSONDecodeError,
)
_FOREIGN_PLACES = ("mlflow", "requests", "urllib3", "sqlalchemy", "sqlite3", "google", "json", "builtins", "socket")
CLASSES = sorted(
    {
        cls
        for root in ROOTS
        for cls in subclasses(root)
        if cls.__module__.split(".")[0] in {*_FOREIGN_PLACES, "ssl", "http", "shutil", "urllib"}
    },
    key=lambda cls: (cls.__module__, cls.__qualname__),
)


def is_ours(error: BaseException) -> bool:
    return type(error) is OddAnswer or getattr(errors, type(error).__name__, None) is type(error)


def assert_says_it_without_secrets(error: BaseException) -> None:
    text = str(error)
    assert is_ours(error)
    for secret in (SECRET, "s3cr3t!pw", "ada:", "ada@"):
        assert secret not in text, text
    assert text.startswith("The tracking ") and "://***@db:5432/mlflow" in text
    assert text.rstrip().endswith((".", f"mlflow db upgrade {URI.replace(f'ada:{SECRET}', '***')}")), text
    assert "\n" not in text


def test_the_libraries_have_the_classes_that_were_looked_for() -> None:
    names = {cls.__name__ for cls in CLASSES}
    assert len(CLASSES) > 120
    assert names >= {"OperationalError", "InterfaceError", "RestException", "MaxRetryError", "gaierror", "ProxyError"}
    assert names >= {"ModuleNotFoundError", "NoSuchModuleError", "JSONDecodeError", "DatabaseError", "PermissionError"}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_every_class_becomes_one_of_ours(cls: type[BaseException]) -> None:
    foreign = made(cls)
    assert_says_it_without_secrets(translation(foreign, URI))
    with pytest.raises(errors.SparkmlError) as caught, translated(URI):
        raise foreign
    assert_says_it_without_secrets(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


LATER = {"ABORTED", "CANCELLED", "DEADLINE_EXCEEDED", "REQUEST_LIMIT_EXCEEDED"}
LATER |= {"RESOURCE_EXHAUSTED", "TEMPORARILY_UNAVAILABLE"}
DENIED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}


@pytest.mark.parametrize("code", ErrorCode.keys())
def test_every_error_code_of_mlflow_becomes_one_of_ours(code: str) -> None:
    for foreign in (MlflowException(SAID, ErrorCode.Value(code)), RestException({"error_code": code, "message": SAID})):
        ours = translation(foreign, URI)
        assert_says_it_without_secrets(ours)
        if code in DENIED:
            assert type(ours) is TrackingDenied
        elif code in LATER or (isinstance(foreign, RestException) and foreign.get_http_status_code() >= 500):
            assert type(ours) is TrackingUnavailable
        else:
            assert type(ours) is TrackingError


def database(text: str, origin: BaseException | None = None) -> sqlalchemy.exc.OperationalError:
    return sqlalchemy.exc.OperationalError("SELECT 1", None, origin or Exception(text))


def response(code: int) -> requests.HTTPError:
    one = requests.Response()
    one.status_code = code
    return requests.HTTPError(SAID, response=one)


@pytest.mark.parametrize(
    ("foreign", "kind"),
    [
        (database("server closed the connection unexpectedly"), TrackingUnavailable),
        (database("FATAL: the database system is starting up"), TrackingUnavailable),
        (database('FATAL: password authentication failed for user "ada"'), TrackingDenied),
        (database("(1045, \"Access denied for user 'ada'@'h'\")"), TrackingDenied),
        (database("", sqlite3.OperationalError("database is locked")), TrackingUnavailable),
        (database("", sqlite3.OperationalError("no such table: runs")), TrackingError),
        (database("", ConnectionRefusedError(111, "Connection refused")), TrackingUnavailable),
        (sqlalchemy.exc.InterfaceError("SELECT 1", None, Exception("connection already closed")), TrackingUnavailable),
        (sqlalchemy.exc.IntegrityError("INSERT", None, Exception("duplicate")), TrackingError),
        (sqlalchemy.exc.TimeoutError("QueuePool limit reached"), TrackingUnavailable),
        (sqlalchemy.exc.NoSuchModuleError("Can't load plugin: sqlalchemy.dialects:foo"), TrackingError),
        (ModuleNotFoundError("No module named 'psycopg'"), SetupError),
        (sqlite3.OperationalError("database or disk is full"), TrackingUnavailable),
        (sqlite3.DatabaseError("file is not a database"), TrackingError),
        (MlflowException("Detected out-of-date database schema (found version x)"), TrackingSchemaError),
        (requests.ConnectionError(SAID), TrackingUnavailable),
        (requests.exceptions.InvalidURL(SAID), TrackingError),
        (requests.exceptions.InvalidHeader(SAID), TrackingError),
        (response(403), TrackingDenied),
        (response(404), TrackingError),
        (response(429), TrackingUnavailable),
        (response(502), TrackingUnavailable),
        (requests.HTTPError(SAID, response=requests.Response()), TrackingUnavailable),
        (socket.gaierror(-2, "Name or service not known"), TrackingUnavailable),
        (urllib3.exceptions.LocationParseError(SAID), TrackingError),
        (PermissionError(13, "Permission denied", "/x/mlflow.db"), TrackingError),
        (json.JSONDecodeError("Expecting value", "<html>", 0), OddAnswer),
        (ParseError("Failed to parse runs field"), OddAnswer),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else f"{type(one).__name__}-{one!s:.30}",
)
def test_what_happens_next_is_what_the_error_allows(foreign: BaseException, kind: type[BaseException]) -> None:
    ours = translation(foreign, URI)
    assert type(ours) is kind
    assert_says_it_without_secrets(ours)


def test_a_database_whose_driver_is_missing_is_named() -> None:
    from mlflow import MlflowClient

    uri = URI.replace("postgresql", "postgresql+asyncpg")
    with pytest.raises(SetupError, match="package that is missing: No module named") as caught, translated(uri):
        MlflowClient(uri).search_experiments()
    assert_says_it_without_secrets(caught.value)


def test_bare_errors_that_mlflow_raises_are_translated_and_those_of_our_own_code_are_not(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="run status corresponding to string odd"), translated("http://h"):
        mlflow.entities.RunStatus.from_string("odd")
    own = Path(errors.__file__).parent / "own.py"
    code = compile("def broken():\n    return {}['run']", str(own), "exec")
    names: dict[str, Callable[[], object]] = {}
    exec(code, names)
    with pytest.raises(KeyError), translated("http://h"):
        names["broken"]()


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"])
def test_secrets_of_the_environment_stay_out_of_messages_and_tracebacks(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "t0ken-of-ada\n")
    with pytest.raises(TrackingError) as caught, translated("http://h"):
        raise requests.exceptions.InvalidHeader("reserved character in header value: 'Bearer t0ken-of-ada\\n'")
    assert "t0ken" not in str(caught.value)
    assert caught.value.__cause__ is None


# ---------------------------------------------------------------------------------------------------- odd answers


class _Server(BaseHTTPRequestHandler):
    """Answers each request with the next body, and with the last one from then on."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    with closing(_Servers()) as servers:
        yield servers.start


class _Servers:
    def __init__(self) -> None:
        self._running: list[ThreadingHTTPServer] = []

    def start(self, *bodies: bytes) -> str:
        handler = type("Server", (_Server,), {"bodies": list(bodies)})
        self._running.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=self._running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._running[-1].server_port}"

    def close(self) -> None:
        for one in self._running:
            one.shutdown()
            one.server_close()


HTML = b"<html>\n<body>Please sign in, ada"


@pytest.mark.parametrize("body", [HTML, b"[]", b"\x00\x80no", b'{"experiments": {}}'])
def test_an_answer_that_is_not_mlflows_is_odd_and_its_body_is_not_shown(serve: Callable[..., str], body: bytes) -> None:
    from mlflow import MlflowClient

    uri = serve(body)
    with pytest.raises(OddAnswer, match="what no MLflow server does") as caught, translated(uri):
        MlflowClient(uri).search_experiments()
    assert "sign in" not in str(caught.value)


def test_an_odd_answer_is_tried_again_once() -> None:
    answers = iter([OddAnswer("html"), "fine"])

    def call() -> str:
        one = next(answers)
        if isinstance(one, OddAnswer):
            raise one
        return one

    assert tried_again(call) == "fine"
    answers = iter([OddAnswer("html"), OddAnswer("html again"), "fine"])
    with pytest.raises(OddAnswer, match="again"):
        tried_again(call)
    answers = iter([])
    with pytest.raises(StopIteration):
        tried_again(call)
