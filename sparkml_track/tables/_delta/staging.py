"""Rows that lie in files of a table's folder and in no version yet: how they get there, and what is checked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from sparkml_track.errors import SparkmlError
from sparkml_track.tables._delta import files, log, outcomes
from sparkml_track.tables._delta import spark as spark_files
from sparkml_track.tables._delta.files import StagedFile
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._rows.arrow import arrow_schema, as_kinds, first_duplicate, normalised
from sparkml_track.tables._rows.columns import (
    DeltaType,
    column_names,
    parse_columns,
    parse_roles,
    required_columns,
    schema_json,
)
from sparkml_track.tables._rows.constraints import broken, check_held, constraints_of
from sparkml_track.tables._rows.errors import no_session
from sparkml_track.tables._rows.evolution import check_partitions, evolved, widened
from sparkml_track.tables._rows.expect import (
    check_append,
    check_columns,
    check_written,
    duplicate_error,
    taken_error,
)
from sparkml_track.tables._rows.feed import TYPE
from sparkml_track.tables._values import TableExpectations

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_track.tables._base import Frame

#: The folder of change files (Protocol, "Change Data Files").
CHANGES = "_change_data"
# Keys of this many rows are compared in driver memory; more go through Spark where there is a session.
_ROWS_IN_MEMORY = 5_000_000


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that lie in files of the table's folder, and in no version yet.

    Attributes:
        name: of the table.
        path: its folder.
        columns: of the rows.
        files: that hold them.
        feed: files that say what became of each row, where a table keeps that.
        images: how many rows those have; None where there is nothing to say.
    """

    name: str
    path: Location
    columns: Mapping[str, DeltaType]
    files: tuple[StagedFile, ...]
    feed: tuple[StagedFile, ...] = ()
    images: int | None = None

    def discard(self) -> None:
        """Remove the files."""
        for folder in {(self.path / file.path).parent for file in (*self.files, *self.feed)}:
            files.discard(folder)


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are to lie in the table.

    Attributes:
        by: partition columns.
        wider: what the table has, for rows that may be cast to it; None to take the rows as they are.
    """

    by: tuple[str, ...] = ()
    wider: Mapping[str, DeltaType] | None = None


def stage(spark: SparkSession | None, path: Location, data: Frame, expect: TableExpectations, shape: Shape) -> Staged:
    """Write rows into a folder of their own under the table's, and check them.

    Raises:
        DataError: they are not as expected; their files are gone.
        TableError: they cannot be written.
    """
    name, folder = path.name, files.new_folder(path)
    rows, columns = _shaped(spark, name, data, shape)
    check_columns(name, column_names(columns), expect)
    check_partitions(name, columns, shape.by)
    with _discarding(folder):
        if isinstance(rows, pa.Table):
            with outcomes.translated(f"writing table {name}", path):
                partitions = files.stage_arrow(rows, folder, shape.by)
            staged = _read_back(path, folder, columns, partitions)
        else:
            staged = _staged_frame(path, folder, rows, columns, shape.by)
        _check(spark, staged, expect)
    return staged


def staged_rows(
    path: Location, data: DataFrame, found: log.Log, *, checked: bool = True, images: DataFrame | None = None
) -> Staged:
    """Write rows that have a table's columns, and check what the table says of them: never null, and its constraints.

    Args:
        path: of the table.
        data: the rows.
        found: the version.
        checked: whether constraints are.
        images: what became of each row, for the change feed.

    Raises:
        DataError: some are; their files are gone.
        TableError: they cannot be written.
    """
    folder, schema = files.new_folder(path), log.schema_of(found)
    required = required_columns(schema)
    with _discarding(folder):
        columns = parse_columns(schema, path.name)
        staged = _staged_frame(path, folder, data, columns, log.partitions_of(found))
        check_written(path.name, files.summed(staged.files, path, required), TableExpectations(), required)
        if checked:
            check_constraints(data.sparkSession, staged, constraints_of(log.properties_of(found)))
        if images is None:
            return staged
        feed = _staged_feed(path, images, found)
        return replace(staged, feed=feed, images=sum(file.rows for file in feed))


def _staged_feed(path: Location, images: DataFrame, found: log.Log) -> tuple[StagedFile, ...]:
    home = path / CHANGES
    folder, columns = files.new_folder(home), {**parse_columns(log.schema_of(found), path.name), TYPE: "string"}
    with _discarding(folder):
        staged = _staged_frame(path, folder, images, columns, log.partitions_of(found))
    return tuple(replace(file, path=f"{home.name}/{file.path}") for file in staged.files)


def staged_arrow(path: Location, found: log.Log, write: Callable[[Location], files.Partitions]) -> Staged:
    """Let ``write`` put files with a table's columns into a folder of their own.

    Raises:
        TableError: they cannot be written; what there is of them is gone.
    """
    folder = files.new_folder(path)
    with _discarding(folder):
        with outcomes.translated(f"writing table {path.name}", path):
            partitions = write(folder)
        return _read_back(path, folder, parse_columns(log.schema_of(found), path.name), partitions)


def check_constraints(spark: SparkSession | None, staged: Staged, rules: Mapping[str, str]) -> None:
    """Refuse rows that break a constraint of the table.

    Raises:
        DataError: names it.
    """
    if not rules or not staged.files:
        return
    if spark is None:
        rows = files.read_staged(staged.path, staged.files, tuple(staged.columns), staged.columns)
        check_held(staged.name, rows, rules)
        return
    if found := spark_files.broken_rule(_frame(spark, staged), rules):
        raise broken(staged.name, found[0], rules[found[0]], found[1])


def fit(staged: Staged, found: log.Log, *, evolve: bool) -> str:
    """Refuse to append what does not fit the version that is there; give the schema with what is appended."""
    schema = log.schema_of(found)
    names = column_names(staged.columns)
    if evolve:
        schema = evolved(staged.name, schema, staged.columns, names)
    else:
        check_append(staged.name, names, column_names(parse_columns(schema, staged.name)))
    required = required_columns(schema)
    written = files.summed(staged.files, staged.path, required)
    check_written(staged.name, written, TableExpectations(), required)
    return schema


def refuse_taken_keys(spark: SparkSession | None, staged: Staged, found: log.Log) -> None:
    """Keys are unique in the whole table, not only in what is appended."""
    roles = tuple(parse_roles(log.schema_of(found)))
    if not roles or not staged.files:
        return
    if spark is None or log.rows_of(found) <= _ROWS_IN_MEMORY:
        before = normalised(log.to_arrow(found, staged.name, roles), staged.name)
        new = files.read_staged(staged.path, staged.files, before.column_names, staged.columns)
        twice = first_duplicate(pa.concat_tables([before, new.cast(before.schema)]), roles)
    else:
        there = log.partition_values(found, staged.path)
        both = spark_files.read_any(spark, there, log.schema_of(found)).select(*[f"`{role}`" for role in roles])
        both = both.unionAll(_frame(spark, staged).select(*[f"`{role}`" for role in roles]))
        twice = spark_files.repeated_key(both, roles)
    if twice:
        raise taken_error(staged.name, roles, twice)


def _shaped(spark: SparkSession | None, name: str, data: Frame, shape: Shape) -> tuple[Frame, dict[str, DeltaType]]:
    """Rows as they will be written, and their columns."""
    if isinstance(data, pa.Table):
        rows = normalised(data, name)
        columns = parse_columns(arrow_schema(rows.schema), name)
        wider = widened(columns, shape.wider or {})
        return as_kinds(rows, wider), columns | wider
    if spark is None:
        raise no_session(name)
    columns = parse_columns(spark_files.frame_schema(data), name)
    wider = widened(columns, shape.wider or {})
    return spark_files.cast_columns(data, wider), columns | wider


def _staged_frame(
    path: Location, folder: Location, rows: DataFrame, columns: Mapping[str, DeltaType], by: Sequence[str]
) -> Staged:
    if folder.path is None:
        written = spark_files.stage_by_tasks(rows, folder, by, path.name)
        found = [files.staged_file(folder, one.name, one.size, one.footer, one.partition) for one in written]
        return Staged(path.name, path, columns, tuple(file for file in found if file.rows))
    spark_files.stage_frame(rows, folder, by, path.name)
    with outcomes.translated(f"writing table {path.name}", folder):
        partitions = files.gather(folder.path) if by else {}
    return _read_back(path, folder, columns, partitions)


def _frame(spark: SparkSession, staged: Staged) -> DataFrame:
    """Staged files as a frame."""
    paths = {staged.path / file.path: file.partition for file in staged.files}
    return spark_files.read_any(spark, paths, schema_json(staged.columns, {}))


@contextmanager
def _discarding(folder: Location) -> Iterator[None]:
    """Remove what was staged if it is refused; a writer that is killed leaves it to ``vacuum``."""
    try:
        yield
    except SparkmlError:
        files.discard(folder)
        raise


def _read_back(
    path: Location, folder: Location, columns: Mapping[str, DeltaType], partitions: files.Partitions
) -> Staged:
    with outcomes.translated(f"reading back what was written for table {path.name}", path):
        return Staged(path.name, path, columns, files.staged_files(folder, partitions))


def _check(spark: SparkSession | None, staged: Staged, expect: TableExpectations) -> None:
    check_written(staged.name, files.summed(staged.files, staged.path, expect.roles), expect)
    if expect.roles and (twice := _repeated(spark, staged, tuple(expect.roles))):
        raise duplicate_error(staged.name, expect.roles, twice)


def _repeated(spark: SparkSession | None, staged: Staged, columns: tuple[str, ...]) -> dict[str, object] | None:
    if spark is None or sum(file.rows for file in staged.files) <= _ROWS_IN_MEMORY:
        return first_duplicate(files.read_staged(staged.path, staged.files, columns, staged.columns), columns)
    return spark_files.repeated_key(_frame(spark, staged), columns)
