"""The graph of lineage, drawn; each thing links to its page."""

from __future__ import annotations

from collections.abc import Hashable

from sparkml_track.dashboards.blocks import Markup, empty, note, section
from sparkml_track.dashboards.graphs.drawing import Box, drawn
from sparkml_track.dashboards.lineage.known import MOST, Found, title
from sparkml_track.dashboards.lineage.things import COLOURS, place_of
from sparkml_track.dashboards.page import Page
from sparkml_track.governance.edges import Node

__all__ = ["nothing_known", "picture"]


def picture(found: Found) -> Markup:
    """The graph, and what was left out of it."""
    nodes = dict.fromkeys([*found.starts, *found.graph.nodes])
    boxes: dict[Hashable, Box] = {node: _box(found, node) for node in nodes}
    edges = [(edge.source, edge.target) for edge in found.graph.edges]
    about = ", ".join(map(title, found.starts[:3])) + (" and more" if len(found.starts) > 3 else "")
    parts = [drawn(boxes, edges, f"Lineage of {about}")]
    if found.left:
        parts.append(
            note(
                f"{MOST} things are drawn, those nearest to {about}; at least {found.left:,} more were left out. "
                "Choose fewer steps, one direction, or one of the things drawn.",
                "warn",
            )
        )
    return section(f"Lineage of {about}", *parts, about=_said(found))


def nothing_known(page: Page) -> Markup:
    """What stands where nothing was recorded."""
    return empty(f"No lineage was recorded in {page.home.place} yet.", "sparkml-track run CONFIG")


def _said(found: Found) -> str:
    kinds = [node.kind for node in dict.fromkeys([*found.starts, *found.graph.nodes])]
    counts = [
        f"{kinds.count(kind)} {kind.lower()}{'s' * (kinds.count(kind) != 1)}" for kind in COLOURS if kind in kinds
    ]
    return f"{', '.join(counts)}. What was read stands left of what was made from it."


def _box(found: Found, node: Node) -> Box:
    makers = found.graph.sources(node)
    below = node.kind.lower() + (f" by {makers[-1].job.name}" if makers else "")
    when = f", {makers[-1].time:%Y-%m-%d %H:%M} UTC" if makers else ""
    colour = COLOURS.get(node.kind, "#8c8c8c")
    return Box(title(node), below, f"{node}{below.removeprefix(node.kind.lower())}{when}", place_of(node), colour,
               node in found.starts)  # fmt: skip
