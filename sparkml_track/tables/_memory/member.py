"""The in-process twin: versions are Arrow tables held by this object."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml_track.refs import ModelRef, TableRef
from sparkml_track.tables._memory.held import HeldTables, Version, columns_of
from sparkml_track.tables._rows.arguments import check_mode, check_where, column_list
from sparkml_track.tables._rows.arrow import as_kinds, first_duplicate, normalised, null_counts
from sparkml_track.tables._rows.columns import schema_json
from sparkml_track.tables._rows.constraints import check_held
from sparkml_track.tables._rows.difference import filled, shared_columns
from sparkml_track.tables._rows.edits import check_changes, check_rows, check_source, deleted, edited, merged, updated
from sparkml_track.tables._rows.errors import (
    already_there,
    no_version,
    other_partitions,
)
from sparkml_track.tables._rows.evolution import check_partitions, evolved, widened
from sparkml_track.tables._rows.expect import (
    Written,
    check_append,
    check_columns,
    check_written,
    duplicate_error,
    settle,
    taken_error,
)
from sparkml_track.tables._rows.feed import is_fed
from sparkml_track.tables._values import (
    UPSERT,
    BeforeCommit,
    MergeRule,
    Mode,
    Moment,
    TableExpectations,
    TableInfo,
    TransactionId,
    check_name,
)

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from sparkml_track.tables._base import Frame


class MemoryTables(HeldTables):
    """Tables that live and die with this object.

    Args:
        spark: gives DataFrames from ``read`` and lets ``write`` take them; without it only Arrow goes in and out.
    """

    def write(  # noqa: PLR0913 - keywords, each with a default
        self,
        name: str,
        data: Frame,
        *,
        mode: Mode = "error",
        expect: TableExpectations | None = None,
        description: str = "",
        transaction: TransactionId | None = None,
        evolve: bool = False,
        partition_by: Sequence[str] = (),
        made_from: Sequence[ModelRef | TableRef] = (),
        before_commit: BeforeCommit | None = None,
    ) -> TableRef:
        del made_from  # nothing outlives the process
        check_mode(name, mode)
        partition_by = column_list(name, "partition_by", partition_by)
        rows = self._arrow(data, check_name(name))
        with self._lock:
            if self._done(name, transaction):
                return self._ref(name)
            info = self.describe(name) if self.exists(name) else None
            if info and mode == "error":
                raise already_there(name)
            settled = settle(expect, info)
            if info and evolve and mode == "append":
                rows = as_kinds(rows, widened(columns_of(rows, name), info.columns))
            _check(name, rows, settled)
            notes = before_commit() if before_commit else {}
            if info is None:
                check_partitions(name, columns_of(rows, name), partition_by)
                version = Version(rows, "WRITE", settled, description, partition_by=tuple(partition_by), notes=notes)
                return self._commit(name, version, transaction)
            if partition_by and tuple(partition_by) != info.partition_by:
                raise other_partitions(name, partition_by, info.partition_by)
            check_partitions(name, columns_of(rows, name), info.partition_by)
            check_held(name, rows, info.constraints)
            if mode == "append":
                rows, settled = self._appended(rows, info, evolve=evolve), settle(None, info)
            version = replace(self._next(name, rows, "WRITE"), expect=settled, notes=notes)
            return self._commit(name, version, transaction)

    def _appended(self, rows: pa.Table, info: TableInfo, *, evolve: bool) -> pa.Table:
        name, before, settled = info.ref.name, self.to_arrow(info.ref), settle(None, info)
        columns = columns_of(rows, name)
        if evolve:
            evolved(name, schema_json(info.columns, settled.roles), columns, columns)
            before, rows = filled([before, rows], shared_columns(name, columns, info.columns))
        else:
            check_append(name, columns, info.columns)
        _check(name, rows, settled)
        rows = pa.concat_tables([before, rows.select(before.column_names)])
        if twice := first_duplicate(rows, tuple(settled.roles)):
            raise taken_error(name, settled.roles, twice)
        return rows

    def merge(
        self,
        name: str,
        data: Frame,
        *,
        keys: Sequence[str],
        rules: Sequence[MergeRule] = UPSERT,
        transaction: TransactionId | None = None,
    ) -> TableRef:
        rows = self._arrow(data, check_name(name))
        info, keys = self.describe(name), column_list(name, "keys", keys)
        check_source(info, columns_of(rows, name), keys, rules)
        check_rows(info, rows, keys, rules)
        return self._edited(name, "MERGE", lambda table: merged(table, rows, keys, rules), transaction)

    def delete(self, name: str, where: str, *, transaction: TransactionId | None = None) -> TableRef:
        check_where(name, where)
        return self._edited(name, "DELETE", lambda table: deleted(table, where), transaction)

    def update(
        self, name: str, where: str | None, changes: Mapping[str, str], *, transaction: TransactionId | None = None
    ) -> TableRef:
        check_changes(self.describe(name), changes)
        if where is not None:
            check_where(name, where)
        return self._edited(name, "UPDATE", lambda table: updated(table, where, changes), transaction)

    def restore(self, name: str, at: Moment, *, transaction: TransactionId | None = None) -> TableRef:
        with self._lock:
            if self._done(name, transaction):
                return self._ref(name)
            ref = self.pin(name, at)
            if self._version(ref).rows is None:
                raise no_version(ref)
            if ref == self._ref(name) and transaction is None:
                return ref
            again = replace(self._version(ref), operation="RESTORE", time=time.time(), feed=None, notes={})
            return self._commit(name, again, transaction)

    def clone(self, name: str, target: str, at: Moment | None = None) -> TableRef:
        with self._lock:
            ref = self.pin(name, at)
            if self._version(ref).rows is None:
                raise no_version(ref)
            if self.exists(target):
                raise already_there(target)
            return self._commit(
                target, replace(self._version(ref), operation="CLONE", time=time.time(), feed=None, notes={}), None
            )

    def _edited(
        self,
        name: str,
        operation: str,
        edit: Callable[[DeltaTable], None],
        transaction: TransactionId | None,
    ) -> TableRef:
        action = {"MERGE": "merging into", "DELETE": "deleting from", "UPDATE": "updating"}[operation]
        with self._lock:
            info = self.describe(name)
            if self._done(name, transaction):
                return info.ref
            before = self.to_arrow(info.ref)
            done = edited(before, f"{action} table {name}", edit, feed=is_fed(info.properties))
            if done is None and transaction is None:
                return info.ref
            rows = before if done is None else normalised(done.rows, name).select(before.column_names)
            _check(name, rows, settle(None, info))
            check_held(name, rows, info.constraints)
            return self._commit(name, replace(self._next(name, rows, operation), feed=done and done.feed), transaction)


def _check(name: str, rows: pa.Table, expect: TableExpectations) -> None:
    check_columns(name, columns_of(rows, name), expect)
    check_written(name, Written(rows.num_rows, null_counts(rows)), expect)
    twice = first_duplicate(rows, tuple(expect.roles))
    if twice:
        raise duplicate_error(name, expect.roles, twice)
