"""What to do so that Unity Catalog has what it should: looked up there, compared, nothing changed yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sparkml_track.catalog.unity.client import Missing, UnityClient
from sparkml_track.catalog.unity.ours import Model, Ours, version_mark
from sparkml_track.errors import SyncError
from sparkml_track.schema import PREFIX, PROPERTY_HOME

__all__ = ["Request", "Step", "plan"]

_USE = {"catalog": "USE CATALOG", "schema": "USE SCHEMA"}
Verb = Literal["create", "recreate", "grant", "revoke", "delete", "keep"]


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: of HTTP.
        path: its parts.
        body: as JSON; None for none.
        finalize: the model whose new version is finalized with it, in full.
    """

    method: str
    path: tuple[str, ...]
    body: Mapping[str, Any] | None = None
    finalize: str = ""


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        verb: what; "keep" does nothing.
        kind: "catalog", "schema", "table", "model", "version" or "grant".
        name: of the thing.
        why: for a person.
        requests: in order.
    """

    verb: Verb
    kind: str
    name: str
    why: str = ""
    requests: tuple[Request, ...] = field(default=(), repr=False)


def plan(wanted: Ours, client: UnityClient, *, prune: bool = False) -> tuple[Step, ...]:
    """Looks at the server and plans.

    Args:
        wanted: what it should have.
        client: of the server.
        prune: delete tables that came from this home and are there no more, and take privileges on tables of the plan
            from those to whom nothing was granted.

    Raises:
        SyncError: the server is away or refuses.
    """
    try:
        return _planned(wanted, client, prune=prune)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SyncError(
            f"{client.url} gave an answer that Unity Catalog does not give ({type(error).__name__}: {error}), so "
            "nothing was done; check the URL"
        ) from error


def _planned(wanted: Ours, client: UnityClient, *, prune: bool) -> tuple[Step, ...]:
    steps = list[Step]()
    for name in wanted.catalogs:
        steps.append(_container(client, "catalog", name, {"name": name}))
    for name in wanted.schemas:
        catalog, _, schema = name.partition(".")
        steps.append(_container(client, "schema", name, {"name": schema, "catalog_name": catalog}))
    new = {step.name for step in steps if step.verb == "create"}
    steps += [_table(client, name, body, new) for name, body in wanted.tables.items()]
    for model in wanted.models:
        steps += _model(client, model, new)
    new |= {step.name for step in steps if step.kind == "table" and step.verb in ("create", "recreate")}
    steps += _grants(client, wanted, new, prune=prune)
    return (*steps, *(_pruned(client, wanted, new) if prune else ()))


def _found(client: UnityClient, *path: str) -> dict[str, Any] | None:
    try:
        return client.get(*path)
    except Missing:
        return None


def _container(client: UnityClient, kind: str, name: str, body: Mapping[str, Any]) -> Step:
    if _found(client, f"{kind}s", name) is not None:
        return Step("keep", kind, name)
    return Step("create", kind, name, "it is not there", (Request("POST", (f"{kind}s",), body),))


def _table(client: UnityClient, name: str, body: Mapping[str, Any], new: set[str]) -> Step:
    there = None if name.rpartition(".")[0] in new else _found(client, "tables", name)
    create = Request("POST", ("tables",), body)
    if there is None:
        return Step("create", "table", name, "it is not there", (create,))
    differs = tuple(_differences(body, there))
    if not differs:
        return Step("keep", "table", name)
    # Its tables cannot be changed. Deleting an external one leaves the files alone.
    if there.get("table_type") != "EXTERNAL":
        why = f"it is there as {there.get('table_type')}, which is not ours to replace"
        return Step("keep", "table", name, why)
    return Step("recreate", "table", name, f"other {', '.join(differs)}", (Request("DELETE", ("tables", name)), create))


def _differences(body: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    if _columns(body) != _columns(there):
        yield "columns"
    if _location(body.get("storage_location")) != _location(there.get("storage_location")):
        yield "location"
    if (body.get("comment") or "") != (there.get("comment") or ""):
        yield "comment"
    kept = {key: value for key, value in (there.get("properties") or {}).items() if key.startswith(PREFIX)}
    if dict(body["properties"]) != kept:
        yield "properties"


def _columns(table: Mapping[str, Any]) -> list[tuple[object, ...]]:
    columns = sorted(table.get("columns") or (), key=lambda column: column.get("position") or 0)
    return [
        (one["name"], str(one.get("type_text")).lower(), one.get("comment") or "", one.get("nullable", True))
        for one in columns
    ]


def _location(uri: object) -> str:
    """``file:/x``, ``file:///x`` and ``file:///x/`` are one place."""
    return str(uri or "").replace("file://", "file:").rstrip("/")


def _model(client: UnityClient, model: Model, new: set[str]) -> Iterator[Step]:
    catalog, schema, name = model.name.split(".")
    names = {"catalog_name": catalog, "schema_name": schema}
    is_there = model.name.rpartition(".")[0] not in new and _found(client, "models", model.name) is not None
    if is_there:
        yield Step("keep", "model", model.name)
    else:
        yield Step("create", "model", model.name, "it is not there",
                   (Request("POST", ("models",), {"name": name, **names}),))  # fmt: skip
    listed = client.listed("model_versions", "models", model.name, "versions") if is_there else ()
    # One that was made and never finalized is made again.
    known = {str(one.get("comment") or "").partition(";")[0] for one in listed if one.get("status") in (None, "READY")}
    for ref in model.versions:
        label = f"{model.name}, version {ref.version}"
        if version_mark(ref) in known:
            yield Step("keep", "version", label)
            continue
        body = {"model_name": name, **names, "source": ref.uri, "run_id": ref.run_id, "comment": version_mark(ref)}
        yield Step("create", "version", label, "it is not there",
                   (Request("POST", ("models", "versions"), body, finalize=model.name),))  # fmt: skip


def _grants(client: UnityClient, wanted: Ours, new: set[str], *, prune: bool) -> Iterator[Step]:
    uses = dict[tuple[str, str], set[str]]()
    for table, holders in wanted.grants.items():
        there = {} if table in new else _held(client, "table", table)
        yield from _changed(table, holders, there, wanted.revoked.get(table, frozenset()), prune=prune)
        schema = table.rpartition(".")[0]
        for kind, name in (("catalog", schema.partition(".")[0]), ("schema", schema)):
            uses.setdefault((kind, name), set()).update(holders)
    for (kind, name), principals in uses.items():
        there = {} if name in new else _held(client, kind, name)
        missing = sorted(one for one in principals if _USE[kind] not in there.get(one, ()))
        if missing:
            changes = [{"principal": one, "add": [_USE[kind]], "remove": []} for one in missing]
            yield Step("grant", "grant", name, f"{_USE[kind]} to {', '.join(missing)}",
                       (Request("PATCH", ("permissions", kind, name), {"changes": changes}),))  # fmt: skip


def _changed(
    table: str, holders: Mapping[str, frozenset[str]], there: Mapping[str, set[str]], revoked: frozenset[str], *,
    prune: bool,
) -> Iterator[Step]:  # fmt: skip
    for principal in sorted({*holders, *(there if prune else revoked & there.keys())}):
        ours, theirs = holders.get(principal, frozenset()), there.get(principal, set()) & {"SELECT", "MODIFY"}
        add, remove = sorted(ours - theirs), sorted(theirs - ours)
        if add or remove:
            verb: Verb = "grant" if add else "revoke"
            why = " and ".join([*([f"{', '.join(add)} to {principal}"] if add else []),
                                *([f"no {', '.join(remove)} for {principal}"] if remove else [])])  # fmt: skip
            change = {"principal": principal, "add": add, "remove": remove}
            yield Step(verb, "grant", table, why,
                       (Request("PATCH", ("permissions", "table", table), {"changes": [change]}),))  # fmt: skip


def _held(client: UnityClient, kind: str, name: str) -> dict[str, set[str]]:
    found = _found(client, "permissions", kind, name) or {}
    return {str(one["principal"]): set(one["privileges"]) for one in found.get("privilege_assignments") or ()}


def _pruned(client: UnityClient, wanted: Ours, new: set[str]) -> Iterator[Step]:
    """Tables that came from this home: known by its mark, never others."""
    for catalog in wanted.catalogs:
        if catalog in new:
            continue
        for schema in client.listed("schemas", "schemas", catalog_name=catalog):
            for table in client.listed("tables", "tables", catalog_name=catalog, schema_name=str(schema["name"])):
                name = f"{catalog}.{schema['name']}.{table['name']}"
                ours = (table.get("properties") or {}).get(PROPERTY_HOME) == wanted.mark
                if ours and name not in wanted.tables and table.get("table_type") == "EXTERNAL":
                    yield Step("delete", "table", name, "it is no longer here", (Request("DELETE", ("tables", name)),))
