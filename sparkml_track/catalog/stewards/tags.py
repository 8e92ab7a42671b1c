"""Owners, tags and comments.

A table's are its own properties, so a copy of its folder has them; a model's are tags of the version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparkml_track.errors import AccessDenied, InvalidInput
from sparkml_track.governance.audit import Deed, audited
from sparkml_track.governance.grants import Principal
from sparkml_track.governance.names import find, full_name
from sparkml_track.governance.principals import owner_of
from sparkml_track.schema import PREFIX, PROPERTY_OWNER, PROPERTY_TAG

if TYPE_CHECKING:
    from sparkml_track.home import Home
    from sparkml_track.refs import ModelRef, TableRef
    from sparkml_track.registries import Registry
    from sparkml_track.tables import TableInfo, Tables

__all__ = ["check_manages", "model_owner", "model_tags", "set_comment", "set_owner", "set_tags", "table_owner",
           "table_tags", "tag_model"]  # fmt: skip

_KEY = re.compile(r"[A-Za-z_][\w.-]{0,127}")
_LONGEST = 1000


def table_tags(info: TableInfo) -> dict[str, str]:
    """The tags of a table, by name."""
    found = {key.removeprefix(PROPERTY_TAG): value for key, value in info.properties.items()
             if key.startswith(PROPERTY_TAG)}  # fmt: skip
    return {key: value for key, value in sorted(found.items()) if value}


def table_owner(info: TableInfo) -> str | None:
    """Whose a table is, None if nobody was named."""
    return info.properties.get(PROPERTY_OWNER) or None


def model_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a model version that people gave it."""
    found = {key.removeprefix(PROPERTY_TAG): value for key, value in tags.items() if key.startswith(PROPERTY_TAG)}
    return {key: value for key, value in sorted(found.items()) if value}


def model_owner(tags: Mapping[str, str]) -> str | None:
    """Whose a model version is, None if nobody was named."""
    return tags.get(PROPERTY_OWNER) or None


def set_tags(tables: Tables, name: str, tags: Mapping[str, str]) -> TableRef:
    """Tags a table, by a version of it.

    Args:
        tables: of the catalog.
        name: in any form.
        tags: by name; an empty value removes one.

    Raises:
        InvalidInput: a name that cannot be, or no such table.
    """
    _check(tags)
    return tables.set_properties(_found(name, tables), {f"{PROPERTY_TAG}{key}": value for key, value in tags.items()})


def set_owner(home: Home, tables: Tables, name: str, owner: str) -> TableRef:
    """Names the owner of a table; where it has one, only that one, the home's owner and root may.

    Raises:
        AccessDenied: somebody else owns it.
        InvalidInput: no such table, or no name.
    """
    found = _found(name, tables)
    _check_owner(owner)
    if before := table_owner(tables.describe(found)):
        with audited(home.system, Deed("SET OWNER", full_name(found), {"owner": owner})):
            check_manages(home, full_name(found), before)
    return tables.set_properties(found, {PROPERTY_OWNER: owner})


def set_comment(tables: Tables, name: str, text: str, column: str | None = None) -> TableRef:
    """Says what a table, or a column of it, is."""
    return tables.comment(_found(name, tables), text, column)


def tag_model(home: Home, registry: Registry, ref: ModelRef, tags: Mapping[str, str], owner: str | None = None) -> None:
    """Tags a model version, and names its owner.

    Raises:
        InvalidInput: a name that cannot be.
        RegistryError: the registry refused.
    """
    if owner is None:
        _check(tags)
    else:
        _check_owner(owner)
    named = {f"{PROPERTY_TAG}{key}": value for key, value in tags.items()}
    named |= {PROPERTY_OWNER: owner} if owner else {}
    action = "SET OWNER" if owner else "SET TAGS"
    with audited(home.system, Deed(action, f"models:/{ref.name}/{ref.version}", named)):
        registry.annotate(ref, {}, named)


def check_manages(home: Home, thing: str, owner: str | None) -> None:
    """Refuses who is neither the owner of a thing, nor of the home, nor root.

    Raises:
        AccessDenied: says who may.
    """
    who, owners = Principal.of_process(), {name for name in (owner, owner_of(home.root)) if name}
    if not (who.root or who.name in owners):
        raise AccessDenied(f"{who.name} may not say who owns or uses {thing}; {' or '.join(sorted(owners))} may")


def _found(name: str, tables: Tables) -> str:
    return find(name.split("."), tables.names())


def _check_owner(owner: str) -> None:
    if not owner.strip() or not owner.isprintable():
        raise InvalidInput(f"{owner!r} cannot own a table or a model; name an account or a team")


def _check(tags: Mapping[str, str]) -> None:
    problems = [
        f"{key!r} cannot name a tag: letters, digits, '_', '.', '-', at most 128, and not {PREFIX}..."
        for key in tags
        if not _KEY.fullmatch(key) or key.startswith(PREFIX)
    ]
    problems += [f"the tag {key} has {len(value):,} characters; {_LONGEST:,} are allowed"
                 for key, value in tags.items() if len(value) > _LONGEST]  # fmt: skip
    if problems or not tags:
        raise InvalidInput(*(problems or ["no tag was given; write NAME=VALUE"]))
