"""Filters of rows and masks of columns: set and lifted by whoever owns a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml_track.catalog.queries.restricted import check_expressions
from sparkml_track.catalog.stewards.granting import alone, principal, readable_by
from sparkml_track.catalog.stewards.tags import check_manages, table_owner
from sparkml_track.errors import InvalidInput
from sparkml_track.governance import grants
from sparkml_track.governance.audit import Deed, audited
from sparkml_track.governance.grants import Grants, Restriction
from sparkml_track.governance.names import find, full_name
from sparkml_track.sql import View, open_engine

if TYPE_CHECKING:
    from sparkml_track.home import Home
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["lift", "restrict"]


def restrict(home: Home, tables: Tables, wanted: Restriction) -> tuple[str, ...]:
    """Filters the rows of a table, or masks a column, for all who ask a server and are not exempt.

    Args:
        home: whose tables.
        tables: of the home.
        wanted: with any form of the names; takes the place of the one that is there.

    Returns:
        What a person should know, a sentence each.

    Raises:
        InvalidInput: no such table, column or principal, or an expression that cannot be computed.
        AccessDenied: this process's user does not own the table.
        SetupError: DuckDB is not installed.
        TableError: it cannot be kept.
    """
    info = _info(tables, wanted.table)
    made = replace(wanted, table=full_name(info.ref.name), exempt=tuple(map(principal, wanted.exempt)))
    request = {"column": made.column, "expression": made.expression, "exempt": ", ".join(made.exempt)}
    with audited(home.system, Deed("MASK" if made.column else "FILTER", made.table, request)), alone(home):
        check_manages(home, made.table, table_owner(info))
        before = grants.load(home)
        kept = [each for each in before.restrictions if each.key != made.key]
        own = [each for each in kept if each.table == made.table]
        empty = View(made.table, info.columns, rows=tables.head(info.ref, 1).slice(0, 0))
        check_expressions(open_engine("duckdb"), empty, [*own, made])
        grants.keep(home, replace(before, restrictions=(*kept, made)))
    whole = f"the files of {made.table} can be read by {readable_by(info.ref.path)}, who see them whole"
    return (f"it holds for those whom a server knows by name, as sparkml-track ui --auth; {whole}",)


def lift(home: Home, tables: Tables, table: str, column: str = "") -> None:
    """Takes a filter, or the mask of a column, away.

    Raises:
        InvalidInput: there is none.
        AccessDenied, TableError: as ``restrict``.
    """
    info = _info(tables, table)
    key = full_name(info.ref.name), column.lower()
    with audited(home.system, Deed("UNMASK" if column else "UNFILTER", key[0], {"column": column})), alone(home):
        check_manages(home, key[0], table_owner(info))
        before = grants.load(home)
        kept = tuple(each for each in before.restrictions if each.key != key)
        if len(kept) == len(before.restrictions):
            raise InvalidInput(_nothing(key, before))
        grants.keep(home, replace(before, restrictions=kept))


def _info(tables: Tables, table: str) -> TableInfo:
    return tables.describe(find(table.split("."), tables.names()))


def _nothing(key: tuple[str, str], before: Grants) -> str:
    there = [each.column or "the rows" for each in before.restrictions if each.table == key[0]]
    what = f"column {key[1]} of {key[0]} is not masked" if key[1] else f"the rows of {key[0]} are not filtered"
    return f"{what}; restricted there are: {', '.join(there) or 'none'}"
