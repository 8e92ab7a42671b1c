"""Rows that lie in files of a table's folder and in no version yet: how they get there, and what is checked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml_track.errors import SparkmlError, TableError
from sparkml_track.tables._delta import files, log
from sparkml_track.tables._delta import spark as spark_files
from sparkml_track.tables._rows.arrow import arrow_schema, first_duplicate, normalised
from sparkml_track.tables._rows.columns import (
    DeltaType,
    column_names,
    parse_columns,
    parse_roles,
    required_columns,
    schema_json,
)
from sparkml_track.tables._rows.constraints import broken, check_held
from sparkml_track.tables._rows.errors import no_session
from sparkml_track.tables._rows.expect import (
    check_append,
    check_columns,
    check_written,
    duplicate_error,
    taken_error,
)
from sparkml_track.tables._values import TableExpectations

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_track.tables._base import Frame

# Keys of this many rows are compared in driver memory; more go through Spark where there is a session.
_ROWS_IN_MEMORY = 5_000_000


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that lie in files of the table's folder, and in no version yet."""

    name: str
    path: Path
    columns: Mapping[str, DeltaType]
    files: tuple[files.StagedFile, ...]

    def discard(self) -> None:
        """Remove the files."""
        for folder in {(self.path / file.path).parent for file in self.files}:
            files.discard(folder)


def stage(spark: SparkSession | None, path: Path, data: Frame, expect: TableExpectations) -> Staged:
    """Write rows into a folder of their own under the table's, and check them.

    Raises:
        DataError: they are not as expected; their files are gone.
        TableError: they cannot be written.
    """
    name, folder = path.name, files.new_folder(path)
    if isinstance(data, pa.Table):
        rows = normalised(data, name)
        columns = parse_columns(arrow_schema(rows.schema), name)
        check_columns(name, column_names(columns), expect)
    else:
        if spark is None:
            raise no_session(name)
        columns = parse_columns(spark_files.frame_schema(data), name)
        check_columns(name, column_names(columns), expect)
    with _discarding(folder):
        if isinstance(data, pa.Table):
            with log.translated(f"writing table {name}"):
                files.stage_arrow(rows, folder)
        else:
            spark_files.stage_frame(data, folder)
        staged = _read_back(path, folder, columns)
        _check(spark, staged, expect)
    return staged


def staged_rows(path: Path, data: DataFrame, schema: str, rules: Mapping[str, str] | None = None) -> Staged:
    """Write rows that have a table's columns, and check what the table says of them: never null, and its constraints.

    Raises:
        DataError: some are; their files are gone.
        TableError: they cannot be written.
    """
    folder, required = files.new_folder(path), required_columns(schema)
    with _discarding(folder):
        spark_files.stage_frame(data, folder)
        staged = _read_back(path, folder, parse_columns(schema, path.name))
        check_written(path.name, files.summed(staged.files, path, required), TableExpectations(), required)
        check_constraints(data.sparkSession, staged, rules or {})
    return staged


def check_constraints(spark: SparkSession | None, staged: Staged, rules: Mapping[str, str]) -> None:
    """Refuse rows that break a constraint of the table.

    Raises:
        DataError: names it.
    """
    paths = [staged.path / file.path for file in staged.files]
    if not rules or not paths:
        return
    if spark is None:
        check_held(staged.name, files.read_staged(paths, tuple(staged.columns)), rules)
        return
    rows = spark_files.read_files(spark, paths, schema_json(staged.columns, {}))
    if found := spark_files.broken_rule(rows, rules):
        raise broken(staged.name, found[0], rules[found[0]], found[1])


def fit(staged: Staged, found: log.Log) -> None:
    """Refuse to append what does not fit the version that is there."""
    schema = log.schema_of(found)
    refuse_partitions(found, staged.name)
    check_append(staged.name, column_names(staged.columns), column_names(parse_columns(schema, staged.name)))
    required = required_columns(schema)
    written = files.summed(staged.files, staged.path, required)
    check_written(staged.name, written, TableExpectations(), required)


def refuse_taken_keys(spark: SparkSession | None, staged: Staged, found: log.Log) -> None:
    """Keys are unique in the whole table, not only in what is appended."""
    roles = tuple(parse_roles(log.schema_of(found)))
    if not roles or not staged.files:
        return
    new, there = [staged.path / file.path for file in staged.files], log.files_of(found, staged.path)
    if spark is None or log.rows_of(found) <= _ROWS_IN_MEMORY:
        before = normalised(log.to_arrow(found, staged.name, roles), staged.name)
        keys = pa.concat_tables([before, files.read_staged(new, roles).select(before.column_names).cast(before.schema)])
        twice = first_duplicate(keys, roles)
    else:
        schema = schema_json(staged.columns, {})
        twice = spark_files.repeated_key(spark_files.read_files(spark, [*there, *new], schema), roles)
    if twice:
        staged.discard()
        raise taken_error(staged.name, roles, twice)


def refuse_partitions(found: log.Log, name: str) -> None:
    """Refuse to add to a partitioned table."""
    columns = log.partitions_of(found)
    if columns:
        raise TableError(
            f"table {name} is partitioned by {', '.join(columns)}: such tables are read here, not added to. "
            'Write it with mode="overwrite" under another name'
        )


@contextmanager
def _discarding(folder: Path) -> Iterator[None]:
    """Remove what was staged if it is refused; a writer that is killed leaves it to ``vacuum``."""
    try:
        yield
    except SparkmlError:
        files.discard(folder)
        raise


def _read_back(path: Path, folder: Path, columns: Mapping[str, DeltaType]) -> Staged:
    with log.translated(f"reading back what was written for table {path.name}"):
        return Staged(path.name, path, columns, files.staged_files(folder))


def _check(spark: SparkSession | None, staged: Staged, expect: TableExpectations) -> None:
    check_written(staged.name, files.summed(staged.files, staged.path, expect.roles), expect)
    if expect.roles and (twice := _repeated(spark, staged, tuple(expect.roles))):
        raise duplicate_error(staged.name, expect.roles, twice)


def _repeated(spark: SparkSession | None, staged: Staged, columns: tuple[str, ...]) -> dict[str, object] | None:
    paths = [staged.path / file.path for file in staged.files]
    if spark is None or sum(file.rows for file in staged.files) <= _ROWS_IN_MEMORY:
        return first_duplicate(files.read_staged(paths, columns), columns)
    schema = schema_json(staged.columns, {})
    return spark_files.repeated_key(spark_files.read_files(spark, paths, schema), columns)
