"""Everything that one thing was made from, or that was made from it, as recorded.

Things are numbers while the graph is walked, so that of many edges only those become objects that are shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.edges import Edge, Job, Kind, Node
from sparkml_track.governance.names import full_name

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Direction", "Graph", "Recorded", "edges_in"]

Direction = Literal["up", "down", "both"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS = ("type", "full_name", "version")
_JOB = ("entity_type", "entity_id", "entity_run_id", "code")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Graph:
    """What hangs on one thing.

    Attributes:
        start: the thing.
        edges: all of them, in the order of time.
    """

    start: Node
    edges: tuple[Edge, ...]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All things, the first one first."""
        ends = (node for edge in self.edges for node in (edge.source, edge.target))
        return tuple(dict.fromkeys([self.start, *ends]))

    def sources(self, node: Node) -> tuple[Edge, ...]:
        """From what a thing was made."""
        return tuple(self._by_target.get(node, ()))

    def targets(self, node: Node) -> tuple[Edge, ...]:
        """What was made from a thing."""
        return tuple(self._by_source.get(node, ()))

    @cached_property
    def _by_target(self) -> dict[Node, list[Edge]]:
        found = dict[Node, list[Edge]]()
        for edge in self.edges:
            found.setdefault(edge.target, []).append(edge)
        return found

    @cached_property
    def _by_source(self) -> dict[Node, list[Edge]]:
        found = dict[Node, list[Edge]]()
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found


class Recorded:
    """All of lineage.

    Args:
        rows: those of ``system.lineage``.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows.sort_by("event_time")
        keys = _keys(self._rows)
        self._things = keys.dictionary
        numbers = keys.indices.to_numpy()
        # Where an edge begins and where it ends, as numbers of things.
        self._sources, self._targets = numbers[: rows.num_rows], numbers[rows.num_rows :]

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every thing that lineage knows."""
        return tuple(_node(key) for key in self._things.to_pylist())

    def named(self, name: str, version: int | None, kind: Kind | None = None) -> Node:
        """The thing that a person means.

        Args:
            name: of a table in any form, a model, a sweep's id or a function's path.
            version: None for the latest that lineage knows.
            kind: of the thing, where the name is that of several.

        Raises:
            InvalidInput: lineage knows no such thing or no such version, or several.
        """
        forms = {name, full_name(name)} if name.count(".") < 3 else {name}
        among = (node for form in forms for node in self._having(f"\0{form}\0") if kind in (None, node.kind))
        found = sorted(set(among), key=lambda node: node.version or 0)
        chosen = found if version is None else [node for node in found if node.version == version]
        if not chosen:
            known = [node for node in self.nodes if kind in (None, node.kind)]
            raise InvalidInput(_unknown(name, version, found, known))
        if len(kinds := sorted({node.kind.lower() for node in chosen})) > 1:
            raise InvalidInput(
                f"{name} is a {' and a '.join(kinds)}; write models:/{name}/VERSION for the model, and the name in "
                f"full ({full_name(name)}) for the table"
            )
        return chosen[-1]

    def around(self, start: Node, direction: Direction) -> Graph:
        """All that can be reached from a thing.

        Args:
            start: the thing.
            direction: "up" to what it was made from, "down" to what was made from it.
        """
        first, reached = self._number(start), set[int]()
        if direction in ("up", "both"):
            reached |= _reached(first, self._targets, self._sources)
        if direction in ("down", "both"):
            reached |= _reached(first, self._sources, self._targets)
        return Graph(start, edges_in(self._rows.take(sorted(reached))) if reached else ())

    def near(self, starts: Sequence[Node], direction: Direction, depth: int, most: int) -> tuple[Graph, int]:
        """What is few steps away from some things: the next ones first, and of those the latest.

        Args:
            starts: the things; at least one.
            direction: as in ``around``.
            depth: how many steps.
            most: how many things.

        Returns:
            The graph, and how many things within reach of these steps were left out; of those beyond one that was left
            out nothing is known.
        """
        import numpy

        first = [number for start in starts if (number := self._number(start)) >= 0]
        reached, left = dict.fromkeys(first), set[int]()
        if direction in ("up", "both"):
            share = most if direction == "up" else (most + 1) // 2
            _walk(first, (self._targets, self._sources), depth, share, reached, left)
        if direction in ("down", "both"):
            _walk(first, (self._sources, self._targets), depth, most, reached, left)
        among = list(reached)
        kept = numpy.isin(self._sources, among) & numpy.isin(self._targets, among)
        graph = Graph(starts[0], edges_in(self._rows.take(kept.nonzero()[0])))
        return graph, len(left - reached.keys())

    def made_by(self, name: str) -> tuple[Node, ...]:
        """What the last execution of a job made.

        Args:
            name: of the job, or the id of one execution.
        """
        import pyarrow.compute as pc

        columns = (self._rows["entity_id"], self._rows["entity_run_id"])
        own = self._rows.filter(pc.or_kleene(*(pc.equal(column, name) for column in columns)))
        if not own.num_rows:
            return ()
        last = own.filter(pc.equal(own["entity_run_id"], own["entity_run_id"][-1]))
        return tuple(dict.fromkeys(edge.target for edge in edges_in(last)))

    def _having(self, part: str) -> tuple[Node, ...]:
        import pyarrow.compute as pc

        return tuple(_node(key) for key in self._things.filter(pc.match_substring(self._things, part)).to_pylist())

    def _number(self, node: Node) -> int:
        """Of a thing; -1 if there is none."""
        import pyarrow.compute as pc

        version = "" if node.version is None else str(node.version)
        return int(pc.index(self._things, "\0".join((node.kind, node.name, version))).as_py())


def edges_in(rows: pa.Table) -> tuple[Edge, ...]:
    """The rows of ``system.lineage``, oldest first."""
    import pyarrow as pa

    rows = rows.sort_by("event_time")
    times = (_EPOCH + timedelta(microseconds=at) for at in rows["event_time"].cast(pa.int64()).to_pylist())
    # What one edge leads to is where others begin: both sides share their objects.
    sides = (rows.select([f"{side}_{name}" for name in _ENDS]).rename_columns(_ENDS) for side in ("source", "target"))
    ends = _shared(pa.concat_tables(sides), Node)
    jobs = _shared(rows.select(_JOB), lambda kind, name, run, code: Job(kind, name, run, code or ""))
    return tuple(map(Edge, ends, ends[rows.num_rows :], jobs, times))


def _keys(rows: pa.Table) -> Any:
    """Sources, then targets, as numbers of things."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ends = [[rows[f"{side}_{name}"].cast(pa.string()) for name in _ENDS] for side in ("source", "target")]
    joined = [pc.binary_join_element_wise(*end, "\0", null_handling="replace", null_replacement="") for end in ends]
    return (
        pa.chunked_array([chunk for end in joined for chunk in end.chunks], pa.string())
        .combine_chunks()
        .dictionary_encode()
    )


def _node(key: str) -> Node:
    kind, name, version = key.split("\0")
    return Node(kind, name, int(version) if version else None)  # type: ignore[arg-type]  # as it was recorded


def _reached(first: int, near: Any, far: Any) -> set[int]:
    """The numbers of the edges that can be reached, going from their near ends to their far ones."""
    order = near.argsort(kind="stable")
    sorted_near, at = near[order], order.tolist()
    begins = dict(zip(*_first_places(sorted_near), strict=True))
    ends, count = far.tolist(), len(at)
    near_of = sorted_near.tolist()
    found, waiting, seen = set[int](), [first], {first}
    while waiting:
        node = waiting.pop()
        place = begins.get(node, count)
        while place < count and near_of[place] == node:
            found.add(at[place])
            if ends[at[place]] not in seen:
                seen.add(ends[at[place]])
                waiting.append(ends[at[place]])
            place += 1
    return found


def _walk(
    first: Sequence[int], ends: tuple[Any, Any], depth: int, most: int, reached: dict[int, None], left: set[int]
) -> None:
    """Some steps from near ends to far ones; adds the things that are reached, and those that are too many."""
    near, far = ends
    order = near.argsort(kind="stable")
    sorted_near = near[order]
    frontier, walked = list(first), set(first)
    for _ in range(depth):
        beyond = list[int]()
        for node in frontier:
            begin, end = (int(sorted_near.searchsorted(node, side)) for side in ("left", "right"))
            # Rows are in the order of time: the latest first.
            for other in dict.fromkeys(far[order[begin:end][::-1]].tolist()):
                if other not in reached and len(reached) >= most:
                    left.add(other)
                elif other not in walked:
                    reached.setdefault(other)
                    walked.add(other)
                    beyond.append(other)
        frontier = beyond


def _first_places(values: Any) -> tuple[list[int], list[int]]:
    """Each value of a sorted array, and where it is first."""
    import numpy

    found, places = numpy.unique(values, return_index=True)
    return found.tolist(), places.tolist()


def _shared(rows: pa.Table, made_of: Callable[..., _Made]) -> list[_Made]:
    """An object for each row, the same one for the same values."""
    import numpy

    codes = numpy.zeros(rows.num_rows, dtype=numpy.int64)
    for column in rows.columns:
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        # Numbered anew each time, so that no product of two counts is too large.
        codes = numpy.unique(codes * len(encoded.dictionary) + encoded.indices.to_numpy(), return_inverse=True)[1]
    _, first = numpy.unique(codes, return_index=True)
    made = list(map(made_of, *(column.to_pylist() for column in rows.take(first).columns)))
    return list(map(made.__getitem__, codes.tolist()))


def _unknown(name: str, version: int | None, found: list[Node], known: Iterable[Node]) -> str:
    if found:
        versions = ", ".join(str(node.version) for node in found)
        return f"lineage knows no version {version} of {name}; it knows {versions}"
    names = sorted({node.name for node in known})
    near = [one for form in (full_name(name), name) for one in difflib.get_close_matches(form, names, n=1)]
    hint = f"Did you mean {near[0]}?" if near else f"It knows: {', '.join(names[:20]) or 'nothing yet'}"
    return f"lineage knows nothing of {name}. {hint}"
