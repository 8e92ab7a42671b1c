"""Where things of a graph stand: in columns from left to right, by who comes before whom.

After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981: columns by
the longest way, the order within them by the mean place of neighbours. A circle is cut where it is met. An edge that
passes a column has a lane there, which it shares with other edges from the same thing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeVar

__all__ = ["Lane", "Layout", "layout"]

_T = TypeVar("_T", bound=Hashable)
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Lane:
    """A place in a column that edges pass.

    Attributes:
        source: from which they come.
        column: counts from 0.
    """

    source: Hashable
    column: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Who stands where.

    Attributes:
        columns: from left to right, each from top to bottom: things and lanes.
        parts: of edges, from one column to the next; and edges back, whole.
    """

    columns: Sequence[Sequence[Hashable]]
    parts: Sequence[tuple[Hashable, Hashable]]


def layout(things: Sequence[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> Layout:
    """Places things.

    Args:
        things: all of them.
        edges: from whom to whom; of things that are among these.
    """
    edges = dict.fromkeys((source, target) for source, target in edges if source != target)
    forward = _forward(things, edges)
    before, after = _neighbours(things, forward)
    places: dict[Hashable, int] = _columns(things, before, after)
    parts = dict.fromkeys(part for edge in forward for part in _parts(*edge, places))
    lanes = [each for each in dict.fromkeys(end for part in parts for end in part) if isinstance(each, Lane)]
    places |= {lane: lane.column for lane in lanes}
    columns = [[each for each in places if places[each] == place] for place in sorted(set(places.values()))]
    ordered = _ordered(columns, *_neighbours(list(places), parts))
    back = edges.keys() - set(forward)
    return Layout(ordered, [*parts, *(edge for edge in edges if edge in back)])


def _parts(source: Hashable, target: Hashable, places: Mapping[Hashable, int]) -> Iterator[tuple[Hashable, Hashable]]:
    """An edge in pieces from column to column."""
    at: Hashable = source
    for column in range(places[source] + 1, places[target]):
        lane = Lane(source, column)
        yield at, lane
        at = lane
    yield at, target


def _neighbours(things: Iterable[_T], edges: Iterable[tuple[_T, _T]]) -> tuple[dict[_T, list[_T]], dict[_T, list[_T]]]:
    """Who is before each thing, and who after it."""
    before = {thing: list[_T]() for thing in things}
    after = {thing: list[_T]() for thing in before}
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    return before, after


def _forward(things: Sequence[_T], edges: Iterable[tuple[_T, _T]]) -> list[tuple[_T, _T]]:
    """The edges without those that lead back to where one came from."""
    ways = {thing: list[_T]() for thing in things}
    for source, target in edges:
        ways[source].append(target)
    kept, done, open_ = list[tuple[_T, _T]](), set[_T](), set[_T]()
    for root in things:
        if root in done:
            continue
        open_.add(root)
        path = [(root, iter(ways[root]))]
        while path:
            thing, rest = path[-1]
            for target in rest:
                if target in open_:
                    continue
                kept.append((thing, target))
                if target not in done:
                    open_.add(target)
                    path.append((target, iter(ways[target])))
                    break
            else:
                path.pop()
                open_.discard(thing)
                done.add(thing)
    return kept


def _columns(
    things: Sequence[_T], before: Mapping[_T, Sequence[_T]], after: Mapping[_T, Sequence[_T]]
) -> dict[_T, int]:
    """As far right as the longest way to a thing; what nothing leads to stands beside what it leads to."""
    places, missing = dict.fromkeys(things, 0), {thing: len(before[thing]) for thing in things}
    ready = [thing for thing in things if not missing[thing]]
    for thing in ready:  # grows meanwhile
        for target in after[thing]:
            places[target] = max(places[target], places[thing] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for thing in things:
        if not before[thing] and after[thing]:
            places[thing] = min(places[target] for target in after[thing]) - 1
    return places


def _ordered(
    columns: list[list[_T]], before: Mapping[_T, Sequence[_T]], after: Mapping[_T, Sequence[_T]]
) -> list[list[_T]]:
    heights = {thing: (place + 1) / (len(column) + 1) for column in columns for place, thing in enumerate(column)}
    for turn in range(_SWEEPS):
        forth = turn % 2 == 0
        near = before if forth else after
        for number in range(len(columns)) if forth else reversed(range(len(columns))):
            means = {
                thing: fmean(heights[each] for each in near[thing]) if near[thing] else heights[thing]
                for thing in columns[number]
            }
            columns[number] = sorted(columns[number], key=means.__getitem__)
            heights |= {thing: (place + 1) / (len(means) + 1) for place, thing in enumerate(columns[number])}
    return columns
