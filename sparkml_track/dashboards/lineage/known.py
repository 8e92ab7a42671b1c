"""What lineage knows, read again only after something was recorded; and what a page asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from sparkml_track.catalog.lineage.graph import Direction, Graph, Recorded
from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.errors import InvalidInput
from sparkml_track.governance.edges import Kind as ThingKind
from sparkml_track.governance.edges import Node
from sparkml_track.governance.names import parse_pin

__all__ = ["DEPTHS", "DIRECTIONS", "MOST", "Found", "asked", "found", "recorded", "things", "title"]

#: Kind and name to versions, the latest last; none of a thing without versions.
Things: TypeAlias = Mapping[tuple[str, str], tuple[int, ...]]
DIRECTIONS: Mapping[str, Direction] = {"both ways": "both", "what it was made from": "up", "what it led to": "down"}
DEPTHS = (1, 2, 3, 5, 10)
#: Things of one picture.
MOST = 100
_COLUMNS = (
    "event_time",
    "entity_type",
    "entity_id",
    "entity_run_id",
    "source_type",
    "source_full_name",
    "source_version",
    "target_type",
    "target_full_name",
    "target_version",
    "code",
)


@dataclass(frozen=True)
class Found:
    """What hangs on what was asked for.

    Attributes:
        starts: what the picture is about.
        graph: it, and what is near.
        left: how many things within reach were too many.
    """

    starts: tuple[Node, ...]
    graph: Graph
    left: int


def recorded(page: Page) -> Recorded | None:
    """All of lineage; None where nothing was recorded."""

    def read() -> Recorded | None:
        from sparkml_track.tables import DeltaTables

        tables = DeltaTables(page.home.tables_root, lineage=False)
        rows = SystemTables(page.home.system, tables).seen("lineage", _COLUMNS)
        return Recorded(rows) if rows.num_rows else None

    return page.kept.get("lineage", page.stamp(Kind.SYSTEM, of="lineage"), read)


def things(page: Page) -> Things:
    """Everything that has lineage."""

    def read() -> Things:
        known, versions = recorded(page), dict[tuple[str, str], list[int]]()
        for node in known.nodes if known else ():
            own = versions.setdefault((node.kind, node.name), [])
            if node.version is not None:
                own.append(node.version)
        return {thing: tuple(sorted(own)) for thing, own in sorted(versions.items(), key=_tables_first)}

    return page.kept.get("lineage of things", page.stamp(Kind.SYSTEM, of="lineage"), read)


def asked(page: Page) -> tuple[Node, ...]:
    """What the address asks for: a table, a model, a sweep, a job or one execution; empty where it asks for nothing.

    Raises:
        InvalidInput: lineage knows nothing of it.
    """
    known, query = recorded(page), page.query
    if known is None:
        return ()
    for key, kind in {"table": "TABLE", "model": "MODEL", "sweep": "SWEEP", "source": "SOURCE"}.items():
        if name := query.get(key, ""):
            name, version = _pinned(name, query.get("version", ""))
            return (known.named(name, version, cast("ThingKind", kind)),)
    for key in ("job", "run"):
        if name := query.get(key, ""):
            if made := known.made_by(name):
                return made
            raise InvalidInput(f"lineage knows of nothing that the {key} {name} made")
    return ()


def found(page: Page, starts: tuple[Node, ...], direction: Direction = "both", depth: int = 2) -> Found:
    """What is near some things: at least one."""

    def walk() -> Found:
        known = recorded(page)
        graph, left = known.near(starts, direction, depth, MOST) if known else (Graph(starts[0], ()), 0)
        return Found(starts, graph, left)

    return page.kept.get(("lineage", starts, direction, depth), page.stamp(Kind.SYSTEM, of="lineage"), walk)


def title(node: Node) -> str:
    """A thing as people name it: without the catalog and schema that go without saying."""
    name = node.name.removeprefix("main.").removeprefix("default.") if node.kind == "TABLE" else node.name
    return name if node.version is None else f"{name}@{node.version}"


def _tables_first(one: tuple[tuple[str, str], list[int]]) -> tuple[bool, str, str]:
    (kind, name), _ = one
    return kind != "TABLE", kind, name


def _pinned(name: str, version: str) -> tuple[str, int | None]:
    if version:
        return parse_pin(f"{name}@{version}")
    return parse_pin(name) if "@" in name else (name, None)
