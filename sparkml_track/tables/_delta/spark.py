"""Spark's part of a Delta table: it writes and reads plain Parquet. The one module here that knows pyspark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.by_value import sent_by_value
from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import TableError
from sparkml_track.governance.sources.hidden_reads import reading
from sparkml_track.tables._delta import task_files
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._rows.arrow import arrow_of
from sparkml_track.tables._rows.difference import CHANGE
from sparkml_track.tables._rows.errors import repeated_keys

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

_GLOB = re.compile(r"([\\*?\[\]{}])")
_LISTING, _LISTED = "spark.sql.sources.parallelPartitionDiscovery.threshold", 500
_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
# Hadoop's marker file would be clutter in a Delta table; version 2 commits each task's files once.
_COMMITTER = {
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
}


@dataclass(frozen=True, slots=True)
class WrittenByTask:
    """A file that a task wrote.

    Attributes:
        name: in its folder.
        size: bytes.
        partition: values of the partition columns, as the log writes them.
        footer: a Parquet file of its footer alone.
    """

    name: str
    size: int
    partition: Mapping[str, str | None]
    footer: bytes


def stage_frame(data: DataFrame, folder: Location, by: Sequence[str], name: str) -> None:
    """Compute rows of the table ``name`` and write them into ``folder``, with ``by`` into folders of its values.

    Delta's timestamps are microseconds: the session's ``spark.sql.parquet.outputTimestampType`` is set so, because
    Spark has no such option on a writer.
    """
    with translated(f"writing table {name}", TableError):
        data.sparkSession.conf.set(_TIMESTAMPS, "TIMESTAMP_MICROS")
        rows = _without_empty_text(data, by) if by else data
        writer = rows.write.options(**_COMMITTER).option("compression", "zstd")
        (writer.partitionBy(*by) if by else writer).parquet(f"file:{folder.path}")


def stage_by_tasks(data: DataFrame, folder: Location, by: Sequence[str], name: str) -> list[WrittenByTask]:
    """Compute rows of the table ``name`` and let each task write its own into ``folder``, where Spark itself cannot.

    Returns:
        The files of the tasks that succeeded.
    """
    from pyspark.sql import functions as f

    action = f"writing table {name}"
    with _told(action, folder), translated(action, TableError), sent_by_value(task_files):
        rows = _without_empty_text(data, by).sortWithinPartitions(*[f.col(f"`{c}`") for c in by]) if by else data
        # mapInArrow takes a name with a dot in it for a field of a struct.
        plain = rows.toDF(*[f"c{number}" for number in range(len(rows.columns))])
        at = dict(folder.for_tasks or {}), str(folder).removeprefix("s3://")
        write = task_files.Writing(*at, tuple(rows.columns), tuple(by))
        found = plain.mapInArrow(write.__call__, task_files.WRITTEN).toArrow()
    return [
        WrittenByTask(row["name"], row["size"], json.loads(row["partition"]), row["footer"])
        for row in found.to_pylist()
    ]


@contextmanager
def _told(action: str, at: Location) -> Iterator[None]:
    """Say what a store said to a task."""
    try:
        yield
    except TableError as error:
        cause = error.__cause__
        if isinstance(cause, Exception) and (known := at.failure(cause)):
            raise type(known)(f"{action} failed: {known}") from None
        raise


def _without_empty_text(data: DataFrame, by: Sequence[str]) -> DataFrame:
    """Fail on empty text in a partition column: Spark and the log take it for null."""
    from pyspark.sql import functions as f

    for column in by:
        if data.schema[column].dataType.typeName() == "string":
            failure = f.raise_error(f.lit(f"empty text in the partition column {column}"))
            value = f.col(f"`{column}`")
            data = data.withColumn(column, f.when(value == "", failure).otherwise(value))
    return data


def cast_columns(data: DataFrame, kinds: Mapping[str, object]) -> DataFrame:
    """Cast columns to other simple types, named as Delta names them."""
    from pyspark.sql import functions as f

    with translated("analysing the DataFrame", TableError):
        for column, kind in kinds.items():
            data = data.withColumn(column, f.col(f"`{column}`").cast(str(kind)))
        return data


def frame_schema(data: DataFrame) -> str:
    """The schema's JSON, before anything is computed."""
    with translated("analysing the DataFrame", TableError):
        return data.schema.json()


def collected(data: DataFrame) -> pa.Table:
    """Bring all rows to the driver."""
    with translated("collecting the DataFrame", TableError):
        return data.toArrow()


def read_files(spark: SparkSession, files: Sequence[Location], schema: str, file: str = "") -> DataFrame:
    """Read exactly these files.

    Args:
        spark: the session.
        files: absolute paths.
        schema: JSON of the Delta protocol.
        file: the column that names the file of each row, empty for no such column.
    """
    from pyspark.sql.types import StructType

    with translated("reading a table", TableError):
        return _read(spark, files, StructType.fromJson(json.loads(schema)), file)


def read_any(spark: SparkSession, files: Mapping[Location, Mapping[str, object]], schema: str) -> DataFrame:
    """Read files, with the values of partition columns where there are some."""
    if any(files.values()):
        return read_partitions(spark, files, schema)
    return read_files(spark, list(files), schema)


def read_partitions(
    spark: SparkSession, files: Mapping[Location, Mapping[str, object]], schema: str, file: str = ""
) -> DataFrame:
    """Read files that lack the partition columns; those are given for each file.

    Args:
        spark: the session.
        files: absolute paths, with the values of the partition columns.
        schema: JSON of the Delta protocol.
        file: the column that names the file of each row, empty for no such column.
    """
    from pyspark.sql import functions as f
    from pyspark.sql.types import StructType

    groups: dict[tuple[tuple[str, object], ...], list[Location]] = {}
    for path, values in files.items():
        groups.setdefault(tuple(values.items()), []).append(path)
    with translated("reading a table", TableError):
        fields = StructType.fromJson(json.loads(schema))
        parts = []
        for values_of_group, paths in groups.items():
            given = dict(values_of_group)
            inside = StructType([field for field in fields if field.name not in given])
            columns = [
                f.lit(given[field.name]).cast(field.dataType).alias(field.name)
                if field.name in given
                else f.col(f"`{field.name}`")
                for field in fields
            ]
            named = [f.col(file)] if file else []
            parts.append(_read(spark, paths, inside, file).select(*columns, *named))
        return reduce(lambda one, other: one.unionAll(other), parts) if parts else _read(spark, (), fields)


def _read(spark: SparkSession, files: Sequence[Location], fields: StructType, file: str = "") -> DataFrame:
    from pyspark.sql import functions as f

    if not files:
        empty = spark.createDataFrame([], fields)
        return empty.withColumn(file, f.lit("")) if file else empty
    if files[0].for_tasks is not None:
        return _read_by_tasks(spark, files, fields, file)
    # Folders named key=value mean nothing: values come from the log. Spark expands patterns, so brackets are quoted.
    paths = ["file:" + _GLOB.sub(r"\\\1", str(each.path)) for each in files]
    with _listed_here(spark):
        found = spark.read.schema(fields).parquet(*paths)
    named = [f.col("_metadata.file_path").alias(file)] if file else []
    return found.select(*[f.col(f"`{field.name}`") for field in fields], *named) if file else found


@contextmanager
def _listed_here(spark: SparkSession) -> Iterator[None]:
    """Let the driver look at some hundred files itself; beyond 32 Spark starts a job with a task for each."""
    before = str(spark.conf.get(_LISTING))
    if int(before) >= _LISTED:
        yield
        return
    spark.conf.set(_LISTING, str(_LISTED))
    try:
        yield
    finally:
        spark.conf.set(_LISTING, before)


def _read_by_tasks(spark: SparkSession, files: Sequence[Location], fields: StructType, file: str) -> DataFrame:
    """Give the files out to tasks, which read them where Spark itself cannot."""
    from pyspark.sql.types import StringType, StructType

    wanted = StructType([*fields, *(StructType().add(file, StringType()) if file else ())])
    read = task_files.Reading(dict(files[0].for_tasks or {}), arrow_of(wanted.json()), file)
    run = reading(read.__call__, [str(each) for each in files])
    with sent_by_value(task_files):
        return spark.createDataFrame([(str(each),) for each in files], "path string").mapInArrow(run, wanted)


def repeated_key(data: DataFrame, columns: Sequence[str]) -> dict[str, object] | None:
    """Find one key that occurs twice, None if there is none."""
    with translated("checking keys", TableError):
        counts = data.groupBy(*[f"`{column}`" for column in columns]).count()
        found = counts.where("count > 1").drop("count").limit(1).collect()
    return found[0].asDict() if found else None


def difference(before: DataFrame, after: DataFrame, columns: Sequence[str], keys: Sequence[str], name: str) -> pa.Table:
    """Compare rows by keys, as ``_rows.difference`` does in memory; only what differs comes to the driver.

    Raises:
        TableError: keys repeat.
    """
    from pyspark.sql import functions as f

    for rows in (before, after):
        if twice := repeated_key(rows, keys):
            raise repeated_keys(name, keys, twice)
    with translated(f"comparing versions of table {name}", TableError):
        types = {field.name: field.dataType for rows in (before, after) for field in rows.schema}
        old, new = (
            rows.select(
                *[f.col(f"`{key}`").alias(f"key{number}") for number, key in enumerate(keys)],
                f.struct(
                    *[
                        (f.col(f"`{column}`") if column in rows.columns else f.lit(None).cast(types[column])).alias(
                            column
                        )
                        for column in columns
                    ]
                ).alias(side),
            )
            for rows, side in ((before, "old"), (after, "new"))
        )
        both = old.join(new, [f"key{number}" for number in range(len(keys))], "full_outer")
        # Maps cannot be compared, their text can.
        differing = (
            both.where("not (old <=> new)")
            if not _has_map(types.values())
            else both.where("not (to_json(old) <=> to_json(new))")
        )
        marked = differing.selectExpr(
            """explode(case when old is null then array(named_struct('change', 'added', 'row', new))
                            when new is null then array(named_struct('change', 'removed', 'row', old))
                            else array(named_struct('change', 'changed_from', 'row', old),
                                       named_struct('change', 'changed_to', 'row', new)) end) as found"""
        )
        return marked.select(f.col("found.change").alias(CHANGE), "found.row.*").toArrow()


def _has_map(types: Iterable[DataType]) -> bool:
    return any('"map"' in kind.json() for kind in types)


def broken_rule(data: DataFrame, rules: Mapping[str, str]) -> tuple[str, int] | None:
    """Find the first rule that is not true for some rows, and for how many; None if all hold."""
    from pyspark.sql import functions as f

    with translated("checking constraints", TableError):
        counts = [
            f.count(f.when(~f.coalesce(f.expr(rule), f.lit(False)), 1)).alias(f"rule{number}")
            for number, rule in enumerate(rules.values())
        ]
        found = data.select(*counts).collect()[0]
    return next(((key, found[number]) for number, key in enumerate(rules) if found[number]), None)
