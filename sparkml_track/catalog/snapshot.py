"""The tables that a query names, pinned: one version of each for the whole query, as views for an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sparkml_track.address import is_address
from sparkml_track.catalog.information import information, is_information
from sparkml_track.catalog.system.schemas import SCHEMAS, empty
from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.governance.names import SYSTEM, find, full_name
from sparkml_track.refs import TableRef
from sparkml_track.sql import Mention, View

if TYPE_CHECKING:
    from sparkml_track.catalog.system.store import SystemTables
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["Snapshot", "is_system", "pinned", "view_of"]


@dataclass(frozen=True)
class Snapshot:
    """What a query sees.

    Attributes:
        views: for each table as it is named.
        refs: the versions, each once.
        of: the version behind each name; none for tables that are made for the query.
        fixed: whether the same versions give the same rows for ever; false with tables that are made for the query.
    """

    views: Mapping[Mention, View]
    refs: tuple[TableRef, ...]
    fixed: bool
    of: Mapping[Mention, TableRef] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """``main.air.flights@3`` for each."""
        return tuple(f"{full_name(ref.name)}@{ref.version}" for ref in self.refs)


def pinned(
    mentions: Iterable[Mention],
    at: Mapping[str, int],
    tables: Tables,
    system: SystemTables,
    look: Callable[[TableInfo], View] | None = None,
) -> Snapshot:
    """Pins the tables of a query.

    Args:
        mentions: of ``Engine.parse``.
        at: versions by name, for tables that are named without one.
        tables: where they are.
        system: whose rows that wait are written if the query reads them.
        look: gives what is seen of a version; all of it by default.

    Raises:
        InvalidInput: no such table or version, or a name in ``at`` that the query does not have.
        TableError: a table that cannot be read.
    """
    mentions = tuple(mentions)
    made = {mention: information(mention.parts, tables) for mention in mentions if is_information(mention.parts)}
    stored = [mention for mention in mentions if mention not in made]
    _flush(stored, system)
    known = {*tables.names(), *(f"{SYSTEM}.{name}" for name in SCHEMAS)} if stored else set()
    names = {mention: find(mention.parts, known) for mention in stored}
    versions = _versions(at, set(names.values()))
    # Each table is opened as seldom as can be: that is most of what a small query costs.
    infos: dict[tuple[str, int | None], TableInfo] = {}
    views = dict[Mention, View](made)
    for mention, name in names.items():
        version = versions.get(name) if mention.version is None else mention.version
        if is_system(name) and not tables.exists(name):
            views[mention] = View(full_name(name), {}, rows=empty(name.rpartition(".")[2]))
            continue
        if (name, version) not in infos:
            infos[name, version] = _info(name, version, tables)
        info = infos[name, version]
        views[mention] = view_of(info, tables) if look is None else look(info)
    of = {mention: infos[key].ref for mention, name in names.items()
          if (key := (name, versions.get(name) if mention.version is None else mention.version)) in infos}  # fmt: skip
    fixed = all(view.rows is None for view in views.values())
    return Snapshot(views, tuple(dict.fromkeys(info.ref for info in infos.values())), fixed, of)


def _flush(mentions: Iterable[Mention], system: SystemTables) -> None:
    for mention in mentions:
        parts = [part.lower() for part in mention.parts]
        if len(parts) > 1 and parts[-2] == SYSTEM and parts[-1] in SCHEMAS:
            system.flush(parts[-1])


def _versions(at: Mapping[str, int], names: set[str]) -> dict[str, int]:
    versions = dict[str, int]()
    for name, version in at.items():
        try:
            versions[find(name.split("."), names)] = version
        except InvalidInput as error:
            raise InvalidInput(f"{name}@{version} pins what the query does not read: {error}") from None
    return versions


def is_system(name: str) -> bool:
    """Whether a table is one of those that the catalog keeps itself."""
    return full_name(name).split(".")[1] == SYSTEM


def _info(name: str, version: int | None, tables: Tables) -> TableInfo:
    if version is None:
        return tables.describe(name)
    try:
        return tables.describe(tables.pin(name, version))
    except TableError as error:
        raise InvalidInput(str(error)) from error


def view_of(info: TableInfo, tables: Tables) -> View:
    """One version of a table as an engine sees it."""
    name = full_name(info.ref.name)
    # DuckDB and Spark read no files of object stores by themselves.
    if not tables.durable or is_address(info.ref.path):
        return View(name, info.columns, rows=tables.to_arrow(info.ref))
    files = tables.data_files(info.ref)
    return View(
        name,
        info.columns,
        tuple(file.path for file in files),
        partition_by=info.partition_by,
        partitions=tuple(tuple(file.partition[column] for column in info.partition_by) for file in files),
    )
