"""From which columns of which versions the columns of a version were made, where what made it can say so."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from sparkml_track.errors import TableError
from sparkml_track.governance import spool
from sparkml_track.governance.edges import Job
from sparkml_track.governance.names import full_name
from sparkml_track.governance.principals import user
from sparkml_track.governance.sources.made import Sources
from sparkml_track.governance.sources.plan import columns_of
from sparkml_track.refs import TableRef

__all__ = ["Columns", "Describing", "columns_written", "record_columns"]

_log = logging.getLogger("sparkml_track.catalog")
#: A column that was made to the columns it needs, each with the version of its table.
Columns: TypeAlias = Mapping[str, frozenset[tuple[TableRef, str]]]


class Described(Protocol):
    """What is known of a version."""

    @property
    def columns(self) -> Collection[str]:
        """The names of its columns."""
        ...


class Describing(Protocol):
    """Tables that say what columns a version has."""

    def describe(self, table: TableRef, /) -> Described:
        """What is known of a version."""
        ...


class Seen(Protocol):
    """What was read."""

    def among(self, files: Iterable[Path], /) -> tuple[TableRef, ...]:
        """The versions that have one of these files."""
        ...

    def below(self, folder: Path, /) -> bool:
        """Whether there are versions in folders below this one."""
        ...


def columns_written(
    made: TableRef,
    data: Any,
    mode: str | None,
    seen: Seen,
    tables: Describing,
) -> Columns | None:
    """Of what each column of a version is that was written from a data frame of Spark.

    Args:
        made: the version.
        data: the data frame; other data says nothing.
        mode: "overwrite", or one that keeps the rows that were there.
        seen: knows of which versions files are.
        tables: which know the columns of versions.

    Returns:
        None where that is unknown.
    """
    said = columns_of(data) if hasattr(data, "inputFiles") else None
    if said is None:
        return None
    try:
        columns = _named(said, seen, tables)
        if columns is None or mode == "overwrite" or not made.version:
            return columns
        before = replace(made, version=made.version - 1)
        kept = {name: frozenset([(before, name)]) for name in tables.describe(before).columns}
        names = tables.describe(made).columns
        return {name: columns.get(name, frozenset()) | kept.get(name, frozenset()) for name in names}
    except TableError:  # a version that is gone
        return None


def _named(said: Mapping[str, Sources], seen: Seen, tables: Describing) -> Columns | None:
    paths = {one.path for each in said.values() for one in each}
    refs = {path: seen.among([Path(path)]) for path in paths}
    folders = (Path(path) for path, found in refs.items() if not found)
    if any(folder.name == "_" and seen.below(folder.parent) for folder in folders):
        return None  # files of several tables, read at once: this is what their folders have in common
    there = {ref: frozenset(tables.describe(ref).columns) for found in refs.values() for ref in found}
    return {
        name: frozenset((ref, column) for path, column in each for ref in refs[path] if column in there[ref])
        for name, each in said.items()
    }


def record_columns(folder: Path, made: TableRef, job: Job, columns: Columns | None) -> None:
    """Writes what each column of a version needs; nothing where that is unknown.

    Args:
        folder: of rows on their way into system tables.
        made: the version.
        job: who made it.
        columns: all of them.
    """
    common = {"event_time": datetime.now(UTC), "entity_run_id": job.run, "created_by": user()}
    common |= {"target_full_name": full_name(made.name), "target_version": made.version}
    rows = list[dict[str, object]]()
    for name, sources in (columns or {}).items():
        target = common | {"target_column_name": name}
        rows += [
            target
            | {"source_full_name": full_name(ref.name), "source_version": ref.version, "source_column_name": column}
            for ref, column in sorted(sources, key=str)
        ] or [target]
    try:
        if rows:
            spool.append(folder, "column_lineage", rows)
    except TableError as error:
        _log.warning("the lineage of the columns of %s was not recorded: %s", made, error)
