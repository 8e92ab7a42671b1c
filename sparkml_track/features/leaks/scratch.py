"""Tables that are there only while an audit lasts, where Spark can read them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from pyspark.sql import SparkSession

from sparkml_track.errors import DataError
from sparkml_track.tables import DeltaTables, MemoryTables, Tables

__all__ = ["scratch"]


@contextmanager
def scratch(tables: Tables, folder: str | Path | None) -> Iterator[Callable[[], Tables]]:
    """Give what makes empty tables; they are gone afterwards.

    Args:
        tables: beside which they lie, since Spark reads there already; in memory, where these are.
        folder: where they lie instead.

    Raises:
        DataError: the folder is there already, or the tables are in an object store and none was given.
    """
    session = SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
    if folder is None and tables.root is None:
        if getattr(tables, "durable", False):
            raise DataError("the tables are in an object store: give folder=, one that driver and executors share")
        yield lambda: MemoryTables(session)
        return
    root = Path(folder) if folder is not None else _beside(Path(str(tables.root)))
    if root.exists():
        raise DataError(f"{root} is there already; an audit deletes its folder afterwards: name one that is not there")
    numbers = count()
    try:
        yield lambda: DeltaTables(root / f"run{next(numbers)}", session, lineage=False)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _beside(tables: Path) -> Path:
    """A folder of this process, whose name no table can have; what killed ones of this host left is deleted."""
    host = socket.gethostname()
    left = re.compile(rf"\.audit-{re.escape(host)}-(\d+)-[0-9a-f]+")
    for one in tables.iterdir() if tables.is_dir() else ():
        if (found := left.fullmatch(one.name)) and not _lives(int(found[1])):
            shutil.rmtree(one, ignore_errors=True)
    return tables / f".audit-{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _lives(pid: int) -> bool:
    with suppress(PermissionError):  # it is somebody else's
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
