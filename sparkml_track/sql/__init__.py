"""SQL engines: one SELECT over pinned table versions, the answer as an Arrow table.

_base      the contract
_duckdb    in this process, without a JVM
_spark     on a Spark session
_links     files of partitions, linked under names that say of which they are
_answers   answers in the form that all engines give
_running   a query in a thread that can be interrupted
_params    parameters: their values and types
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkml_track.errors import InvalidInput
from sparkml_track.sql._base import ENGINES, Answer, Engine, Mention, Parsed, Query, SharedViews, View
from sparkml_track.sql._params import PARAMETER_TYPES, check_parameters, parameter_value

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

__all__ = [
    "ENGINES",
    "PARAMETER_TYPES",
    "Answer",
    "Engine",
    "Mention",
    "Parsed",
    "Query",
    "SharedViews",
    "View",
    "check_parameters",
    "open_engine",
    "parameter_value",
    "serve_views",
]


def open_engine(name: str = "duckdb", spark: SparkSession | None = None) -> Engine:
    """Opens an engine.

    Args:
        name: "duckdb" or "spark".
        spark: the session of the engine "spark", which does not stop it.

    Raises:
        InvalidInput: there is no engine of this name, or "spark" without a classic session.
        SetupError: the engine is not installed.
    """
    if name == "duckdb":
        from sparkml_track.sql._duckdb.engine import DuckdbEngine

        return DuckdbEngine()
    if name == "spark":
        from sparkml_track.sql._spark.engine import SparkEngine

        return SparkEngine(spark)
    raise InvalidInput(f"there is no SQL engine {name!r}; the engines are: {', '.join(ENGINES)}")


def serve_views(spark: SparkSession, folder: Path) -> SharedViews:
    """Views that all sessions of an application see.

    Args:
        spark: a classic session.
        folder: for links; empty, and seen by all Spark executors.
    """
    from sparkml_track.sql._spark.served import ServedViews

    return ServedViews(spark, folder)
