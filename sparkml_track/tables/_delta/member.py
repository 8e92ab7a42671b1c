"""Delta tables without a JVM jar: Spark or Arrow writes Parquet, delta-rs commits it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from sparkml_track.errors import NotBuilt, SparkmlError, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables._base import Mode, TableExpectations, TableInfo, Tables, TableVersion, check_name
from sparkml_track.tables._delta import files, log
from sparkml_track.tables._delta import spark as spark_files
from sparkml_track.tables._rows.arrow import arrow_schema, first_duplicate, normalised, null_counts
from sparkml_track.tables._rows.columns import (
    DeltaType,
    column_names,
    parse_columns,
    parse_roles,
    required_columns,
    schema_json,
)
from sparkml_track.tables._rows.errors import already_there, no_columns, no_session, no_table, no_version
from sparkml_track.tables._rows.expect import (
    Written,
    check_append,
    check_columns,
    check_written,
    duplicate_error,
    settle,
    taken_error,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_track.tables._base import Frame

_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
# Keys of this many rows are compared in driver memory; more go through Spark where there is a session.
_ROWS_IN_MEMORY = 5_000_000


@dataclass(frozen=True, slots=True)
class _Staged:
    """Rows that lie in files of the table's folder, and in no version yet."""

    name: str
    path: Path
    columns: Mapping[str, DeltaType]
    files: tuple[files.StagedFile, ...]


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
    ) -> TableRef:
        info = self.describe(name) if self.exists(name) else None
        if info and mode == "error":
            raise already_there(name)
        settled = settle(expect, info)
        if info:
            # Before anything is computed, and again below: another writer may have changed what the table asks.
            log.refuse_write(self._open(name)[0], name, removes=mode == "overwrite")
        staged = self._stage(name, data, settled)

        def attempt() -> int:
            found = log.open_log(staged.path)
            if found is None:
                return log.create(staged.path, schema_json(staged.columns, settled.roles), staged.files, description)
            if mode == "error":
                raise already_there(name)
            log.refuse_write(found, name, removes=mode == "overwrite")
            if mode == "overwrite":
                return log.commit(found, staged.path, schema_json(staged.columns, settled.roles), staged.files, mode)
            _fit(staged, found)
            self._refuse_taken_keys(staged, found)
            return log.commit(found, staged.path, log.schema_of(found), staged.files, mode)

        return TableRef(name, str(staged.path), log.retried(f"writing table {name}", attempt))

    def merge(self, name: str, data: Frame, *, keys: Sequence[str]) -> TableRef:
        rows, keyed = self._arrow(data, check_name(name)), TableExpectations(keys=tuple(keys))
        types = column_names(parse_columns(arrow_schema(rows.schema), name))
        check_columns(name, types, keyed)
        check_written(name, Written(rows.num_rows, null_counts(rows)), keyed)
        if twice := first_duplicate(rows, keys):
            raise duplicate_error(name, keys, twice)

        def attempt() -> int:
            found, ref = self._open(name)
            _refuse_partitions(found, name)
            log.refuse_write(found, name, removes=True)
            check_append(name, types, _info(found, ref).columns)
            return log.merge(found, rows, keys)

        return TableRef(name, str(self._path(name)), log.retried(f"merging into table {name}", attempt))

    def read(self, table: TableRef | str, version: int | None = None) -> DataFrame:
        found, ref = self._open(table, version)
        if self._session is None:
            raise no_session(ref.name)
        files, schema = _present(found, ref), log.schema_of(found)
        if log.partitions_of(found):
            return spark_files.read_partitions(self._session, log.partition_values(found, Path(ref.path)), schema)
        return spark_files.read_files(self._session, files, schema)

    def to_arrow(self, table: TableRef | str, columns: Sequence[str] | None = None) -> pa.Table:
        found, ref = self._open(table)
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

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)

    def _open(self, table: TableRef | str, version: int | None = None) -> tuple[log.Log, TableRef]:
        if isinstance(table, TableRef):
            name, path, version = check_name(table.name), Path(table.path), table.version
        else:
            name, path = table, self._path(table)
        found = log.open_log(path, version)
        if found is None:
            raise no_table(name, self.names(), str(self._root))
        return found, TableRef(name, str(path), int(found.version()))

    def _stage(self, name: str, data: Frame, expect: TableExpectations) -> _Staged:
        path = self._path(name)
        folder = files.new_folder(path)
        if isinstance(data, pa.Table):
            rows = normalised(data, name)
            columns = parse_columns(arrow_schema(rows.schema), name)
            check_columns(name, column_names(columns), expect)
            with log.translated(f"writing table {name}"):
                files.stage_arrow(rows, folder)
        else:
            self._needs_session(name)
            columns = parse_columns(spark_files.frame_schema(data), name)
            check_columns(name, column_names(columns), expect)
            spark_files.stage_frame(data, folder)
        with log.translated(f"reading back what was written for table {name}"):
            staged = _Staged(name, path, columns, files.staged_files(folder))
        try:
            self._check(staged, expect)
        except SparkmlError:
            files.discard(folder)
            raise
        return staged

    def _check(self, staged: _Staged, expect: TableExpectations) -> None:
        check_written(staged.name, files.summed(staged.files, staged.path, expect.roles), expect)
        if expect.roles and (twice := self._repeated(staged, tuple(expect.roles))):
            raise duplicate_error(staged.name, expect.roles, twice)

    def _repeated(self, staged: _Staged, columns: tuple[str, ...]) -> dict[str, object] | None:
        paths = [staged.path / file.path for file in staged.files]
        if self._session is None or sum(file.rows for file in staged.files) <= _ROWS_IN_MEMORY:
            return first_duplicate(files.read_staged(paths, columns), columns)
        schema = schema_json(staged.columns, {})
        return spark_files.repeated_key(spark_files.read_files(self._session, paths, schema), columns)

    def _refuse_taken_keys(self, staged: _Staged, found: log.Log) -> None:
        """Keys are unique in the whole table, not only in what is appended."""
        roles = tuple(parse_roles(log.schema_of(found)))
        if not roles or not staged.files:
            return
        new, there = [staged.path / file.path for file in staged.files], log.files_of(found, staged.path)
        if self._session is None or log.rows_of(found) <= _ROWS_IN_MEMORY:
            before = normalised(log.to_arrow(found, staged.name, roles), staged.name)
            keys = pa.concat_tables(
                [before, files.read_staged(new, roles).select(before.column_names).cast(before.schema)]
            )
            twice = first_duplicate(keys, roles)
        else:
            schema = schema_json(staged.columns, {})
            twice = spark_files.repeated_key(spark_files.read_files(self._session, [*there, *new], schema), roles)
        if twice:
            files.discard(new[0].parent)
            raise taken_error(staged.name, roles, twice)

    def _arrow(self, data: Frame, name: str) -> pa.Table:
        if isinstance(data, pa.Table):
            return normalised(data, name)
        self._needs_session(name)
        return normalised(spark_files.collected(data), name)

    def _needs_session(self, name: str) -> None:
        if self._session is None:
            raise no_session(name)


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


def _fit(staged: _Staged, found: log.Log) -> None:
    """Refuse to append what does not fit the version that is there."""
    schema = log.schema_of(found)
    _refuse_partitions(found, staged.name)
    check_append(staged.name, column_names(staged.columns), column_names(parse_columns(schema, staged.name)))
    required = required_columns(schema)
    written = files.summed(staged.files, staged.path, required)
    check_written(staged.name, written, TableExpectations(), required)


def _refuse_partitions(found: log.Log, name: str) -> None:
    columns = log.partitions_of(found)
    if columns:
        raise TableError(
            f"table {name} is partitioned by {', '.join(columns)}: such tables are read here, not added to. "
            'Write it with mode="overwrite" under another name'
        )


def _present(found: log.Log, ref: TableRef) -> list[Path]:
    """The version's files, all of which are there."""
    paths = log.files_of(found, Path(ref.path))
    if not all(path.exists() for path in paths):
        raise no_version(ref)
    return paths
