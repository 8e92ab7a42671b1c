"""Rows of Delta tables that change: by Spark jobs where there is a session, by delta-rs in this process where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml_track.refs import TableRef
from sparkml_track.tables._delta import log, outcomes
from sparkml_track.tables._delta import spark as spark_files
from sparkml_track.tables._delta.actions import Change, publish
from sparkml_track.tables._delta.features import refuse_write
from sparkml_track.tables._delta.governed import recorded
from sparkml_track.tables._delta.opened import OpenedTables, info_of, present
from sparkml_track.tables._delta.rewrite import changing, merging
from sparkml_track.tables._delta.rewrite.changing import RowChange
from sparkml_track.tables._delta.rewrite.landing import Plan, land
from sparkml_track.tables._rows.arguments import check_transaction, check_where, column_list
from sparkml_track.tables._rows.arrow import arrow_schema, normalised
from sparkml_track.tables._rows.columns import column_names, parse_columns
from sparkml_track.tables._rows.edits import check_changes, check_rows, check_source, deleted, merged, updated
from sparkml_track.tables._rows.errors import no_session
from sparkml_track.tables._values import (
    UPSERT,
    MergeRule,
    Moment,
    TransactionId,
    check_name,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_track.tables._base import Frame


class ChangedTables(OpenedTables):
    """The changing part of ``DeltaTables``."""

    @recorded("MERGE")
    def merge(
        self,
        name: str,
        data: Frame,
        *,
        keys: Sequence[str],
        rules: Sequence[MergeRule] = UPSERT,
        transaction: TransactionId | None = None,
    ) -> TableRef:
        check_transaction(transaction)
        keys = column_list(name, "keys", keys)
        if not isinstance(data, pa.Table):
            return self._merge_frame(name, data, keys, rules, transaction)
        rows = normalised(data, check_name(name))
        types = column_names(parse_columns(arrow_schema(rows.schema), name))

        def change(found: log.Log, properties: log.Properties) -> None:
            info = info_of(found, self._ref(name, found))
            check_source(info, types, keys, rules)
            check_rows(info, rows, keys, rules)
            if rows.num_rows or any(rule.when == "not_matched_by_source" for rule in rules):
                merged(found, rows, keys, rules, properties)

        return self._edited(name, f"merging into table {name}", change, transaction)

    @recorded("DELETE")
    def delete(self, name: str, where: str, *, transaction: TransactionId | None = None) -> TableRef:
        check_where(name, where)
        wanted = RowChange(self._writable(name), where, None, check_transaction(transaction))
        return self._changed(name, wanted, lambda found, properties: deleted(found, where, properties))

    @recorded("UPDATE")
    def update(
        self, name: str, where: str | None, changes: Mapping[str, str], *, transaction: TransactionId | None = None
    ) -> TableRef:
        if where is not None:
            check_where(name, where)
        wanted = RowChange(self._writable(name), where, dict(changes), check_transaction(transaction))
        check_changes(self.describe(name), changes)
        return self._changed(name, wanted, lambda found, properties: updated(found, where, changes, properties))

    @recorded("RESTORE")
    def restore(self, name: str, at: Moment, *, transaction: TransactionId | None = None) -> TableRef:
        check_transaction(transaction)
        self._writable(name)

        def attempt() -> int:
            found, ref = self._open(name)
            if log.has_transaction(found, transaction):
                return ref.version
            refuse_write(found, name, removes=True)
            old, pinned = self._open(name, at)
            present(old, pinned)
            if pinned.version == ref.version:
                return _noted(found, ref, transaction)
            return log.restore(found, name, pinned.version, transaction)

        return TableRef(name, str(self._path(name)), outcomes.retried(f"restoring table {name}", attempt))

    def _merge_frame(
        self,
        name: str,
        data: DataFrame,
        keys: Sequence[str],
        rules: Sequence[MergeRule],
        transaction: TransactionId | None,
    ) -> TableRef:
        info, columns = self.describe(name), column_names(parse_columns(spark_files.frame_schema(data), name))
        if self._session is None:
            raise no_session(name)
        check_source(info, columns, keys, rules)
        wanted = merging.held(self._writable(name), data, keys, rules, transaction)
        session = self._session

        def compute(found: log.Log) -> Plan | None:
            refuse_write(found, name, removes=True)
            check_source(info_of(found, self._ref(name, found)), columns, keys, rules)
            return merging.compute(session, found, wanted)

        version = land(wanted.path, f"merging into table {name}", transaction, compute)
        return TableRef(name, str(wanted.path), version)

    def _changed(self, name: str, wanted: RowChange, change: Callable[[log.Log, log.Properties], None]) -> TableRef:
        if self._session is None:
            return self._edited(name, wanted.action, change, wanted.transaction)
        session = self._session
        self._open(name)

        def compute(found: log.Log) -> Plan | None:
            refuse_write(found, name, removes=True)
            return changing.compute(session, found, wanted)

        return TableRef(name, str(wanted.path), land(wanted.path, wanted.action, wanted.transaction, compute))

    def _edited(
        self,
        name: str,
        action: str,
        change: Callable[[log.Log, log.Properties], None],
        transaction: TransactionId | None,
    ) -> TableRef:
        """Let delta-rs change rows, in this process."""
        self._writable(name)

        def attempt() -> int:
            found, ref = self._open(name)
            if log.has_transaction(found, transaction):
                return ref.version
            refuse_write(found, name, removes=True)
            version = log.edit(found, action, change, transaction)
            return _noted(found, ref, transaction) if version == ref.version else version

        return TableRef(name, str(self._path(name)), outcomes.retried(action, attempt))


def _noted(found: log.Log, ref: TableRef, transaction: TransactionId | None) -> int:
    """Nothing changed: note the transaction, if there is one, so that it is not tried again."""
    if transaction is None:
        return ref.version
    return publish(found, found.location, ref.version + 1, Change("NOTE", transaction=transaction))
