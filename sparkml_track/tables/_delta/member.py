"""Delta tables without a JVM jar: Spark or Arrow writes Parquet, delta-rs commits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml_track.errors import SparkmlError
from sparkml_track.refs import TableRef
from sparkml_track.tables._delta import log
from sparkml_track.tables._delta.changes import ChangedTables
from sparkml_track.tables._delta.features import refuse_write
from sparkml_track.tables._delta.staging import Staged, check_constraints, fit, refuse_taken_keys, stage
from sparkml_track.tables._delta.upkeep import KeptTables
from sparkml_track.tables._rows.columns import comments_of, schema_json, with_comments
from sparkml_track.tables._rows.constraints import constraints_of
from sparkml_track.tables._rows.errors import already_there
from sparkml_track.tables._rows.expect import settle
from sparkml_track.tables._rows.moments import check_transaction
from sparkml_track.tables._values import (
    Mode,
    TableExpectations,
    TransactionId,
)

if TYPE_CHECKING:
    from sparkml_track.tables._base import Frame


class DeltaTables(ChangedTables, KeptTables):
    """Delta tables in folders under one root that the driver and all Spark executors share.

    Args:
        root: the folder, made when the first table is written. A local or mounted path.
        spark: gives DataFrames from ``read`` and lets ``write`` take them; without it only Arrow goes in and out.

    Raises:
        NotBuilt: a root that is a URL.
        TableError: a root whose path looks percent-encoded.
    """

    def write(
        self,
        name: str,
        data: Frame,
        *,
        mode: Mode = "error",
        expect: TableExpectations | None = None,
        description: str = "",
        transaction: TransactionId | None = None,
    ) -> TableRef:
        check_transaction(transaction)
        info = self.describe(name) if self.exists(name) else None
        if info and mode == "error":
            raise already_there(name)
        settled = settle(expect, info)
        if info:
            # Before anything is computed, and again below: another writer may have changed what the table asks.
            before = self._open(name)[0]
            if log.has_transaction(before, transaction):
                return info.ref
            refuse_write(before, name, removes=mode == "overwrite", feeds=True)
        staged = stage(self._session, self._path(name), data, settled)
        asked = schema_json(staged.columns, settled.roles)

        def attempt() -> int:
            found = log.open_log(staged.path)
            if found is None:
                return log.create(staged.path, asked, staged.files, description, transaction)
            if log.has_transaction(found, transaction):
                staged.discard()
                return int(found.version())
            schema = self._checked(staged, found, mode, asked)
            return log.commit(found, staged.path, schema, staged.files, mode, transaction)

        return TableRef(name, str(staged.path), log.retried(f"writing table {name}", attempt))

    def _checked(self, staged: Staged, found: log.Log, mode: Mode, asked: str) -> str:
        """Check what is staged against the version that is there, and give the schema of the next."""
        if mode == "error":
            raise already_there(staged.name)
        refuse_write(found, staged.name, removes=mode == "overwrite", feeds=True)
        try:
            check_constraints(self._session, staged, constraints_of(log.properties_of(found)))
        except SparkmlError:
            staged.discard()
            raise
        if mode == "overwrite":
            return with_comments(asked, comments_of(log.schema_of(found)))
        fit(staged, found)
        refuse_taken_keys(self._session, staged, found)
        return log.schema_of(found)
