"""What to do with one flow, and why: by its code, the versions that it reads, and what its table says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sparkml_track.pipelines.declared.values import Flow, Target
from sparkml_track.pipelines.planning.graph import Node
from sparkml_track.pipelines.planning.marks import (
    Made,
    Place,
    application,
    generation_of,
    last_made,
    made_by,
    place_of,
)
from sparkml_track.tables import Tables

__all__ = ["Decision", "Facts", "Work", "decide", "table_generation"]

#: build: write the whole table; append: the new rows of a table; stream: a stream from outside; skip: nothing;
#: refuse: it cannot be.
Work = Literal["build", "append", "stream", "skip", "refuse"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What will be done with a flow.

    Attributes:
        flow: which.
        work: what.
        why: a clause for a person.
        source: the table whose new rows are appended.
        place: how far the flow is in that table or stream; None where it begins.
        generation: of the table, while this is done.
        version: of the table before, None where it is not there.
    """

    flow: Flow
    work: Work
    why: str
    source: str | None = None
    place: Place | None = None
    generation: int = 0
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What decisions are made from.

    Attributes:
        pipeline: its name.
        tables: of the home.
        versions: of each table that is read; None where this update is yet to write it.
        refreshed: targets that are built anew whatever they say of themselves, each with the generation that begins:
            the same for all of its flows.
    """

    pipeline: str
    tables: Tables
    versions: Mapping[str, int | None]
    refreshed: Mapping[str, int] = field(default_factory=dict)


def decide(node: Node, target: Target, flows: Sequence[Flow], code: str, facts: Facts) -> Decision:
    """Decides about a flow.

    Args:
        node: the flow with what it reads.
        target: its table.
        flows: all flows into this table.
        code: digest of what the flow executes.
        facts: all else.
    """
    apps = [application(facts.pipeline, flow.name) for flow in flows]
    # Each table is opened as seldom as can be: that is most of what a plan costs.
    history = facts.tables.history(target.name) if facts.tables.exists(target.name) else ()
    made, version = last_made(history, facts.pipeline), history[0].version if history else None
    if taken := _taken(target, apps, facts, known=not history or made is not None):
        why = f"the table {taken} is there and pipeline {facts.pipeline} did not make it; choose another name"
        return Decision(node.flow, "refuse", why, version=version)
    if target.kind == "materialized view":
        work, why = _whole(node, target, made, code, facts) if history else ("build", "it is not there yet")
        return Decision(node.flow, work, why, version=version)
    return replace(_onward(node, target, apps, facts), version=version)


def _taken(target: Target, apps: Sequence[str], facts: Facts, *, known: bool) -> str:
    """A table of another maker where one of this pipeline is to be, empty if there is none."""
    names = [*([] if known else [target.name]), *([target.quarantine] if target.quarantine else [])]
    taken = (name for name in names if facts.tables.exists(name))
    return next((name for name in taken if not made_by(facts.tables, name, facts.pipeline, apps)), "")


def _whole(node: Node, target: Target, made: Made | None, code: str, facts: Facts) -> tuple[Work, str]:
    """A materialized view that is there."""
    if target.name in facts.refreshed:
        return "build", "full refresh"
    if made is None:
        return "build", "its log no longer says what it was made from"
    if made.changed_by:
        return "build", f"others changed it: {made.changed_by}"
    if made.code != code:
        return "build", "its code changed"
    if differing := [text for name in node.names if (text := _differing(name, made.inputs, facts.versions))]:
        return "build", "; ".join(differing)
    if node.outside or node.outside_stream or not node.names:
        return "build", "it reads what has no versions, so nothing says that it is unchanged"
    return "skip", f"code and inputs are those of version {made.version}"


def _differing(name: str, inputs: Mapping[str, int], versions: Mapping[str, int | None]) -> str:
    now, was = versions.get(name), inputs.get(name)
    if now is None:
        return f"{name} is built before it"
    if was is None:
        return f"it did not read {name} before"
    return "" if now == was else f"{name} is at version {now}, was at {was}"


def _onward(node: Node, target: Target, apps: Sequence[str], facts: Facts) -> Decision:
    """A flow into a streaming table."""
    flow, fresh = node.flow, target.name in facts.refreshed
    generation = facts.refreshed[target.name] if fresh else table_generation(target, apps, facts.tables)
    place = None if fresh else place_of(facts.tables, target.name, application(facts.pipeline, flow.name))
    if place is not None and place.generation < generation:
        place = None  # another flow began the table anew
    source = next(iter(node.streams), None)
    if source is None:
        return Decision(flow, "stream", "full refresh" if fresh else "whatever came since", None, place, generation)
    work, why = _range(source, place, fresh=fresh, skips=node.streams[source], facts=facts)
    return Decision(flow, work, why, source, place, generation)


def table_generation(target: Target, apps: Sequence[str], tables: Tables) -> int:
    """Of the table and that of its rows that are kept apart: a full refresh that was killed between both goes on."""
    return max(generation_of(tables, name, apps) for name in filter(None, (target.name, target.quarantine)))


def _range(source: str, place: Place | None, *, fresh: bool, skips: bool, facts: Facts) -> tuple[Work, str]:
    now = facts.versions.get(source)
    at = "what it is by then" if now is None else f"version {now}"
    if place is None:
        return "append", f"{'full refresh' if fresh else 'it begins'}: all rows of {source} at {at}"
    if source in facts.refreshed and not skips:
        return "refuse", f"{source} is refreshed in full, so its new rows are not known; refresh this table as well"
    if now is None:
        return "append", f"what comes to {source} after version {place.count}"
    if now == place.count:
        return "skip", f"nothing came to {source} after version {now}"
    if now < place.count:
        return "refuse", (
            f"{source} is at version {now}, and this flow has read version {place.count}: it was made anew; refresh "
            "this table in full"
        )
    return "append", f"versions {place.count + 1} to {now} of {source}"
