"""Files as frames: each row with the name of the file it lies in, so that only files that hold such rows change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sparkml_track.address import is_address
from sparkml_track.tables._delta.actions import Entry
from sparkml_track.tables._delta.spark import read_files, read_partitions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: The column that names the file.
FILE = "__sparkml_file"


def with_files(spark: SparkSession, found: Sequence[Entry], schema: str) -> DataFrame:
    """Read files; each row carries the name of its own in ``FILE``."""
    if not found:
        return read_files(spark, (), schema, file=FILE)
    groups: dict[tuple[tuple[str, object], ...], list[Entry]] = {}
    for entry in found:
        groups.setdefault(tuple(entry.partition.items()), []).append(entry)
    return reduce(lambda one, other: one.unionAll(other), (_group(spark, group, schema) for group in groups.values()))


def rows_of(spark: SparkSession, found: Sequence[Entry], schema: str) -> DataFrame:
    """Read files without the names."""
    return with_files(spark, found, schema).drop(FILE)


def by_name(found: Sequence[Entry]) -> dict[str, Entry]:
    """Find entries by what ``FILE`` holds once ``path_of`` has read it."""
    return {str(entry.path): entry for entry in found}


def path_of(name: str) -> str:
    """The path in what Spark says of a file: a URL, quoted once; tasks that read objects give the address."""
    if is_address(name):
        return name
    return unquote(urlsplit(name).path) if "://" in name or name.startswith("file:") else name


def _group(spark: SparkSession, group: Sequence[Entry], schema: str) -> DataFrame:
    given = group[0].partition
    paths = [entry.path for entry in group]
    if given:
        return read_partitions(spark, dict.fromkeys(paths, given), schema, file=FILE)
    return read_files(spark, paths, schema, file=FILE)
