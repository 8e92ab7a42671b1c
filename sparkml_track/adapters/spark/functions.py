"""The functions that make columns for a data frame: pyspark's own choose by the process, and it may have both kinds."""

from __future__ import annotations

from typing import Any

__all__ = ["functions_of"]


def functions_of(frame: object) -> Any:
    """``pyspark.sql.functions``, or that of Spark Connect for a data frame of it."""
    if type(frame).__module__.startswith("pyspark.sql.connect"):
        from pyspark.sql.connect import functions as remote

        return remote
    from pyspark.sql import functions

    return functions
