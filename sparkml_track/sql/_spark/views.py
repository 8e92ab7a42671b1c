"""Temporary views of a session of the query's own: other queries and the user's session see none of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sparkml_track.sql._base import View

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

__all__ = ["make_view", "quoted", "schema_of"]

_GLOB = re.compile(r"([\\*?\[\]{}])")
_PLAIN = re.compile(r"decimal\(\d+, ?\d+\)|[a-z_]+")


def make_view(session: SparkSession, name: str, view: View) -> None:
    """Makes a temporary view.

    Args:
        session: of the query.
        name: without a database.
        view: what it holds.
    """
    _frame(session, view).createOrReplaceTempView(name)


def _frame(session: SparkSession, view: View) -> DataFrame:
    if view.rows is not None:
        return session.createDataFrame(view.rows)
    schema = schema_of(view)
    if not view.files:
        return session.createDataFrame([], schema)
    if not view.partition_by:
        return _read(session, view.files, schema)
    groups: dict[tuple[object, ...], list[str]] = {}
    for path, values in zip(view.files, view.partitions, strict=True):
        groups.setdefault(values, []).append(path)
    given = (dict(zip(view.partition_by, values, strict=True)) for values in groups)
    return _union([_part(session, paths, schema, values) for paths, values in zip(groups.values(), given, strict=True)])


def _part(session: SparkSession, paths: Sequence[str], schema: StructType, given: Mapping[str, object]) -> DataFrame:
    """One partition. Its values are literals, so that Spark leaves it out by them before it opens a file."""
    from pyspark.sql import functions as f
    from pyspark.sql.types import StructType

    columns = [
        f.lit(given[field.name]).cast(field.dataType).alias(field.name)
        if field.name in given
        else f.col(quoted(field.name))
        for field in schema
    ]
    return _read(session, paths, StructType([field for field in schema if field.name not in given])).select(*columns)


def _union(parts: Sequence[DataFrame]) -> DataFrame:
    """By halves: in a row, each union would look at all before it."""
    half = len(parts) // 2
    return _union(parts[:half]).unionAll(_union(parts[half:])) if half else parts[0]


def _read(session: SparkSession, files: Sequence[str], schema: StructType) -> DataFrame:
    # Spark expands patterns, so brackets are quoted.
    return session.read.schema(schema).parquet(*("file:" + _GLOB.sub(r"\\\1", path) for path in files))


def quoted(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("`", "``") + "`"


def schema_of(view: View) -> StructType:
    """The columns of a view, each of which may be null."""
    from pyspark.sql.types import StructType

    fields: list[dict[str, object]] = [
        {"name": column, "type": kind if _PLAIN.fullmatch(kind) else json.loads(kind), "nullable": True, "metadata": {}}
        for column, kind in view.columns.items()
    ]
    return StructType.fromJson({"type": "struct", "fields": fields})
