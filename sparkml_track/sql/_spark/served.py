"""Views that all sessions of an application see, under the names of tables: JDBC's sessions and those of Spark Connect.

A view reads a hidden table over one version, whose folder holds links to the version's files. So names are real ones,
only files of the version are read, those of other partitions are left out, and what a client writes never reaches a
table. The change of a view is one step, and a query looks a name up once: it sees one version.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import QueryError
from sparkml_track.sql._base import SharedViews, View
from sparkml_track.sql._links import Linked, linked
from sparkml_track.sql._spark.views import quoted, schema_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["ServedViews", "served_name"]

_FILES = "sparkml_files"
# For so long a query may still read a version that its table has left.
_KEPT = 3600.0


class ServedViews(SharedViews):
    """The views of one server.

    Args:
        spark: a classic session, whose catalog is in memory.
        folder: for links; empty, and seen by all Spark executors.

    Raises:
        QueryError: Spark refused.
    """

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark = spark
        self._folder = folder
        self._made = 0
        self._of = dict[str, str]()
        self._left = deque[tuple[float, str]]()

    @override
    def put(self, view: View, comment: str = "") -> None:
        name, files = served_name(view.name), f"t{self._made:09d}"
        self._made += 1
        with translated(f"serving table {view.name}", QueryError):
            self._run(f"CREATE DATABASE IF NOT EXISTS {quoted(_FILES)}")
            self._run(f"CREATE DATABASE IF NOT EXISTS {quoted(name[0])}")
            columns = self._table(view, files)
            select = f"SELECT {columns} FROM {quoted(_FILES)}.{files}"  # noqa: S608
            self._lead(".".join(map(quoted, name)), select, comment)
        self._leave(view.name)
        self._of[view.name] = files
        self._forget(_KEPT)

    @override
    def drop(self, table: str) -> None:
        with translated(f"dropping table {table}", QueryError):
            self._run(f"DROP VIEW IF EXISTS {'.'.join(map(quoted, served_name(table)))}")
        self._leave(table)

    def _lead(self, target: str, select: str, comment: str) -> None:
        """Lets a name mean other rows. Spark replaces a view by dropping it first; what it alters is always there."""
        self._run(f"CREATE VIEW IF NOT EXISTS {target} AS {select}")  # a client may have dropped it
        self._run(f"ALTER VIEW {target} AS {select}")
        self._run(f"ALTER VIEW {target} SET TBLPROPERTIES ('comment' = {_text(comment)})")

    def _table(self, view: View, name: str) -> str:
        """Makes the hidden table; gives the columns of the view."""
        folder = self._folder / name
        found = linked(view, folder)
        fields = schema_of(view)
        kinds = {field.name: field.dataType.simpleString() for field in fields}
        given = dict.fromkeys(view.partition_by)
        declared = [f"{quoted(column)} {kind}" for column, kind in kinds.items() if column not in given]
        by = f" PARTITIONED BY ({found.part})" if view.partition_by else ""
        declared += [f"{found.part} INT"] if view.partition_by else []
        # Partitions are found in the folder, not listed in the catalog; a path is taken as it is.
        self._run("SET spark.sql.hive.manageFilesourcePartitions = false")
        self._run(
            f"CREATE TABLE {quoted(_FILES)}.{name} ({', '.join(declared)}) USING parquet "
            f"OPTIONS (`__globPaths__` 'false'){by} LOCATION {_text(f'file:{folder}')}"
        )
        return ", ".join(_value(found, c, kind) if c in given else quoted(c) for c, kind in kinds.items())

    def _leave(self, table: str) -> None:
        if (files := self._of.pop(table, None)) is not None:
            self._left.append((time.monotonic(), files))

    def _forget(self, after: float) -> None:
        while self._left and self._left[0][0] <= time.monotonic() - after:
            _, files = self._left.popleft()
            self._run(f"DROP TABLE IF EXISTS {quoted(_FILES)}.{files}")
            shutil.rmtree(self._folder / files, ignore_errors=True)

    def _run(self, statement: str) -> None:
        self._spark.sql(statement)


def served_name(table: str) -> tuple[str, str]:
    """Database and name of a table: ``main.air.t`` is ``air.t``, ``lab.air.t`` is ``lab__air.t``."""
    catalog, schema, name = table.split(".")
    return schema if catalog == "main" else f"{catalog}__{schema}", name


def _value(found: Linked, column: str, kind: str) -> str:
    return f"CAST(ARRAY({found.literals(column, _text)}) AS ARRAY<{kind}>)[{found.part}] AS {quoted(column)}"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
