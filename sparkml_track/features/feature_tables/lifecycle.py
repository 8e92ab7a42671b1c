"""Versions of feature tables that are read, and feature tables that are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sparkml_track.errors import DataError, TableError
from sparkml_track.refs import TableRef
from sparkml_track.tables import TableInfo, Tables

__all__ = ["DroppedTable", "check_roles", "drop", "feature_info", "pinned_at"]


@dataclass(frozen=True, slots=True)
class DroppedTable:
    """A feature table that was dropped, and what is kept of it.

    Attributes:
        ref: its last version.
        kept: the folder with all its versions; empty where they were in memory and are gone.
    """

    ref: TableRef
    kept: str

    def __str__(self) -> str:
        where = f"its versions lie in {self.kept}: move that folder back to have the table again, or delete it"
        versions = where if self.kept else "its versions were in memory and are gone"
        return (
            f"dropped {self.ref.name} at version {self.ref.version}; {versions}. Kept as they are: training sets and "
            "models made from it, what was published of it to online stores, its grants and its lineage"
        )


def check_roles(name: str, columns: Sequence[str], keys: Sequence[str], timestamp: str | None) -> None:
    """Refuse a feature table without its keys or its timestamp.

    Raises:
        DataError: names what is missing.
    """
    if not keys:
        raise DataError(
            f"feature table {name} needs primary keys, by which its rows are looked up: name a column or more"
        )
    roles = {**dict.fromkeys(keys, "primary key"), **({timestamp: "timestamp"} if timestamp else {})}
    missing = [f"no column {column!r}, its {role}" for column, role in roles.items() if column not in columns]
    if missing:
        raise DataError(f"the rows for feature table {name} have {', '.join(missing)}; they have {', '.join(columns)}")
    named = [*keys, *([timestamp] if timestamp else [])]
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise DataError(
            f"feature table {name} has {', '.join(map(repr, twice))} twice among its primary keys and its timestamp: "
            "name each column once; keys are unique together with the timestamp"
        )


def feature_info(tables: Tables, ref: TableRef) -> TableInfo:
    """Keys, timestamp and columns of a version.

    Raises:
        TableError: it has no primary keys.
    """
    info = tables.describe(ref)
    if not info.keys:
        raise TableError(f"{ref.name} is not a feature table: it has no primary keys. Make it with create_table")
    return info


def pinned_at(tables: Tables, name: str, version: int | None, timestamp: datetime | None) -> TableRef:
    """A version by its number, or the one that was the latest at a time.

    Raises:
        DataError: both were given.
        TableError: no such table or version, a time without a zone or before the first version.
    """
    if version is not None and timestamp is not None:
        raise DataError(
            f"{name} is read at version {version} or at the time {timestamp}, not at both: leave one of them out"
        )
    return tables.pin(name, version if timestamp is None else timestamp)


def drop(tables: Tables, name: str) -> DroppedTable:
    """Drop a feature table.

    Raises:
        TableError: there is no such table, or it is not a feature table; nothing was done.
    """
    info = feature_info(tables, tables.latest(name))
    return DroppedTable(info.ref, tables.drop(name))
