"""What is chosen on the page of lineage, at first by its address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkml_track.dashboards.blocks import Markup
from sparkml_track.dashboards.lineage.known import DEPTHS, DIRECTIONS, asked, found, recorded, things
from sparkml_track.dashboards.lineage.listed import all_things, lists
from sparkml_track.dashboards.lineage.picture import nothing_known, picture
from sparkml_track.dashboards.page import Page
from sparkml_track.errors import SparkmlError
from sparkml_track.governance.edges import Kind, Node

__all__ = ["Preset", "Versions", "choices", "lineage_section", "preset", "versions_of"]

#: Things that can be chosen from; others have an address.
_MOST = 2000
_VERSIONS = 200


@dataclass(frozen=True)
class Preset:
    """How the page begins.

    Attributes:
        thing: one of ``choices``; None for what the address asks for otherwise, or for nothing.
        direction: one of ``directions``.
        depth: one of ``depths``.
    """

    thing: str | None
    direction: str
    depth: int
    directions: Sequence[str] = tuple(DIRECTIONS)
    depths: Sequence[int] = DEPTHS


@dataclass(frozen=True)
class Versions:
    """The latest versions of what is chosen, the latest first, and the one of the address if that is older.

    Attributes:
        names: empty of what has none.
        chosen: at first.
    """

    names: list[str]
    chosen: str | None


def choices(page: Page) -> list[str]:
    """What can be chosen, such as "table main.air.flights"."""
    return [f"{kind.lower()} {name}" for kind, name in list(_things(page))[:_MOST]]


def preset(page: Page) -> Preset:
    """What the address asks for."""
    start, query = _asked_one(page), page.query
    name = f"{start.kind.lower()} {start.name}" if start else None
    ways = {way: said for said, way in DIRECTIONS.items()}
    depth = int(query.get("depth", "0")) if query.get("depth", "0").isdecimal() else 0
    return Preset(
        name if name in choices(page) else None,
        ways.get(query.get("direction", ""), next(iter(DIRECTIONS))),  # type: ignore[call-overload]  # a word of anybody
        depth if depth in DEPTHS else 2,
    )


def versions_of(page: Page, thing: str | None) -> Versions:
    """The versions of a thing that lineage knows."""
    if not thing:
        return Versions([], None)
    kind, _, name = thing.partition(" ")
    known = [str(each) for each in reversed(_things(page).get((kind.upper(), name), ()))]
    offered, start = known[:_VERSIONS], _asked_one(page)
    if start and (start.kind.lower(), start.name) == (kind, name) and (asks := str(start.version)) in known:
        return Versions(offered if asks in offered else [*offered, asks], asks)
    return Versions(offered, offered[0] if offered else None)


def lineage_section(page: Page, thing: str | None, version: str | None, direction: str, depth: int) -> list[Markup]:
    """The graph and the lists of what is chosen; else of what the address asks for; else all there is.

    Raises:
        InvalidInput: lineage knows nothing of what the address asks for.
    """
    if recorded(page) is None:
        return [nothing_known(page)]
    kind, _, name = (thing or "").partition(" ")
    kinds: dict[str, Kind] = {"table": "TABLE", "model": "MODEL", "sweep": "SWEEP", "source": "SOURCE"}
    if kind in kinds:
        starts: tuple[Node, ...] = (Node(kinds[kind], name, int(version) if version else None),)
    else:
        starts = asked(page)
    if not starts:
        return [all_things(page)]
    near = found(page, starts, DIRECTIONS.get(direction, "both"), depth)
    return [picture(near), lists(page, near)]


def _things(page: Page) -> dict[tuple[str, str], tuple[int, ...]]:
    """Nothing where lineage cannot be read: the section below says why."""
    try:
        return dict(things(page))
    except SparkmlError:
        return {}


def _asked_one(page: Page) -> Node | None:
    """The one thing that the address asks for; None for none, several, or one that is not known."""
    if page.query.get("job") or page.query.get("run"):
        return None
    try:
        starts = asked(page)
    except SparkmlError:
        return None
    return starts[0] if starts else None
