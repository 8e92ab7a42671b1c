"""Delta tables without a JVM jar: Spark or Arrow writes Parquet, delta-rs commits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparkml_track.errors import SparkmlError
from sparkml_track.refs import ModelRef, TableRef
from sparkml_track.tables._delta import log, outcomes
from sparkml_track.tables._delta.actions import Change, publish
from sparkml_track.tables._delta.changes import ChangedTables
from sparkml_track.tables._delta.features import refuse_write
from sparkml_track.tables._delta.governed import recorded
from sparkml_track.tables._delta.opened import info_of
from sparkml_track.tables._delta.staging import Shape, Staged, check_constraints, fit, refuse_taken_keys, stage
from sparkml_track.tables._delta.upkeep import KeptTables
from sparkml_track.tables._rows.arguments import check_mode, check_transaction, column_list
from sparkml_track.tables._rows.columns import comments_of, schema_json, with_comments
from sparkml_track.tables._rows.constraints import constraints_of
from sparkml_track.tables._rows.errors import already_there, dropped_meanwhile, other_partitions
from sparkml_track.tables._rows.expect import settle
from sparkml_track.tables._values import (
    BeforeCommit,
    Mode,
    TableExpectations,
    TableInfo,
    TransactionId,
)

if TYPE_CHECKING:
    from sparkml_track.tables._base import Frame


class DeltaTables(ChangedTables, KeptTables):
    """Delta tables in folders under one root that the driver and all Spark executors share.

    Args:
        root: the folder, made when the first table is written. A local or mounted path.
        spark: gives DataFrames from ``read`` and lets ``write`` take them; without it only Arrow goes in and out.
        lineage: whether writes to the tables of a home record from which versions they were made.
        who: for whom they are read and changed, whose grants count; this process by default.

    Raises:
        NotBuilt: a root that is a URL.
        TableError: a root whose path looks percent-encoded.
    """

    @recorded("WRITE")
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
        del made_from  # the governor has it
        check_transaction(transaction)
        check_mode(name, mode)
        partition_by, path = column_list(name, "partition_by", partition_by), self._writable(name)
        # Looked at before anything is computed, and again where another writer came first.
        seen = [log.open_log(path)]
        info = info_of(seen[0], self._ref(name, seen[0])) if seen[0] else None
        if seen[0] and info:
            if mode == "error":
                raise already_there(name)
            if log.has_transaction(seen[0], transaction):
                return info.ref
            refuse_write(seen[0], name, removes=mode == "overwrite")
        settled, shape = settle(expect, info), _shape(info, partition_by, wider=evolve and mode == "append")
        staged = stage(self._session, path, data, settled, shape)
        notes = _noted(staged, before_commit)
        wanted = _Wanted(mode, schema_json(staged.columns, settled.roles), shape.by, evolve, transaction, notes)

        def attempt() -> int:
            found = seen.pop() if seen else log.open_log(path)
            if found is None and info is not None:
                staged.discard()
                raise dropped_meanwhile(name)
            if found is None:
                return log.create(path, wanted.schema, staged.files, description, wanted.properties, shape.by)
            return self._next_version(found, staged, wanted)

        return TableRef(name, str(staged.path), outcomes.retried(f"writing table {name}", attempt))

    def _next_version(self, found: log.Log, staged: Staged, wanted: _Wanted) -> int:
        if log.has_transaction(found, wanted.transaction):
            staged.discard()
            return int(found.version())
        schema = self._checked(staged, found, wanted)
        if wanted.mode == "append" and schema != log.schema_of(found):
            metadata = log.metadata_with(found, schema)
            grown = Change("WRITE", {"mode": "Append"}, staged.files, (), True, metadata, wanted.transaction)
            return publish(found, staged.path, int(found.version()) + 1, replace(grown, notes=wanted.notes))
        return log.commit(found, staged.path, schema, staged.files, wanted.mode, wanted.properties)

    def _checked(self, staged: Staged, found: log.Log, wanted: _Wanted) -> str:
        """Check what is staged against the version that is there, and give the schema of the next."""
        try:
            if wanted.mode == "error":
                raise already_there(staged.name)
            refuse_write(found, staged.name, removes=wanted.mode == "overwrite")
            if list(wanted.by) != (by := log.partitions_of(found)):
                raise other_partitions(staged.name, wanted.by, by)
            check_constraints(self._session, staged, constraints_of(log.properties_of(found)))
            if wanted.mode == "overwrite":
                return with_comments(wanted.schema, comments_of(log.schema_of(found)))
            schema = fit(staged, found, evolve=wanted.evolve)
            refuse_taken_keys(self._session, staged, found)
        except SparkmlError:
            staged.discard()
            raise
        return schema


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a write was asked for, as each attempt looks at it."""

    mode: Mode
    schema: str
    by: tuple[str, ...]
    evolve: bool
    transaction: TransactionId | None
    notes: Mapping[str, str]

    @property
    def properties(self) -> log.Properties:
        """How delta-rs commits it."""
        return log.once(self.transaction, self.notes)


def _noted(staged: Staged, before_commit: BeforeCommit | None) -> Mapping[str, str]:
    """What to note with the version; what was staged goes where the caller wants no version."""
    try:
        return before_commit() if before_commit else {}
    except BaseException:
        staged.discard()
        raise


def _shape(info: TableInfo | None, by: Sequence[str], *, wider: bool) -> Shape:
    if info and by and tuple(by) != info.partition_by:
        raise other_partitions(info.ref.name, by, info.partition_by)
    return Shape(info.partition_by if info else tuple(by), dict(info.columns) if info and wider else None)
