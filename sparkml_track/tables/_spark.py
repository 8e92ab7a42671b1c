"""Spark's part of a Delta table: it writes and reads plain Parquet. The one module here that knows pyspark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import TableError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

_GLOB = re.compile(r"([\\*?\[\]{}])")
_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
# Hadoop's marker file would be clutter in a Delta table; version 2 commits each task's files once.
_COMMITTER = {
    "mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    "mapreduce.fileoutputcommitter.algorithm.version": "2",
}


@contextmanager
def spark_door(action: str) -> Iterator[None]:
    """Translate what Spark raises.

    Raises:
        TableError: with the first line of Spark's message.
    """
    with translated(action, TableError):
        yield


def stage_frame(data: DataFrame, folder: Path) -> None:
    """Compute ``data`` and write it into ``folder``.

    Delta's timestamps are microseconds: the session's ``spark.sql.parquet.outputTimestampType`` is set so, because
    Spark has no such option on a writer.
    """
    with spark_door(f"writing table {folder.parent.name}"):
        data.sparkSession.conf.set(_TIMESTAMPS, "TIMESTAMP_MICROS")
        data.write.options(**_COMMITTER).option("compression", "zstd").parquet(f"file:{folder}")


def frame_schema(data: DataFrame) -> str:
    """The schema's JSON, before anything is computed."""
    with spark_door("analysing the DataFrame"):
        return data.schema.json()


def collected(data: DataFrame) -> pa.Table:
    """Bring all rows to the driver."""
    with spark_door("collecting the DataFrame"):
        return data.toArrow()


def read_files(spark: SparkSession, files: Sequence[Path], schema: str, base: Path | None) -> DataFrame:
    """Read exactly these files.

    Args:
        spark: the session.
        files: absolute paths.
        schema: JSON of the Delta protocol.
        base: the table's folder if its files lie in partition folders.
    """
    from pyspark.sql.types import StructType

    with spark_door("reading a table"):
        fields = StructType.fromJson(json.loads(schema))
        if not files:
            return spark.createDataFrame([], fields)
        reader = spark.read.schema(fields)
        if base is not None:
            reader = reader.option("basePath", f"file:{base}")
        # Spark expands patterns in paths: a folder may have brackets in its name.
        return reader.parquet(*["file:" + _GLOB.sub(r"\\\1", str(path)) for path in files])


def repeated_key(data: DataFrame, columns: Sequence[str]) -> dict[str, object] | None:
    """Find one key that occurs twice, None if there is none."""
    with spark_door("checking keys"):
        counts = data.groupBy(*[f"`{column}`" for column in columns]).count()
        found = counts.where("count > 1").drop("count").limit(1).collect()
    return found[0].asDict() if found else None
