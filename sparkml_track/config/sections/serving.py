"""The sections of an endpoint: what it serves, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkml_track.config.sections.fields import Positive, Seconds, Section, Text, matching

__all__ = ["LimitSettings", "RecordSettings", "ServedSettings"]

_TABLES = r"([A-Za-z_][A-Za-z0-9_]{0,100}\.){0,2}[A-Za-z_][A-Za-z0-9_]{0,100}"
_Share = Annotated[float, Field(ge=0)]
_Kind = Literal["boolean", "integer", "long", "float", "double", "string", "datetime", "binary"]


class LimitSettings(Section):
    """The section ``limits``, of one process.

    Attributes:
        rows: of one request.
        bytes: of the body of one request.
        seconds: from a request to its answer.
        concurrency: requests in hand; more get 429.
        threads: that ask models.
        together: requests that waited for a thread and are answered at once; 1 answers each alone.
    """

    rows: Positive = 10_000
    bytes: Positive = 10_000_000
    seconds: Seconds = 30.0
    concurrency: Positive = 64
    threads: Positive = 4
    together: Positive = 32


class RecordSettings(Section):
    """The section ``record``: the inference tables.

    Attributes:
        tables: what their names begin with; the model's name by default.
        sampling: the share of requests that is kept.
        every: seconds between two commits.
        most_bytes: of records on disk that are not in the tables yet.
        keep: more columns of requests, by type, that the rows have.
    """

    tables: Annotated[str, matching(_TABLES, "one to three identifiers joined by dots")] | None = None
    sampling: Annotated[float, Field(gt=0, le=1)] = 1.0
    every: Seconds = 10.0
    most_bytes: Positive = 2**30
    keep: dict[str, _Kind] = Field(default_factory=dict)


class ServedSettings(Section):
    """What an endpoint serves. ``routes`` and ``shadow`` may change while it runs.

    Attributes:
        online_store: where features are looked up.
        routes: alias, or version number, to its share of the requests.
        shadow: aliases that score each request aside.
        sticky: the header that decides the route.
        reload: seconds between two looks at aliases and file.
        host: on which it listens.
        port: on which it listens; 0 takes a free one.
        workers: processes.
        token_file: has the token that requests must bear, relative to the file.
        limits: of one process.
        record: the inference tables; ``false`` keeps nothing.
    """

    online_store: Text | None = None
    routes: Annotated[dict[str, _Share], Field(min_length=1)] = Field(default_factory=lambda: {"champion": 100.0})
    shadow: tuple[Text, ...] = ()
    sticky: Text | None = None
    reload: Seconds = 10.0
    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 5001
    workers: Positive = 1
    token_file: Text | None = None
    limits: LimitSettings = LimitSettings()
    record: RecordSettings | Literal[False] = RecordSettings()
