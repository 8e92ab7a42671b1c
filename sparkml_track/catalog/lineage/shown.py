"""A graph of lineage as text, DOT or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sparkml_track.catalog.lineage.graph import Direction, Graph
from sparkml_track.governance.edges import Edge, Node

__all__ = ["as_dot", "as_json", "as_text"]


def as_text(graph: Graph, direction: Direction) -> str:
    """A tree for each direction; what was shown once is not unfolded again."""
    lines = [str(graph.start)]
    if direction in ("up", "both"):
        lines += ["made from:", *_tree(graph, graph.start, 1, set(), up=True)]
    if direction in ("down", "both"):
        lines += ["led to:", *_tree(graph, graph.start, 1, set(), up=False)]
    return "\n".join(lines)


def _tree(graph: Graph, node: Node, depth: int, shown: set[Node], *, up: bool) -> Iterator[str]:
    edges = graph.sources(node) if up else graph.targets(node)
    if not edges and depth == 1:
        yield "  nothing that was recorded"
    # The last edge between two things is the one that holds.
    last = {(edge.source if up else edge.target): edge for edge in edges}
    for end, edge in sorted(last.items(), key=lambda each: str(each[0])):
        again = " (above)" if end in shown and (graph.sources(end) if up else graph.targets(end)) else ""
        yield f"{'  ' * depth}{end}  by {_who(edge)}{again}"
        if end not in shown:
            shown.add(end)
            yield from _tree(graph, end, depth + 1, shown, up=up)


def _who(edge: Edge) -> str:
    return f"{edge.job.kind.lower().replace('_', ' ')} {edge.job.name}, {edge.time:%Y-%m-%d %H:%M}"


def as_json(graph: Graph) -> str:
    """Nodes and edges."""
    numbers = {node: number for number, node in enumerate(graph.nodes)}
    nodes = [{"type": node.kind, "name": node.name, "version": node.version} for node in numbers]
    edges = [
        {
            "source": numbers[edge.source],
            "target": numbers[edge.target],
            "job": {"type": edge.job.kind, "name": edge.job.name, "run": edge.job.run, "code": edge.job.code},
            "time": edge.time.isoformat(),
        }
        for edge in graph.edges
    ]
    return json.dumps({"start": 0, "nodes": nodes, "edges": edges}, indent=1)


def as_dot(graph: Graph) -> str:
    """For Graphviz."""
    shapes = {"TABLE": "box", "MODEL": "ellipse", "SWEEP": "hexagon", "SOURCE": "note", "ENDPOINT": "component"}
    lines = ["digraph lineage {", "  rankdir=LR;"]
    lines += [f"  {_quoted(str(node))} [shape={shapes.get(node.kind, 'box')}];" for node in graph.nodes]
    pairs = dict.fromkeys((edge.source, edge.target, edge.job.name) for edge in graph.edges)
    lines += [
        f"  {_quoted(str(source))} -> {_quoted(str(target))} [label={_quoted(job)}];" for source, target, job in pairs
    ]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
