"""Delta tables without a JVM jar: Spark or Arrow writes Parquet, delta-rs commits it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from sparkml_track.errors import NotBuilt, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables._base import Tables
from sparkml_track.tables._delta import files, log
from sparkml_track.tables._delta import spark as spark_files
from sparkml_track.tables._delta.actions import Change, publish
from sparkml_track.tables._delta.features import refuse_write
from sparkml_track.tables._delta.rewrite import changing, merging
from sparkml_track.tables._delta.rewrite.changing import RowChange
from sparkml_track.tables._delta.rewrite.landing import Plan, land
from sparkml_track.tables._delta.staging import Staged, fit, refuse_partitions, refuse_taken_keys, stage
from sparkml_track.tables._rows.arrow import arrow_schema, normalised
from sparkml_track.tables._rows.columns import column_names, parse_columns, parse_roles, schema_json
from sparkml_track.tables._rows.difference import check_keys, difference, filled, shared_columns
from sparkml_track.tables._rows.edits import check_changes, check_rows, check_source, deleted, merged, updated
from sparkml_track.tables._rows.errors import already_there, no_columns, no_session, no_table, no_version
from sparkml_track.tables._rows.expect import settle
from sparkml_track.tables._rows.moments import check_transaction, version_at
from sparkml_track.tables._values import (
    UPSERT,
    MergeRule,
    Mode,
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

_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")


class DeltaTables(Tables):
    """Delta tables in folders under one root that the driver and all Spark executors share.

    Args:
        root: the folder, made when the first table is written. A local or mounted path.
        spark: gives DataFrames from ``read`` and lets ``write`` take them; without it only Arrow goes in and out.

    Raises:
        NotBuilt: a root that is a URL.
        TableError: a root whose path looks percent-encoded.
    """

    durable: ClassVar[bool] = True

    def __init__(self, root: str | Path, spark: SparkSession | None = None) -> None:
        if "://" in str(root):
            raise NotBuilt(f"tables under {root}: object stores are not supported yet. Use a local or mounted path")
        if _ESCAPE.search(str(Path(root).absolute())):
            # delta-rs takes local paths for percent-encoded ones.
            raise TableError(f"tables cannot lie under {root}: a folder there has % and two digits in its name")
        self.spark = spark is not None
        self._session = spark
        self._root = Path(root).absolute()

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
            refuse_write(before, name, removes=mode == "overwrite")
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
        if not isinstance(data, pa.Table):
            return self._merge_frame(name, data, keys, rules, transaction)
        rows = normalised(data, check_name(name))
        types = column_names(parse_columns(arrow_schema(rows.schema), name))

        def change(found: log.Log, properties: log.Properties) -> None:
            info = _info(found, self._ref(name, found))
            check_source(info, types, keys, rules)
            check_rows(info, rows, keys, rules)
            if rows.num_rows or any(rule.when == "not_matched_by_source" for rule in rules):
                merged(found, rows, keys, rules, properties)

        return self._edited(name, f"merging into table {name}", change, transaction)

    def delete(self, name: str, where: str, *, transaction: TransactionId | None = None) -> TableRef:
        wanted = RowChange(self._path(name), where, None, check_transaction(transaction))
        return self._changed(name, wanted, lambda found, properties: deleted(found, where, properties))

    def update(
        self, name: str, where: str | None, changes: Mapping[str, str], *, transaction: TransactionId | None = None
    ) -> TableRef:
        wanted = RowChange(self._path(name), where, dict(changes), check_transaction(transaction))
        check_changes(self.describe(name), changes)
        return self._changed(name, wanted, lambda found, properties: updated(found, where, changes, properties))

    def restore(self, name: str, at: Moment, *, transaction: TransactionId | None = None) -> TableRef:
        check_transaction(transaction)

        def attempt() -> int:
            found, ref = self._open(name)
            if log.has_transaction(found, transaction):
                return ref.version
            refuse_write(found, name, removes=True)
            old, pinned = self._open(name, at)
            _present(old, pinned)
            return log.restore(found, name, pinned.version, transaction)

        return TableRef(name, str(self._path(name)), log.retried(f"restoring table {name}", attempt))

    def diff(self, name: str, before: Moment, after: Moment | None = None, *, keys: Sequence[str] = ()) -> pa.Table:
        (one, old), (two, new) = (self._open(name, moment) for moment in (before, after))
        infos = _info(one, old), _info(two, new)
        keys = tuple(keys or infos[1].roles)
        check_keys(name, keys, *infos)
        columns = shared_columns(name, infos[0].columns, infos[1].columns)
        paths = [set(_present(found, ref)) for found, ref in ((one, old), (two, new))]
        if self._session is None or log.partitions_of(one) or log.partitions_of(two):
            held = [normalised(log.to_arrow(found, name, None), name) for found in (one, two)]
            return difference(*filled(held, columns), keys, name)
        # A file that both versions have holds the same rows in both.
        only = [
            spark_files.read_files(self._session, sorted(paths[n] - paths[1 - n]), log.schema_of(found))
            for n, found in enumerate((one, two))
        ]
        return normalised(spark_files.difference(only[0], only[1], columns, keys, name), name)

    def files(self, table: TableRef | str) -> tuple[str, ...]:
        found, ref = self._open(table)
        refuse_partitions(found, ref.name)
        return tuple(sorted(map(str, _present(found, ref))))

    def pin(self, name: str, at: Moment | None = None) -> TableRef:
        return self._open(name, at)[1]

    def read(self, table: TableRef | str, at: Moment | None = None) -> DataFrame:
        found, ref = self._open(table, at)
        if self._session is None:
            raise no_session(ref.name)
        files, schema = _present(found, ref), log.schema_of(found)
        if log.partitions_of(found):
            return spark_files.read_partitions(self._session, log.partition_values(found, Path(ref.path)), schema)
        return spark_files.read_files(self._session, files, schema)

    def to_arrow(
        self, table: TableRef | str, columns: Sequence[str] | None = None, at: Moment | None = None
    ) -> pa.Table:
        found, ref = self._open(table, at)
        there = _info(found, ref).columns
        missing = [column for column in columns or () if column not in there]
        if missing:
            raise no_columns(ref, missing, there)
        _present(found, ref)
        return log.to_arrow(found, ref.name, columns)

    def describe(self, table: TableRef | str) -> TableInfo:
        return _info(*self._open(table))

    def exists(self, name: str) -> bool:
        return log.is_table(self._path(name))

    def names(self) -> tuple[str, ...]:
        folders = self._root.iterdir() if self._root.is_dir() else ()
        return tuple(sorted(folder.name for folder in folders if log.is_table(folder)))

    def history(self, name: str) -> tuple[TableVersion, ...]:
        return log.versions(self._open(name)[0])

    def vacuum(self, name: str, keep: timedelta = timedelta(days=7)) -> int:
        found, ref = self._open(name)
        deleted = log.vacuum(found, name, keep)
        path = Path(ref.path)
        with log.translated(f"sweeping table {name}"):
            named = {str(file.relative_to(path)) for file in log.files_of(found, path)} | log.ever_named(path)
            return deleted + files.sweep_leftovers(path, named, keep)

    def _checked(self, staged: Staged, found: log.Log, mode: Mode, asked: str) -> str:
        """Check what is staged against the version that is there, and give the schema of the next."""
        if mode == "error":
            raise already_there(staged.name)
        refuse_write(found, staged.name, removes=mode == "overwrite")
        if mode == "overwrite":
            return asked
        fit(staged, found)
        refuse_taken_keys(self._session, staged, found)
        return log.schema_of(found)

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
        wanted = merging.held(self._path(name), data, keys, rules, transaction)
        session = self._session

        def compute(found: log.Log) -> Plan | None:
            _refuse_change(found, name)
            check_source(_info(found, self._ref(name, found)), columns, keys, rules)
            return merging.compute(session, found, wanted)

        version = land(wanted.path, f"merging into table {name}", transaction, compute)
        return TableRef(name, str(wanted.path), version)

    def _changed(self, name: str, wanted: RowChange, change: Callable[[log.Log, log.Properties], None]) -> TableRef:
        if self._session is None:
            return self._edited(name, wanted.action, change, wanted.transaction)
        session = self._session
        self._open(name)

        def compute(found: log.Log) -> Plan | None:
            _refuse_change(found, name)
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

        def attempt() -> int:
            found, ref = self._open(name)
            if log.has_transaction(found, transaction):
                return ref.version
            _refuse_change(found, name)
            version = log.edit(found, action, change, transaction)
            if transaction and version == ref.version:  # nothing changed, and that is noted, too
                noted = Change("NOTE", transaction=transaction)
                return publish(found, Path(ref.path), version + 1, noted)
            return version

        return TableRef(name, str(self._path(name)), log.retried(action, attempt))

    def _ref(self, name: str, found: log.Log) -> TableRef:
        return TableRef(name, str(self._path(name)), int(found.version()))

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)

    def _open(self, table: TableRef | str, at: Moment | None = None) -> tuple[log.Log, TableRef]:
        if isinstance(table, TableRef):
            name, path, at = check_name(table.name), Path(table.path), table.version
        else:
            name, path = table, self._path(table)
        if isinstance(at, datetime):
            at = version_at(name, self.history(name), at)
        found = log.open_log(path, at)
        if found is None:
            raise no_table(name, self.names(), str(self._root))
        return found, TableRef(name, str(path), int(found.version()))


def _refuse_change(found: log.Log, name: str) -> None:
    refuse_partitions(found, name)
    refuse_write(found, name, removes=True)


def _info(found: log.Log, ref: TableRef) -> TableInfo:
    schema = log.schema_of(found)
    roles = parse_roles(schema)
    by_role = {role: column for column, role in roles.items() if role != "key"}
    return TableInfo(
        ref,
        column_names(parse_columns(schema, ref.name)),
        tuple(column for column, role in roles.items() if role == "key"),
        by_role.get("timestamp"),
        by_role.get("created"),
        log.description_of(found),
    )


def _present(found: log.Log, ref: TableRef) -> list[Path]:
    """The version's files, all of which are there."""
    paths = log.files_of(found, Path(ref.path))
    if not all(path.exists() for path in paths):
        raise no_version(ref)
    return paths
