"""The contract of a family of SQL engines: one SELECT over views that are pinned, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ENGINES", "Answer", "Engine", "Mention", "Parsed", "Query", "SharedViews", "View"]

ENGINES = ("duckdb", "spark")


@dataclass(frozen=True, slots=True)
class Mention:
    """A table as a query names it.

    Attributes:
        parts: one to three identifiers, without quotes.
        version: of ``name AT (VERSION => n)``, None without.
    """

    parts: tuple[str, ...]
    version: int | None = None

    def __str__(self) -> str:
        name = ".".join(self.parts)
        return name if self.version is None else f"{name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a query asks for, before any table is looked at.

    Attributes:
        mentions: the tables, each once, in order; names of common table expressions are not among them.
        parameters: the names of ``$name``.
        volatile: whether the same tables may give another answer: it asks for the time, for chance and the like.
    """

    mentions: tuple[Mention, ...]
    parameters: frozenset[str]
    volatile: bool


@dataclass(frozen=True, slots=True)
class View:
    """One table as a query sees it: exactly these columns of exactly these files, or rows that are there.

    Attributes:
        name: in full, ``catalog.schema.object``.
        columns: name to Delta type, in order.
        files: absolute paths of Parquet files; a column that a file lacks is null in its rows.
        rows: instead of files.
        partition_by: columns whose values are said here, whatever the files and the names of their folders say.
        partitions: for each file the values of these columns.
    """

    name: str
    columns: Mapping[str, str]
    files: tuple[str, ...] = ()
    rows: pa.Table | None = None
    partition_by: tuple[str, ...] = ()
    partitions: tuple[tuple[object, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query and its bounds.

    Attributes:
        text: one SELECT.
        params: a value for each ``$name``: a string, number, bool, date, datetime with a time zone, or None.
        limit: at most so many rows; None for all.
        timeout: seconds after which it is interrupted; None for never.
    """

    text: str
    params: Mapping[str, object] = field(default_factory=dict)
    limit: int | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave.

    Attributes:
        rows: in the query's order.
        more: whether the limit cut rows off.
    """

    rows: pa.Table
    more: bool = False


class Engine(ABC):
    """Answers queries. ``parse`` looks at the text alone; ``run`` sees the views it is given and nothing else.

    Ownership: a query sees nothing of the one before; what the engine keeps of it, to answer the next one over the same
    views sooner, goes with the engine. It does not stop a session that it was given.

    Threads: one query at a time; ``interrupt`` may come from any thread. Ctrl-C in ``run`` interrupts the query before
    it is raised.

    Raises:
        InvalidInput: the text is not one SELECT, names what is not there, or its types do not fit; nothing was read.
        QueryError: it failed while it was executed, was interrupted, or took longer than its timeout.
    """

    name: ClassVar[str]
    #: Whether a query can reach files and settings beyond its views: True keeps it inside.
    confined: ClassVar[bool]

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the library; another one may give other answers."""

    @abstractmethod
    def parse(self, text: str) -> Parsed:
        """Look at a query."""

    @abstractmethod
    def run(self, query: Query, views: Mapping[Mention, View]) -> Answer:
        """Execute a query.

        Args:
            query: with all its parameters.
            views: one for each mention of ``parse``.

        Returns:
            The rows as an Arrow table. Sums of integers are int64; timestamps are UTC.
        """

    def columns(
        self,
        query: Query,  # noqa: ARG002 - for members that can say it
        views: Mapping[Mention, View],  # noqa: ARG002
        count: int,  # noqa: ARG002
    ) -> tuple[frozenset[tuple[Mention, str]], ...] | None:
        """Say which columns of the views each column of the answer needs, without executing the query.

        Args:
            query: with all its parameters.
            views: one for each mention of ``parse``.
            count: how many columns the answer has.

        Returns:
            For each column of the answer all that its values, or the choice of its rows, depend on; maybe more, never
            less. None where the engine cannot say.
        """
        return None

    @abstractmethod
    def interrupt(self) -> None:
        """End the query that runs, if any; its ``run`` raises."""


class SharedViews(Protocol):
    """Views that all sessions of a server see, under the names of tables.

    Raises:
        QueryError: the server refused.
    """

    def put(self, view: View, comment: str = "") -> None:
        """Makes or changes a view, in one step: a query sees one version of it.

        Args:
            view: under its full name.
            comment: shown by clients.
        """

    def drop(self, table: str) -> None:
        """Drops the view of a table, by its full name."""
