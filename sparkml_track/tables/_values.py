"""What goes in and out of tables: expectations, rules of a merge, what is known of a version, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from sparkml_track.cards import card, lineage_command, table
from sparkml_track.errors import TableError
from sparkml_track.refs import TableRef

Mode = Literal["error", "append", "overwrite"]
#: A version by its number, or the one that was the latest at a moment (with a time zone).
Moment: TypeAlias = int | datetime
#: Bytes that a file should have once a table was optimized.
FILE_SIZE = 128 * 2**20
#: An application's name and its own count of what it has done: done once, however often it is tried.
TransactionId: TypeAlias = tuple[str, int]
#: Called once the rows of a write are computed, before they are committed; gives what to note with the version.
BeforeCommit: TypeAlias = Callable[[], Mapping[str, str]]

#: Columns that a notebook shows.
_SHOWN = 60
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_NAME = re.compile(rf"{_IDENTIFIER}(\.{_IDENTIFIER}){{0,2}}")


@dataclass(frozen=True, slots=True)
class TableExpectations:
    """What must hold before a write is committed.

    Attributes:
        columns: every column with its Delta type ("string", "long", "integer", "double", "boolean", "date",
            "timestamp", "decimal(10,2)"); empty means: not checked.
        keys: columns that are never null and, together with ``timestamp`` and ``created``, unique in what is written.
        timestamp: the column that says from when on a row was true and known.
        created: the column that orders two rows of the same keys and timestamp: the later one holds.
        rows: the exact number of rows, None for any.
        min_rows: the least number of rows.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    timestamp: str | None = None
    created: str | None = None
    rows: int | None = None
    min_rows: int = 0

    @property
    def roles(self) -> dict[str, str]:
        """Column to role ("key", "timestamp", "created"): these are never null, and unique together."""
        roles = dict.fromkeys(self.keys, "key")
        if self.timestamp:
            roles[self.timestamp] = "timestamp"
        if self.created:
            roles[self.created] = "created"
        return roles


@dataclass(frozen=True, slots=True)
class TableInfo:
    """What is known about one version of a table without reading its rows.

    Attributes:
        ref: which version.
        columns: name to Delta type, in order.
        keys: see ``TableExpectations``.
        timestamp: see ``TableExpectations``.
        created: see ``TableExpectations``.
        description: what the first writer said, or what was said since.
        comments: column to what was said of it.
        properties: what the table was set to, constraints left out.
        constraints: name to rule.
        partition_by: columns whose values name the folders of files.
    """

    ref: TableRef
    columns: Mapping[str, str]
    keys: tuple[str, ...]
    timestamp: str | None
    created: str | None
    description: str
    comments: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    constraints: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()

    @property
    def roles(self) -> dict[str, str]:
        """Column to role, as in ``TableExpectations.roles``."""
        return TableExpectations(keys=self.keys, timestamp=self.timestamp, created=self.created).roles

    def _repr_html_(self) -> str:
        """For notebooks: the columns, no row."""
        roles = self.roles
        rows = [(name, kind, roles.get(name), self.comments.get(name)) for name, kind in self.columns.items()]
        facts = {
            "about": self.description,
            "columns": len(self.columns),
            "partitioned by": ", ".join(self.partition_by),
            "files": self.ref.path,
        }
        inside = table(("column", "type", "role", "comment"), rows[:_SHOWN])
        return card(str(self.ref), facts, inside, lineage_command(self.ref.name, self.ref.version))


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of one version.

    Attributes:
        path: absolute.
        partition: the values of the partition columns, in order. They hold for all rows of the file, whatever the file
            or the names of its folders say.
    """

    path: str
    partition: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One line of a table's history.

    Attributes:
        version: counts from 0.
        time: seconds since the epoch.
        operation: what made it, as the log names it ("WRITE", "MERGE", ...).
        notes: what its writer noted with it.
    """

    version: int
    time: float
    operation: str
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MergeRule:
    """What a merge does with some rows. Of several rules the first one that takes a row holds.

    Expressions are SQL that Spark and DataFusion (in delta-rs) both understand: columns as ``target.v`` and
    ``source.v``, spelled as the table spells them, quoted by backticks where need be; text in single quotes; AND, OR,
    NOT, comparison, arithmetic, IN, BETWEEN, LIKE, IS NULL, CASE, CAST, COALESCE.

    Attributes:
        when: "matched" (a row of the table has the keys of one that comes), "not_matched" (a row comes whose keys the
            table does not have), "not_matched_by_source" (a row of the table for which none comes).
        then: "update" or "delete" for rows of the table, "insert" for rows that come.
        condition: which of these rows, None for all. One that is null takes no row.
        changes: column to expression. None takes every column from the row that comes; columns that an insert leaves
            out are null, columns that an update leaves out stay.

    Raises:
        TableError: an action that cannot be for these rows.
    """

    when: Literal["matched", "not_matched", "not_matched_by_source"]
    then: Literal["update", "insert", "delete"]
    condition: str | None = None
    changes: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        allowed = ("insert",) if self.when == "not_matched" else ("update", "delete")
        if self.then not in allowed:
            raise TableError(
                f"a merge rule for rows that are {self.when} cannot {self.then}; it can {' or '.join(allowed)}"
            )
        if self.then == "delete" and self.changes is not None:
            raise TableError("a merge rule that deletes has no changes; leave changes= out")
        if self.when == "not_matched_by_source" and self.then == "update" and not self.changes:
            raise TableError(
                "a merge rule that updates rows for which none comes must say how: changes={column: expression}"
            )


#: Update the rows whose keys are there, insert the others.
UPSERT = (MergeRule("matched", "update"), MergeRule("not_matched", "insert"))


def check_name(name: str) -> str:
    """Give ``name`` back if it can name a table.

    Raises:
        TableError: it cannot; names become folders, so nothing else is let through.
    """
    if not _NAME.fullmatch(name):
        raise TableError(
            f"{name!r} cannot name a table: allowed are one to three identifiers (letters, digits, underscore, not "
            "starting with a digit, at most 128 characters) joined by dots, like sales or main.shop.sales"
        )
    return name
