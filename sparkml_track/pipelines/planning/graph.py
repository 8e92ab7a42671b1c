"""The order of tables, views and flows: each after what it reads; cycles and unknown names are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.names import find
from sparkml_track.pipelines.declared.values import Declared, Flow, View
from sparkml_track.pipelines.planning.recording import Reads, recorded

__all__ = ["Graph", "Node", "graph_of"]


@dataclass(frozen=True, slots=True)
class Node:
    """What a flow reads, through its views as well; names as they are declared, or as the tables of the home have them.

    Attributes:
        flow: which.
        tables: read whole, at one version.
        streams: of which the new rows are read, with whether changes are passed over.
        views: that it goes through.
        outside: as of ``Reads``.
        outside_stream: as of ``Reads``.
        problem: as of ``Reads``.
    """

    flow: Flow
    tables: tuple[str, ...]
    streams: Mapping[str, bool]
    views: tuple[View, ...]
    outside: bool
    outside_stream: bool
    problem: str

    @property
    def names(self) -> tuple[str, ...]:
        """All tables that it reads."""
        return tuple(dict.fromkeys([*self.tables, *self.streams]))


@dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline with what its flows read.

    Attributes:
        declared: what it is made of.
        nodes: of flows, in an order in which each comes after what it reads.
        inputs: names of the tables that it reads and does not write.
        names: to each name in a query, the table or view that it means.
    """

    declared: Declared
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    names: Mapping[str, str]


def graph_of(declared: Declared, known: Iterable[str]) -> Graph:
    """Finds out what flows read.

    Args:
        declared: the pipeline.
        known: names of the tables that are there.

    Raises:
        InvalidInput: names that are unknown, and cycles; all at once.
    """
    reads = {("flow", flow.name): (flow.place, recorded(flow.query)) for flow in declared.flows}
    reads |= {("view", view.name): (view.place, recorded(view.query)) for view in declared.views.values()}
    names = _resolved(declared, reads, known)
    order = _order(declared, reads, names)
    nodes = [_node(flow, declared, reads, names) for name in order for flow in declared.flows_of(name)]
    inputs = dict.fromkeys(name for node in nodes for name in node.names if name not in declared.targets)
    return Graph(declared, tuple(nodes), tuple(inputs), names)


_Recorded = Mapping[tuple[str, str], tuple[str, Reads]]


def _resolved(declared: Declared, reads: _Recorded, known: Iterable[str]) -> dict[str, str]:
    """What each name means."""
    ours = {*declared.targets, *declared.views, *_quarantines(declared)}
    everything, names, problems = {*ours, *known}, dict[str, str](), list[str]()
    for (what, who), (place, found) in reads.items():
        for name in [*found.tables, *found.streams]:
            if name in names:
                continue
            try:
                names[name] = name if name in ours else _meant(name, ours, everything)
            except InvalidInput as error:
                problems.append(f"{place}: {what} {who}: {error}")
    problems += [
        f"{place}: {what} {who} reads the new rows of {name}, which is a {kind}: read it whole, by dp.read"
        for (what, who), (place, found) in reads.items()
        for name in found.streams
        if (kind := _unstreamable(names.get(name, ""), declared))
    ]
    if problems:
        raise InvalidInput(*problems)
    return names


def _meant(name: str, ours: Iterable[str], everything: Iterable[str]) -> str:
    try:
        return find(name.split("."), ours)
    except InvalidInput:
        return find(name.split("."), everything)


def _quarantines(declared: Declared) -> Iterator[str]:
    return (target.quarantine for target in declared.targets.values() if target.quarantine)


def _unstreamable(name: str, declared: Declared) -> str:
    if name in declared.views:
        return "temporary view"
    target = declared.targets.get(name)
    return "materialized view" if target is not None and target.kind == "materialized view" else ""


def _order(declared: Declared, reads: _Recorded, names: Mapping[str, str]) -> list[str]:
    """Targets and views, each after what it reads."""
    owners = {target.quarantine: name for name, target in declared.targets.items() if target.quarantine}
    before: dict[str, list[str]] = {name: [] for name in [*declared.targets, *declared.views]}
    for (what, who), (_, found) in reads.items():
        target = who if what == "view" else next(flow.target for flow in declared.flows if flow.name == who)
        for name in [*found.tables, *found.streams]:
            source = owners.get(names[name], names[name])
            if source in before:
                before[target].append(source)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        path = error.args[1][::-1]
        raise InvalidInput(
            f"the pipeline goes in a circle: {' reads '.join(path)}; a table cannot be made from itself"
        ) from None


def _node(flow: Flow, declared: Declared, reads: _Recorded, names: Mapping[str, str]) -> Node:
    """A flow with what it reads itself and through views."""
    tables, streams, views = dict[str, None](), dict[str, bool](), dict[str, View]()
    waiting, all_reads = [reads["flow", flow.name][1]], list[Reads]()
    while waiting:
        found = waiting.pop(0)
        all_reads.append(found)
        streams |= {names[name]: skips for name, skips in found.streams.items()}
        for name in (names[each] for each in found.tables):
            if name not in declared.views:
                tables[name] = None
            elif name not in views:
                views[name] = declared.views[name]
                waiting.append(reads["view", name][1])
    return Node(
        flow,
        tuple(tables),
        streams,
        tuple(views.values()),
        any(each.outside for each in all_reads),
        any(each.outside_stream for each in all_reads),
        next((each.problem for each in all_reads if each.problem), ""),
    )
