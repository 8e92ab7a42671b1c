"""Which columns of which tables each column of an answer needs: what DuckDB's optimizer would read for it alone.

A plan for one column of the answer reads the columns that its values are computed from, and those that decide which
rows there are: of conditions, joins and groups. The optimizer drops no column that could matter, so none is missing;
some may be more than needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sparkml_track.sql._base import Mention, View
from sparkml_track.sql._duckdb.views import quoted

__all__ = ["make_empty", "needed", "types_of"]

#: These move or fold conditions, after which a scan no longer lists their columns.
_OFF = "filter_pushdown,filter_pullup,statistics_propagation,empty_result_pullup,join_filter_pushdown"


def types_of(connection: Any, view: str) -> dict[str, str]:
    """The columns of a view with DuckDB's types."""
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {quoted(view)}").fetchall()}


def make_empty(connection: Any, tables: Mapping[str, Mapping[str, str]]) -> None:
    """Tables without rows, and an optimizer that keeps their columns apart. Files are out of reach from then on."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET disabled_optimizers = '{_OFF}'")
    connection.execute("SET enable_external_access = false")
    for name, columns in tables.items():
        listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE TEMP TABLE {quoted(name)} ({listed})")


def needed(
    connection: Any,
    statement: str,
    params: Mapping[str, object],
    count: int,
    tables: Mapping[str, tuple[Mention, View]],
) -> Iterator[frozenset[tuple[Mention, str]]]:
    """For each column of the answer, in order, what it needs.

    Args:
        connection: with the tables.
        statement: over them.
        params: of it.
        count: of the answer's columns.
        tables: by their names there.
    """
    names = [f"c{number}" for number in range(count)]
    for name in names:
        text = f"EXPLAIN (FORMAT JSON) SELECT {name} FROM ({statement}) AS answer({', '.join(names)})"  # noqa: S608
        plan = json.loads(connection.execute(text, dict(params)).fetchall()[0][1])
        yield frozenset(_scanned(plan, tables))


def _scanned(nodes: list[dict[str, Any]], tables: Mapping[str, tuple[Mention, View]]) -> Iterator[tuple[Mention, str]]:
    for node in nodes:
        facts = node.get("extra_info") or {}
        found = tables.get(str(facts.get("Table", "")).rpartition(".")[2].strip('"'))
        if found is not None:
            listed = facts.get("Projections") or []
            for column in [listed] if isinstance(listed, str) else listed:
                # A field of a nested column is named with a dot.
                yield found[0], column if column in found[1].columns else column.partition(".")[0]
        yield from _scanned(node.get("children") or [], tables)
