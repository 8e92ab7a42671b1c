"""Everything that one thing was made from, or that was made from it, as recorded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sparkml_track.catalog.lineage.edges import Edge, Job, Kind, Node
from sparkml_track.catalog.names import full_name
from sparkml_track.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Direction", "Graph", "edges_in", "lineage_of", "node_named"]

Direction = Literal["up", "down", "both"]


@dataclass(frozen=True)
class Graph:
    """What hangs on one thing.

    Attributes:
        start: the thing.
        edges: all of them, in the order of time.
    """

    start: Node
    edges: tuple[Edge, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All things, the first one first."""
        ends = (node for edge in self.edges for node in (edge.source, edge.target))
        return tuple(dict.fromkeys([self.start, *ends]))

    def sources(self, node: Node) -> tuple[Edge, ...]:
        """From what a thing was made."""
        return tuple(edge for edge in self.edges if edge.target == node)

    def targets(self, node: Node) -> tuple[Edge, ...]:
        """What was made from a thing."""
        return tuple(edge for edge in self.edges if edge.source == node)


def edges_in(rows: pa.Table) -> tuple[Edge, ...]:
    """The rows of ``system.lineage``, oldest first."""
    return tuple(_edge(row) for row in sorted(rows.to_pylist(), key=lambda row: row["event_time"]))


def node_named(name: str, version: int | None, edges: Iterable[Edge], kind: Kind | None = None) -> Node:
    """The thing that a person means.

    Args:
        name: of a table in any form, a model, a sweep's id or a function's path.
        version: None for the latest that lineage knows.
        edges: all of them.
        kind: of the thing, where the name is that of several.

    Raises:
        InvalidInput: lineage knows no such thing or no such version, or several.
    """
    known = {node for edge in edges for node in (edge.source, edge.target) if kind in (None, node.kind)}
    forms = {name, full_name(name)} if name.count(".") < 3 else {name}
    found = sorted((node for node in known if node.name in forms), key=lambda node: node.version or 0)
    chosen = found if version is None else [node for node in found if node.version == version]
    if not chosen:
        raise InvalidInput(_unknown(name, version, found, known))
    if len(kinds := sorted({node.kind.lower() for node in chosen})) > 1:
        raise InvalidInput(
            f"{name} is a {' and a '.join(kinds)}; write models:/{name}/VERSION for the model, and the name in full "
            f"({full_name(name)}) for the table"
        )
    return chosen[-1]


def lineage_of(start: Node, edges: Iterable[Edge], direction: Direction) -> Graph:
    """All that can be reached from a thing.

    Args:
        start: the thing.
        edges: all of them.
        direction: "up" to what it was made from, "down" to what was made from it.
    """
    edges = tuple(edges)
    found = dict[Edge, None]()
    if direction in ("up", "both"):
        found |= _reached(start, edges, up=True)
    if direction in ("down", "both"):
        found |= _reached(start, edges, up=False)
    return Graph(start, tuple(sorted(found, key=lambda edge: edge.time)))


def _reached(start: Node, edges: tuple[Edge, ...], *, up: bool) -> dict[Edge, None]:
    by_end = dict[Node, list[Edge]]()
    for edge in edges:
        by_end.setdefault(edge.target if up else edge.source, []).append(edge)
    found, waiting, seen = dict[Edge, None](), [start], {start}
    while waiting:
        for edge in by_end.get(waiting.pop(), ()):
            found[edge] = None
            end = edge.source if up else edge.target
            if end not in seen:
                seen.add(end)
                waiting.append(end)
    return found


def _unknown(name: str, version: int | None, found: list[Node], known: Iterable[Node]) -> str:
    if found:
        versions = ", ".join(str(node.version) for node in found)
        return f"lineage knows no version {version} of {name}; it knows {versions}"
    names = sorted({node.name for node in known})
    near = [one for form in (full_name(name), name) for one in difflib.get_close_matches(form, names, n=1)]
    hint = f"Did you mean {near[0]}?" if near else f"It knows: {', '.join(names[:20]) or 'nothing yet'}"
    return f"lineage knows nothing of {name}. {hint}"


def _edge(row: Mapping[str, Any]) -> Edge:
    return Edge(
        Node(row["source_type"], row["source_full_name"], row["source_version"]),
        Node(row["target_type"], row["target_full_name"], row["target_version"]),
        Job(row["entity_type"], row["entity_id"], row["entity_run_id"], row["code"] or ""),
        row["event_time"],
    )
