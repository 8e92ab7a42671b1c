"""Versions as Arrow tables that an object holds."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from sparkml_track.errors import SparkmlError, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables._base import Tables
from sparkml_track.tables._rows.arguments import check_keep, check_moment, check_size, check_transaction, column_list
from sparkml_track.tables._rows.arrow import arrow_schema, normalised
from sparkml_track.tables._rows.columns import column_names, parse_columns
from sparkml_track.tables._rows.constraints import check_held, check_properties, check_rules
from sparkml_track.tables._rows.difference import check_keys, difference, filled, shared_columns
from sparkml_track.tables._rows.errors import (
    no_columns,
    no_session,
    no_table,
    no_version,
    unknown_columns,
)
from sparkml_track.tables._rows.feed import TIME, VERSION, check_feed, check_range, compared, feed_of, is_fed, no_feed
from sparkml_track.tables._rows.moments import version_at
from sparkml_track.tables._values import (
    FILE_SIZE,
    DataFile,
    Moment,
    TableExpectations,
    TableInfo,
    TableVersion,
    TransactionId,
    check_name,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_track.tables._base import Frame


@dataclass(frozen=True, slots=True)
class Version:
    """One version, whole."""

    rows: pa.Table | None  # None once vacuumed
    operation: str
    expect: TableExpectations
    description: str
    comments: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    constraints: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    time: float = field(default_factory=time.time)
    feed: pa.Table | None = None  # of an edit, which knows what it did


class HeldTables(Tables):
    """The part of ``MemoryTables`` that finds versions, and what was said of them."""

    durable: ClassVar[bool] = False

    def __init__(self, spark: SparkSession | None = None) -> None:
        self.spark = spark is not None
        self._session = spark
        self._chains: dict[str, list[Version]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.RLock()

    def diff(self, name: str, before: Moment, after: Moment | None = None, *, keys: Sequence[str] = ()) -> pa.Table:
        old, new = self.describe(self.pin(name, before)), self.describe(self.pin(name, after))
        keys = column_list(name, "keys", keys) or tuple(new.roles)
        check_keys(name, keys, old, new)
        columns = shared_columns(name, old.columns, new.columns)
        return difference(*filled([self.to_arrow(old.ref), self.to_arrow(new.ref)], columns), keys, name)

    def read(self, table: TableRef | str, at: Moment | None = None) -> DataFrame:
        ref = self._pinned(table, at)
        if self._session is None:
            raise no_session(ref.name)
        return _frame(self._session, self.to_arrow(ref))

    def to_arrow(
        self, table: TableRef | str, columns: Sequence[str] | None = None, at: Moment | None = None
    ) -> pa.Table:
        ref = self._pinned(table, at)
        rows = self._version(ref).rows
        if rows is None:
            raise no_version(ref)
        missing = [column for column in columns or () if column not in rows.column_names]
        if missing:
            raise no_columns(ref, missing, rows.column_names)
        return rows if columns is None else rows.select(list(columns))

    def head(self, table: TableRef | str, rows: int = 10, at: Moment | None = None) -> pa.Table:
        return self.to_arrow(table, at=at).slice(0, rows)

    def count(self, table: TableRef | str, at: Moment | None = None) -> int | None:
        return int(self.to_arrow(table, at=at).num_rows)

    def changes(self, name: str, since: int, until: int | None = None) -> pa.Table:
        check_range(name, since, until)
        last = self.pin(name, until)
        if since > last.version:
            raise no_version(TableRef(name, last.path, since), last.version)
        parts = [self._fed(name, number) for number in range(since, last.version + 1)]
        return feed_of(pa.concat_tables(parts, promote_options="default"), list(self.describe(last).columns), name)

    def _fed(self, name: str, number: int) -> pa.Table:
        """What one version did."""
        version = self._chains[name][number]
        if not is_fed(version.properties):
            raise no_feed(name, number)
        before = self._chains[name][number - 1].rows if number else None
        if version.rows is None or (number and before is None):
            raise no_version(TableRef(name, f"memory:{name}", number))
        found = compared(before, version.rows) if version.feed is None else version.feed
        count = found.num_rows
        found = found.append_column(VERSION, pa.array([number] * count, pa.int64()))
        return found.append_column(TIME, pa.array([int(version.time * 1e6)] * count, pa.timestamp("us", "UTC")))

    def appended(self, name: str, after: int, to: int, *, skip_changes: bool = False) -> DataFrame:
        if self._session is None:
            raise no_session(name)
        rows = [self.to_arrow(self._ref(name, version)) for version in range(after, to + 1)]
        came = [_came(one, two) for one, two in itertools.pairwise(rows)]
        if None in came and not skip_changes:
            raise TableError(
                f"version {after + 1 + came.index(None)} of table {name} deleted or changed rows; read the table whole "
                "instead, or pass over such versions by skip_changes"
            )
        parts = [each for each in came if each is not None]
        empty = rows[-1].slice(0, 0)
        return _frame(self._session, pa.concat_tables([empty, *parts], promote_options="default"))

    def done(self, name: str, application: str) -> int | None:
        self._ref(name)
        return self._counts.get((name, application))

    def files(self, table: TableRef | str) -> tuple[str, ...]:
        raise self._no_files(table)

    def data_files(self, table: TableRef | str) -> tuple[DataFile, ...]:
        raise self._no_files(table)

    def _no_files(self, table: TableRef | str) -> TableError:
        ref = self._ref(table)
        self._version(ref)
        return TableError(f"{ref} is in memory, where there are no files; read it by to_arrow")

    def pin(self, name: str, at: Moment | None = None) -> TableRef:
        check_moment(name, at)
        if isinstance(at, datetime):
            at = version_at(name, self.history(name), at)
        ref = self._ref(name, at)
        self._version(ref)
        return ref

    def describe(self, table: TableRef | str) -> TableInfo:
        ref = self._ref(table)
        version, columns = self._version(ref), columns_of(self.to_arrow(ref), ref.name)
        expect = version.expect
        return TableInfo(
            ref,
            columns,
            expect.keys,
            expect.timestamp,
            expect.created,
            version.description,
            {column: text for column, text in version.comments.items() if column in columns},
            version.properties,
            version.constraints,
            version.partition_by,
        )

    def exists(self, name: str) -> bool:
        return check_name(name) in self._chains

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._chains))

    def history(self, name: str) -> tuple[TableVersion, ...]:
        self._ref(name)
        chain = enumerate(self._chains[name])
        return tuple(TableVersion(number, one.time, one.operation, one.notes) for number, one in chain)[::-1]

    def optimize(self, name: str, *, by: Sequence[str] = (), size: int = FILE_SIZE) -> TableRef:
        by = column_list(name, "by", by)
        check_size(name, size)
        info = self.describe(name)
        if unknown := [column for column in by if column not in info.columns]:
            raise unknown_columns(info.ref, unknown, info.columns)
        return info.ref

    def drop(self, name: str) -> str:
        self._ref(name)
        with self._lock:
            del self._chains[name]
            self._counts = {key: count for key, count in self._counts.items() if key[0] != name}
        return ""

    def set_properties(self, name: str, properties: Mapping[str, str]) -> TableRef:
        check_properties(name, properties)
        info = self.describe(name)
        check_feed(name, properties, info.columns)
        return self._altered(name, "SET TBLPROPERTIES", properties={**info.properties, **properties})

    def comment(self, name: str, text: str, column: str | None = None) -> TableRef:
        info = self.describe(name)
        if column is None:
            return self._altered(name, "UPDATE TABLE METADATA", description=text)
        if column not in info.columns:
            raise unknown_columns(info.ref, [column], info.columns)
        return self._altered(name, "UPDATE FIELD METADATA", comments={**info.comments, column: text})

    def add_constraints(self, name: str, rules: Mapping[str, str]) -> TableRef:
        check_rules(name, rules)
        info = self.describe(name)
        try:
            check_held(name, self.to_arrow(name), rules)
        except SparkmlError as error:
            raise TableError(f"adding constraints to table {name} failed: {error}") from error
        return self._altered(name, "ADD CONSTRAINT", constraints={**info.constraints, **rules})

    def drop_constraint(self, name: str, constraint: str) -> TableRef:
        left = dict(self.describe(name).constraints)
        if left.pop(constraint, None) is None:
            raise TableError(f"dropping constraint {constraint} of table {name} failed: it does not exist")
        return self._altered(name, "DROP CONSTRAINT", constraints=left)

    def vacuum(self, name: str, keep: timedelta = timedelta(days=7), *, dry_run: bool = False) -> tuple[str, ...]:
        check_keep(name, keep)
        self._ref(name)
        with self._lock:
            chain, limit = self._chains[name], time.time() - keep.total_seconds()
            # A version was the latest until the next one came.
            old = [n for n, later in enumerate(chain[1:]) if later.time < limit and chain[n].rows is not None]
            for number in old if not dry_run else ():
                chain[number] = replace(chain[number], rows=None)
            return tuple(f"version {number}" for number in old)

    def _pinned(self, table: TableRef | str, at: Moment | None) -> TableRef:
        return table if isinstance(table, TableRef) else self.pin(table, at)

    def _done(self, name: str, transaction: TransactionId | None) -> bool:
        """Whether the table has this transaction, or a later one of its application."""
        known = check_transaction(transaction)
        return known is not None and self._counts.get((name, known[0]), -1) >= known[1]

    def _altered(self, name: str, operation: str, **changes: object) -> TableRef:
        with self._lock:
            before = self._chains[name][-1]
            version = replace(before, operation=operation, time=time.time(), feed=None, notes={}, **changes)  # type: ignore[arg-type]
            return self._commit(name, version, None)

    def _next(self, name: str, rows: pa.Table, operation: str) -> Version:
        return replace(self._chains[name][-1], rows=rows, operation=operation, time=time.time(), feed=None, notes={})

    def _ref(self, table: TableRef | str, version: int | None = None) -> TableRef:
        if isinstance(table, TableRef):
            return table
        if not self.exists(table):
            raise no_table(table, self.names(), "memory")
        last = len(self._chains[table]) - 1
        return TableRef(table, f"memory:{table}", last if version is None else version)

    def _version(self, ref: TableRef) -> Version:
        chain = self._chains.get(ref.name)
        if chain is None:
            raise no_table(ref.name, self.names(), "memory")
        if not 0 <= ref.version < len(chain):
            raise no_version(ref, len(chain) - 1)
        return chain[ref.version]

    def _commit(self, name: str, version: Version, transaction: TransactionId | None) -> TableRef:
        self._chains.setdefault(name, []).append(version)
        if transaction:
            self._counts[name, transaction[0]] = transaction[1]
        return self._ref(name)

    def _arrow(self, data: Frame, name: str) -> pa.Table:
        if isinstance(data, pa.Table):
            return normalised(data, name)
        if self._session is None:
            raise no_session(name)
        return normalised(data.toArrow(), name)


def _frame(session: SparkSession, rows: pa.Table) -> DataFrame:
    # pyspark 4.3 drops the rows that come after an empty chunk.
    return session.createDataFrame(rows.combine_chunks())


def _came(before: pa.Table, after: pa.Table) -> pa.Table | None:
    """What was appended; None if rows were changed."""
    same = set(before.column_names) <= set(after.column_names) and before.num_rows <= after.num_rows
    kept = after.select(before.column_names).slice(0, before.num_rows) if same else None
    return after.slice(before.num_rows) if kept is not None and kept.equals(before) else None


def columns_of(rows: pa.Table, name: str) -> dict[str, str]:
    return column_names(parse_columns(arrow_schema(rows.schema), name))
