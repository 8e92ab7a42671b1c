"""What a person means by a name: a table, a schema, a catalog, or a version of a registered model."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sparkml_track.errors import InvalidInput
from sparkml_track.governance.names import CATALOG, full_name
from sparkml_track.refs import ModelRef

if TYPE_CHECKING:
    from sparkml_track.registries import Registry
    from sparkml_track.tables import Tables

__all__ = ["MODELS", "ModelName", "model_named", "model_version", "securable"]

#: Before the name of a model.
MODELS = "models:/"
ModelName = tuple[str, int | str | None]


def securable(name: str, tables: Tables) -> str:
    """The table in full, the schema (``main.air``) or the catalog that a name means; a table comes first.

    Raises:
        InvalidInput: there is none.
    """
    known = sorted(map(full_name, tables.names()))
    schemas = {full.rpartition(".")[0] for full in known}
    catalogs = {full.partition(".")[0] for full in known} | {CATALOG}
    forms = [full_name(name)] if name and name.count(".") < 3 else []
    for form, among in ((forms[:1], known), ([name, f"{CATALOG}.{name}"], schemas), ([name], catalogs)):
        for each in form:
            if each in among:
                return each
    near = difflib.get_close_matches(forms[0] if forms else name, [*known, *schemas, *catalogs], n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join([*known][:20]) or 'none yet'}"
    raise InvalidInput(f"there is no table, schema or catalog {name!r}. {hint}")


def model_named(uri: str) -> ModelName:
    """Name, and version or alias or neither, of ``models:/NAME/VERSION``, ``models:/NAME@ALIAS`` or ``models:/NAME``.

    Raises:
        InvalidInput: it is something else.
    """
    name = uri.removeprefix(MODELS)
    if "@" in name:
        name, _, alias = name.partition("@")
        return name, alias
    name, _, version = name.partition("/")
    if not name or (version and not (version.isascii() and version.isdigit())):
        raise InvalidInput(f"{uri!r} names no version; write models:/{name}/VERSION or models:/{name}@ALIAS")
    return name, int(version) if version else None


def model_version(uri: str, registry: Registry) -> ModelRef:
    """The version that a URI means.

    Raises:
        InvalidInput: it names none, or no such alias.
        RegistryError: there is no such version.
    """
    name, which = model_named(uri)
    if which is None:
        raise InvalidInput(f"{uri!r} names no version; write models:/{name}/VERSION or models:/{name}@ALIAS")
    if isinstance(which, int):
        return registry.version(name, which)
    found = registry.alias(name, which)
    if found is None:
        raise InvalidInput(f"model {name!r} has no alias {which!r} in {registry.uri}; name a version: models:/{name}/1")
    return found
