"""What databases have in common: statements of the SQL that all of them speak, with ``?`` for values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sparkml_track.trackers._mlflow.lanes.tables import Conflict, Table

__all__ = ["Database", "Row", "chunks"]

_CHUNK = 500  # ids in one statement
Row = Sequence[Any]


class Database(ABC):
    """Reads and changes rows. Threads: one at a time."""

    #: What makes a SELECT keep others from its rows until the transaction ends.
    locking = ""
    #: What makes it keep them as they are until then, for others that do the same too.
    keeping = ""

    @abstractmethod
    def query(self, statement: str, *values: object) -> list[Row]:
        """The rows of a SELECT, in the transaction that is open."""

    @abstractmethod
    def change(self, statement: str, *values: object) -> int:
        """Changes rows in a transaction; how many."""

    @abstractmethod
    def add(self, table: Table, rows: Sequence[Row], conflict: Conflict | None = None) -> None:
        """Adds rows to a table in a transaction."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """The block in which rows change; an error takes all of it back. Not to be nested."""

    def query_for(self, query: str, ids: Iterable[str], *values: object) -> Iterator[Row]:
        """Rows of a query over ids, which goes in parts: a statement takes only so many."""
        for some in chunks(list(ids)):
            yield from self.query(query.format(",".join("?" * len(some))), *values, *some)

    def change_for(self, statement: str, ids: Iterable[str], *values: object) -> None:
        """Changes rows of some ids."""
        for some in chunks(list(ids)):
            self.change(statement.format(",".join("?" * len(some))), *values, *some)


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in parts that one statement takes."""
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
