"""What a change did to each row, for tables that keep a change feed.

Protocol, "Change Data Files": a commit that names change files is read by them alone, so they hold all that it did. One
that names none is read by the files that came and went, so where these go whole or only come nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkml_track.tables._rows.feed import TYPE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_IMAGE = "__sparkml_image"


def images(rows: DataFrame, before: Sequence[Column], after: Sequence[Column], updated: Column) -> DataFrame:
    """The rows of a table that a change takes: as they were, and those that stay also as they are then.

    Args:
        rows: that it takes, each once.
        before: the table's columns as they were, named.
        after: as they are then.
        updated: whether the row stays; else it goes.
    """
    from pyspark.sql import functions as f

    gone = f.when(updated, f.lit("update_preimage")).otherwise(f.lit("delete"))
    old, new = f.struct(*before, gone.alias(TYPE)), f.struct(*after, f.lit("update_postimage").alias(TYPE))
    both = f.when(updated, f.array(old, new)).otherwise(f.array(old))
    return rows.select(f.explode(both).alias(_IMAGE)).select(f"{_IMAGE}.*")


def inserted(rows: DataFrame) -> DataFrame:
    """Rows that come new."""
    from pyspark.sql import functions as f

    return rows.withColumn(TYPE, f.lit("insert"))
