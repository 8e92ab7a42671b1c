"""From which columns a column was made, or by which its rows were chosen, where the engine that made it could say."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.edges import Node

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_track.catalog.lineage.graph import Recorded

__all__ = ["column_tree"]

_Place: TypeAlias = tuple[str, int, str]


def column_tree(rows: pa.Table, recorded: Recorded, start: Node, column: str) -> str:
    """What a column was made from, as a tree; "unknown" where what made a table could not say.

    Args:
        rows: of ``system.column_lineage``.
        recorded: all of lineage.
        start: the version of a table.
        column: of it.

    Raises:
        InvalidInput: the columns of this version are known, and this is none of them.
    """
    known = dict[_Place, dict[_Place, None]]()
    for row in rows.to_pylist():
        target = (row["target_full_name"], row["target_version"], row["target_column_name"])
        sources = known.setdefault(target, {})
        if row["source_full_name"] is not None:
            sources[row["source_full_name"], row["source_version"], row["source_column_name"]] = None
    there = [place[2] for place in known if place[:2] == (start.name, start.version)]
    if there and column not in there:
        near = difflib.get_close_matches(column, there, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"It has {', '.join(there)}"
        raise InvalidInput(f"{start} has no column {column!r}. {hint}")
    place = (start.name, start.version or 0, column)
    lines = [f"column {column} of {start}", "made from, or chosen by:"]
    return "\n".join([*lines, *_below(place, known, recorded, 1, {place})])


def _below(
    place: _Place, known: Mapping[_Place, Mapping[_Place, None]], recorded: Recorded, depth: int, shown: set[_Place]
) -> Iterator[str]:
    indent = "  " * depth
    sources = known.get(place)
    if sources is None:
        if recorded.around(Node("TABLE", place[0], place[1]), "up").edges:
            yield f"{indent}unknown: what made the table does not say it of columns"
        elif depth == 1:
            yield f"{indent}nothing that was recorded"
        return
    if not sources:
        yield f"{indent}no column"
    for source in sources:
        again = source in shown
        yield f"{indent}column {source[2]} of table {source[0]}@{source[1]}" + (" (above)" if again else "")
        if not again:
            shown.add(source)
            yield from _below(source, known, recorded, depth + 1, shown)
