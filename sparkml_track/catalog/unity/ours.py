"""What Unity Catalog should have of a home: schemas, tables, models with their versions, grants."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkml_track.address import is_address
from sparkml_track.catalog.stewards.tags import table_owner, table_tags
from sparkml_track.catalog.unity.columns import columns_of
from sparkml_track.errors import TableError
from sparkml_track.governance.grants import EVERYONE, Grants
from sparkml_track.governance.names import SYSTEM, full_name
from sparkml_track.schema import PROPERTY_HOME, PROPERTY_OWNER, PROPERTY_TAG

if TYPE_CHECKING:
    from sparkml_track.home import Home
    from sparkml_track.refs import ModelRef
    from sparkml_track.registries import Registry
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["Model", "Ours", "ours", "version_mark"]

_PRIVILEGES = ("SELECT", "MODIFY")


@dataclass(frozen=True)
class Model:
    """A registered model.

    Attributes:
        name: in full.
        versions: oldest first.
    """

    name: str
    versions: tuple[ModelRef, ...]


@dataclass(frozen=True)
class Ours:
    """A home in the words of Unity Catalog.

    Attributes:
        mark: of the home, on all that came from it.
        tables: the body that creates each, by the name in full.
        models: all of them.
        grants: for tables on which something was granted: privileges by principal.
        revoked: principals who had something on a table and have it no longer.
        notes: what cannot be said there, a sentence each.
    """

    mark: str
    tables: Mapping[str, Mapping[str, Any]]
    models: tuple[Model, ...] = ()
    grants: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    revoked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def schemas(self) -> tuple[str, ...]:
        """``catalog.schema`` of all tables and models."""
        return tuple(sorted({name.rpartition(".")[0] for name in (*self.tables, *(one.name for one in self.models))}))

    @property
    def catalogs(self) -> tuple[str, ...]:
        """The first parts of all names."""
        return tuple(sorted({name.partition(".")[0] for name in self.schemas}))


def ours(home: Home, tables: Tables, registry: Registry | None, granted: Grants) -> Ours:
    """Reads what a home has; system tables stay at home.

    Args:
        home: whose.
        tables: of the home.
        registry: of its models; None leaves models out.
        granted: what is granted in it.
    """
    mark = hashlib.sha256(str(home.root).encode()).hexdigest()[:16]
    found, notes = dict[str, Mapping[str, Any]](), list[str]()
    for name in tables.names():
        full = full_name(name)
        if full.split(".")[1] == SYSTEM:
            continue
        try:
            found[full] = _table(full, tables.describe(name), mark)
        except TableError as error:
            notes.append(f"{full} is left out: {error}")
    names = registry.names() if registry else ()
    models = tuple(Model(full_name(name), registry.versions(name)) for name in names) if registry else ()
    grants = {full: _holders(granted, full) for full in found if granted.on(full)}
    revoked = {full: _revoked(granted, full) - grants[full].keys() for full in grants}
    if any(EVERYONE in (granted.holders(each, full) or ()) for full in grants for each in _PRIVILEGES):
        notes.append("grants to everyone are not in Unity Catalog: it has no such principal; grant to a group there")
    return Ours(mark, found, models, grants, revoked, tuple(notes))


def version_mark(ref: ModelRef) -> str:
    """How the comment of a version begins: Unity Catalog counts versions itself."""
    return f"sparkml version {ref.version}"


def _table(full: str, info: TableInfo, mark: str) -> dict[str, Any]:
    catalog, schema, name = full.split(".")
    properties = {PROPERTY_HOME: mark} | {f"{PROPERTY_TAG}{key}": value for key, value in table_tags(info).items()}
    if owner := table_owner(info):
        properties[PROPERTY_OWNER] = owner
    body = {"name": name, "catalog_name": catalog, "schema_name": schema, "table_type": "EXTERNAL"}
    place = info.ref.path if is_address(info.ref.path) else f"file://{info.ref.path}"
    more = {"data_source_format": "DELTA", "columns": columns_of(info), "storage_location": place}
    return body | more | ({"comment": info.description} if info.description else {}) | {"properties": properties}


def _holders(granted: Grants, full: str) -> dict[str, frozenset[str]]:
    held = dict[str, set[str]]()
    for privilege in _PRIVILEGES:
        for principal in _named(granted.holders(privilege, full) or ()):
            held.setdefault(principal, set()).add(privilege)
    return {principal: frozenset(privileges) for principal, privileges in held.items()}


def _revoked(granted: Grants, full: str) -> frozenset[str]:
    return frozenset(_named(row.principal for row in granted.on(full) if not row.granted))


def _named(principals: Iterable[str]) -> tuple[str, ...]:
    """Without the kind, which Unity Catalog's names do not have."""
    return tuple(one.partition(":")[2] for one in principals if one != EVERYONE)
