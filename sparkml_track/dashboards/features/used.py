"""Who uses feature tables: what was made from them, models, and online stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkml_track.dashboards.asked import lake, or_else, remembered
from sparkml_track.dashboards.models.known import changed, history, models
from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.stamps import Kind
from sparkml_track.governance.names import full_name

__all__ = ["Published", "Uses", "published", "used"]

_COLUMNS = ("source_type", "source_full_name", "target_type", "target_full_name")
#: A thing: its kind and its name.
_Thing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Uses:
    """What hangs on a table.

    Attributes:
        tables: made from it directly, by full name.
        models: made from it, however far away.
    """

    tables: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What the online store of the home has of a table.

    Attributes:
        version: of the table.
        at: when it was published, as text.
        behind: versions that the table has more.
        max_age: rows that are older are not given out; as text, empty for any age.
    """

    version: int
    at: str
    behind: int
    max_age: str


def used(page: Page, name: str) -> Uses:
    """Who uses a table: by lineage, and by what the runs of models say that they read."""
    no_arrows: Mapping[_Thing, Sequence[_Thing]] = {}
    no_readers: Mapping[str, set[str]] = {}
    arrows = or_else(lambda: _arrows(page), no_arrows)
    start = ("TABLE", full_name(name))
    near = {target for kind, target in arrows.get(start, ()) if kind == "TABLE"}
    found = {target for kind, target in _reached(arrows, start) if kind == "MODEL"}
    found |= or_else(lambda: _readers(page), no_readers).get(full_name(name), set())
    return Uses(tuple(sorted(near)), tuple(sorted(found)))


def published(page: Page) -> Mapping[str, Published]:
    """What the online store of the home has, by table; other stores are not known to a home."""
    from sparkml_track.online_stores import open_online_store

    if not page.home.online.is_dir():
        return {}
    store = open_online_store(page.home.online)
    try:
        found = {name: store.publication(name) for name in store.names()}
    finally:
        store.close()
    return {
        name: Published(
            one.version, f"{one.published:%Y-%m-%d %H:%M}", _behind(page, name, one.version), _age(one.max_age)
        )
        for name, one in found.items()
        if one is not None
    }


def _arrows(page: Page) -> Mapping[_Thing, Sequence[_Thing]]:
    """What was made from what, whatever the versions."""

    def read() -> Mapping[_Thing, Sequence[_Thing]]:
        from sparkml_track.catalog.system.store import SystemTables

        rows = SystemTables(page.home.system, lake(page)).seen("lineage", _COLUMNS)
        made: dict[_Thing, list[_Thing]] = {}
        for row in rows.group_by(list(_COLUMNS)).aggregate([]).to_pylist():
            source, target = ((row[f"{end}_type"], row[f"{end}_full_name"]) for end in ("source", "target"))
            if source != target:
                made.setdefault(source, []).append(target)
        return made

    return remembered(page, "arrows of features", page.stamp(Kind.SYSTEM, of="lineage"), read)


def _reached(arrows: Mapping[_Thing, Sequence[_Thing]], start: _Thing) -> set[_Thing]:
    """All that was made from a thing, however far away."""
    found, waiting = set[_Thing](), [start]
    while waiting:
        new = set(arrows.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _readers(page: Page) -> Mapping[str, set[str]]:
    """Models by the full names of the tables that their runs read."""

    def read() -> Mapping[str, set[str]]:
        found: dict[str, set[str]] = {}
        for model in models(page):
            for facts in history(page, model.name).versions:
                for table in facts.data.values():
                    found.setdefault(full_name(table.partition("@")[0]), set()).add(model.name)
        return found

    return remembered(page, "readers of features", changed(page), read)


def _behind(page: Page, name: str, version: int) -> int:
    return or_else(lambda: lake(page).describe(name).ref.version - version, 0)


def _age(value: object) -> str:
    return "" if value is None else str(value)
