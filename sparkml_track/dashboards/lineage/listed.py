"""Lineage as lists, for keyboards and screen readers: nearest first, with who made it and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sparkml_track.dashboards.blocks import Markup, link, note, section, table
from sparkml_track.dashboards.lineage.known import Found, things, title
from sparkml_track.dashboards.lineage.things import experiments, lineage_of, made_by, place_of
from sparkml_track.dashboards.page import Page
from sparkml_track.governance.edges import Edge, Kind, Node

__all__ = ["all_things", "lists"]

_HEAD = ("steps", "what", "", "by", "when (UTC)")
_MOST = 300


def lists(page: Page, found: Found) -> Markup:
    """What the things asked for were made from, and what they led to."""
    graph = found.graph
    runs = experiments(page.home, (edge.job.run for edge in graph.edges))
    up = _rows(page, runs, _walk(found.starts, graph.sources, lambda edge: edge.source))
    down = _rows(page, runs, _walk(found.starts, graph.targets, lambda edge: edge.target))
    return Markup().join([_list("Made from", up), _list("Led to", down)])


def all_things(page: Page) -> Markup:
    """Everything that has lineage, with its versions: where to begin."""
    found = things(page)
    rows = list[Sequence[object]]()
    for (kind, name), versions in list(found.items())[:_MOST]:
        node = Node(_kind(kind), name, versions[-1] if versions else None)
        rows.append((kind.lower(), lineage_of(page, node, title(node)), len(versions) or ""))
    rest = f" {len(found) - _MOST:,} more are not listed; the choice above has them." if len(found) > _MOST else ""
    return section(
        "What has lineage", table(("kind", "name", "versions"), rows), about=f"The latest version each.{rest}"
    )


def _list(name: str, rows: list[Sequence[object]]) -> Markup:
    made = table(_HEAD, rows, texts=(3,)) if rows else note("Nothing that was recorded.")
    return section(name, made)


def _walk(
    starts: Sequence[Node], edges_of: Callable[[Node], Sequence[Edge]], end_of: Callable[[Edge], Node]
) -> Iterator[tuple[int, Node, Edge]]:
    """Each thing once, by the fewest steps; of several edges to it the last."""
    seen, frontier, steps = set(starts), list(starts), 0
    while frontier:
        steps += 1
        beyond = {end_of(edge): edge for node in frontier for edge in edges_of(node) if end_of(edge) not in seen}
        yield from ((steps, node, edge) for node, edge in beyond.items())
        seen |= beyond.keys()
        frontier = list(beyond)


def _rows(page: Page, runs: Mapping[str, str], found: Iterator[tuple[int, Node, Edge]]) -> list[Sequence[object]]:
    return [
        (
            steps,
            link(f"{node.kind.lower()} {title(node)}", place_of(node)),
            lineage_of(page, node),
            made_by(page, edge, runs),
            f"{edge.time:%Y-%m-%d %H:%M}",
        )
        for steps, node, edge in found
    ]


def _kind(text: str) -> Kind:
    kinds: dict[str, Kind] = {"TABLE": "TABLE", "MODEL": "MODEL", "SWEEP": "SWEEP", "SOURCE": "SOURCE"}
    return kinds.get(text, "SOURCE")
