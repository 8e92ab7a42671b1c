"""What an update will do with each flow, without doing it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.names import full_name
from sparkml_track.pipelines.declared.values import Declared
from sparkml_track.pipelines.planning.code import code_digest
from sparkml_track.pipelines.planning.decisions import Decision, Facts, decide, table_generation
from sparkml_track.pipelines.planning.graph import Graph, graph_of
from sparkml_track.pipelines.planning.marks import application
from sparkml_track.refs import TableRef
from sparkml_track.tables import Tables

__all__ = ["Plan", "Prepared", "plan_of", "prepared"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pipeline looked at: its graph, what its flows execute, and the versions of its inputs.

    Attributes:
        graph: of the flows.
        codes: digest of each flow.
        pinned: the inputs, all looked at together.
        refreshed: targets that are built anew, with the generation that begins.
    """

    graph: Graph
    codes: Mapping[str, str]
    pinned: Mapping[str, TableRef]
    refreshed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an update would do.

    Attributes:
        decisions: in the order of the work.
        inputs: the tables that it would read, at these versions.
        warnings: functions that could not be looked into whole.
    """

    decisions: tuple[Decision, ...]
    inputs: tuple[TableRef, ...]
    warnings: tuple[str, ...]

    @property
    def refused(self) -> tuple[Decision, ...]:
        """What cannot be."""
        return tuple(one for one in self.decisions if one.work == "refuse")


def prepared(
    pipeline: str, declared: Declared, tables: Tables, refresh: Collection[str] = (), *, refresh_all: bool = False
) -> Prepared:
    """Looks at a pipeline and pins its inputs.

    Args:
        pipeline: its name.
        declared: what its files say.
        tables: of the home.
        refresh: names of tables that are to be built anew.
        refresh_all: build all anew.

    Raises:
        InvalidInput: as ``graph_of``; a name in ``refresh`` that is not one of its tables; two streams in one flow.
        TableError: an input cannot be opened.
    """
    names = declared.targets if refresh_all else tuple(_refreshed(refresh, declared))
    refreshed = {name: _next_generation(pipeline, declared, name, tables) for name in names}
    graph = graph_of(declared, tables.names())
    problems = [
        f"{node.flow.place}: flow {node.flow.name} reads the new rows of {' and '.join(node.streams)}; a flow follows "
        "one table: declare an append_flow for each"
        for node in graph.nodes
        if len(node.streams) > 1
    ]
    problems += [
        f"{node.flow.place}: {node.flow.name} is a materialized view and reads the new rows of {name}; read it whole, "
        "by dp.read, or declare a streaming table by @dp.table"
        for node in graph.nodes
        for name in node.streams
        if declared.targets[node.flow.target].kind == "materialized view"
    ]
    problems += _spelled_otherwise(declared, tables.names())
    if problems:
        raise InvalidInput(*problems)
    seen: dict[int, object] = {}
    codes = {node.flow.name: code_digest(node, declared.targets[node.flow.target], seen) for node in graph.nodes}
    return Prepared(graph, codes, {name: tables.pin(name) for name in _inputs(graph)}, refreshed)


def plan_of(pipeline: str, ready: Prepared, tables: Tables) -> Plan:
    """Decides about all flows, as if those that are done made new versions."""
    versions: dict[str, int | None] = {name: ref.version for name, ref in ready.pinned.items()}
    decisions = list[Decision]()
    declared = ready.graph.declared
    for node in ready.graph.nodes:
        target = declared.targets[node.flow.target]
        facts = Facts(pipeline, tables, versions, ready.refreshed)
        made = decide(node, target, declared.flows_of(target.name), ready.codes[node.flow.name], facts)
        decisions.append(made)
        waits = made.work not in ("skip", "refuse") or (target.name in versions and versions[target.name] is None)
        versions[target.name] = None if waits else made.version
        if target.quarantine:
            there = not waits and tables.exists(target.quarantine)
            versions[target.quarantine] = tables.pin(target.quarantine).version if there else None
    warnings = tuple(
        f"{node.flow.place}: what {node.flow.name} reads may not be known whole, since its function needs rows to say "
        f"so ({node.problem})"
        for node in ready.graph.nodes
        if node.problem
    )
    return Plan(tuple(decisions), tuple(ready.pinned.values()), warnings)


def _spelled_otherwise(declared: Declared, known: Collection[str]) -> Iterator[str]:
    """Outputs whose full name a table has that is spelled in another way: a query could not tell them apart."""
    spelled = {full_name(name).lower(): name for name in known}
    for target in declared.targets.values():
        for name in filter(None, (target.name, target.quarantine)):
            there = spelled.get(full_name(name).lower(), name)
            if there != name and name not in known:
                yield f"{target.place}: the table {name} is there as {there}; name the output so, or otherwise"


def _next_generation(pipeline: str, declared: Declared, name: str, tables: Tables) -> int:
    apps = [application(pipeline, flow.name) for flow in declared.flows_of(name)]
    return table_generation(declared.targets[name], apps, tables) + 1 if tables.exists(name) else 0


def _inputs(graph: Graph) -> Iterator[str]:
    ours = {target.quarantine for target in graph.declared.targets.values()}
    return (name for name in graph.inputs if name not in ours)


def _refreshed(names: Collection[str], declared: Declared) -> Iterator[str]:
    for name in names:
        if name not in declared.targets:
            near = difflib.get_close_matches(name, declared.targets, n=1)
            hint = f"did you mean {near[0]}?" if near else f"its tables are {', '.join(declared.targets)}"
            raise InvalidInput(f"--full-refresh: the pipeline has no table {name}; {hint}")
        yield name
