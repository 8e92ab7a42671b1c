"""What is in the catalog: listed, searched, one table shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_track.errors import TableError
from sparkml_track.governance.names import find, full_name

if TYPE_CHECKING:
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["Listed", "listed", "searched", "shown"]


@dataclass(frozen=True)
class Listed:
    """A table as a list has it.

    Attributes:
        name: in full.
        info: None if it cannot be read.
        problem: why it cannot be read, empty if it can.
        where: what a search found in it.
    """

    name: str
    info: TableInfo | None
    problem: str = ""
    where: str = ""


def listed(tables: Tables, prefix: str = "") -> tuple[Listed, ...]:
    """All tables, by their names in full.

    Args:
        tables: of the catalog.
        prefix: of the names: a catalog, a schema (``main.air`` or ``air``), or nothing.
    """
    found = sorted((full_name(name), name) for name in tables.names())
    return tuple(_one(name, full, tables) for full, name in found if _below(full, prefix))


def searched(tables: Tables, word: str) -> Iterator[Listed]:
    """Tables with a word in their names, columns or descriptions, without regard to case."""
    wanted = word.casefold()
    for one in listed(tables):
        info = one.info
        columns = [column for column in (info.columns if info else ()) if wanted in column.casefold()]
        where = ["name"] if wanted in one.name.casefold() else []
        where += [f"column {column}" for column in columns]
        where += ["description"] if info and wanted in info.description.casefold() else []
        if where:
            yield Listed(one.name, info, one.problem, ", ".join(where))


def shown(tables: Tables, name: str) -> TableInfo:
    """One table, by any form of its name.

    Raises:
        InvalidInput: there is none.
        TableError: it cannot be read.
    """
    return tables.describe(find(name.split("."), tables.names()))


def _one(name: str, full: str, tables: Tables) -> Listed:
    try:
        return Listed(full, tables.describe(name))
    except TableError as error:
        return Listed(full, None, str(error))


def _below(full: str, prefix: str) -> bool:
    catalog, schema, _ = full.split(".")
    return prefix in ("", catalog, schema, f"{catalog}.{schema}")
