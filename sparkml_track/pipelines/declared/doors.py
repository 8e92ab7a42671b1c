"""How a flow reads: ``read`` and ``read_stream``, and ``spark``, through which tables are found by their names.

Whoever plans or updates a pipeline gives a reader for the time that a flow's function runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.sql_words import marked

__all__ = ["Reader", "SparkDoor", "read", "read_stream", "reading", "spark"]


class Reader(Protocol):
    """What a flow reads from."""

    def table(self, name: str) -> Any:
        """All rows of a table or view."""

    def stream(self, name: str, *, skip_changes: bool) -> Any:
        """The rows that were appended to a table since this flow last read it."""

    def session(self, use: str) -> Any:
        """The Spark session; ``use`` is "read" or "stream" where rows from outside are read by it, else empty."""


_READER: ContextVar[Reader | None] = ContextVar("reader", default=None)


@contextmanager
def reading(reader: Reader) -> Iterator[None]:
    """Gives a reader to flows that run meanwhile."""
    token = _READER.set(reader)
    try:
        yield
    finally:
        _READER.reset(token)


def read(name: str) -> Any:
    """Gives a table or view as a DataFrame: of this pipeline, or any table of the home.

    A table is read at the version that this update wrote, else at the version that was the latest when the update
    began.

    Raises:
        InvalidInput: there is no such table or view; called outside of a flow.
    """
    return _reader("dp.read").table(name)


def read_stream(name: str, *, skip_changes: bool = False) -> Any:
    """Gives the rows that were appended to a table since this flow last read it, the first time all rows.

    Args:
        name: of a streaming table of this pipeline, or of any table of the home.
        skip_changes: pass over versions that deleted or changed rows, instead of refusing to go on.

    Raises:
        InvalidInput: as ``read``.
    """
    return _reader("dp.read_stream").stream(name, skip_changes=skip_changes)


def _reader(what: str) -> Reader:
    reader = _READER.get()
    if reader is None:
        raise InvalidInput(f"{what} is for the functions of flows, while a pipeline runs them")
    return reader


class _Reads:
    """``spark.read`` and ``spark.readStream``: their ``table`` is ours, the rest is Spark's."""

    def __init__(self, use: str, options: Mapping[str, object]) -> None:
        self._use = use
        self._options = options

    def option(self, key: str, value: object) -> Any:
        """Keeps what ``table`` understands; with any other option the rest is Spark's."""
        if key == "skipChangeCommits":
            return _Reads(self._use, {**self._options, key: value})
        return self._real().option(key, value)

    def table(self, name: str) -> Any:
        if self._use == "read":
            return read(name)
        return read_stream(name, skip_changes=str(self._options.get("skipChangeCommits", False)).lower() == "true")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def _real(self) -> Any:
        session = _reader("spark").session(self._use)
        return session.read if self._use == "read" else session.readStream


class SparkDoor:
    """The session of a pipeline: tables are found by their names, everything else is Spark's own session."""

    @property
    def read(self) -> Any:
        """``read.table`` gives a table or view; the rest reads from outside."""
        return _Reads("read", {})

    @property
    def readStream(self) -> Any:  # noqa: N802  # Spark's word
        """``readStream.table`` gives the new rows of a table; the rest reads streams from outside."""
        return _Reads("stream", {})

    def table(self, name: str) -> Any:
        """A table or view."""
        return read(name)

    def sql(self, text: str, args: Any = None, **frames: Any) -> Any:
        """A SELECT, in which tables and views are named as in ``read``."""
        reader = _reader("spark.sql")
        query, names = marked(text, frames)
        found = {mark: reader.table(name) for mark, name in names.items()}
        use = "" if found or frames else "read"
        return reader.session(use).sql(query, args, **found, **frames)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # Rows that come from elsewhere have no version by which they could be known again.
        use = "read" if name in ("range", "createDataFrame", "sparkContext", "catalog") else ""
        return getattr(_reader("spark").session(use), name)


#: Named ``spark`` in every file of a pipeline.
spark = SparkDoor()
