"""Temporary views of a session of the query's own: other queries and the user's session see none of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sparkml_track.sql._base import View

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

__all__ = ["make_view"]

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
    schema = _schema(view)
    if not view.files:
        return session.createDataFrame([], schema)
    # Spark expands patterns, so brackets are quoted.
    paths = ["file:" + _GLOB.sub(r"\\\1", path) for path in view.files]
    return session.read.schema(schema).parquet(*paths)


def _schema(view: View) -> StructType:
    from pyspark.sql.types import StructType

    fields: list[dict[str, object]] = [
        {"name": column, "type": kind if _PLAIN.fullmatch(kind) else json.loads(kind), "nullable": True, "metadata": {}}
        for column, kind in view.columns.items()
    ]
    return StructType.fromJson({"type": "struct", "fields": fields})
