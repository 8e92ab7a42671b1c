"""A query as DuckDB's own parser sees it (``json_serialize_sql``): which tables it names, and the query over views.

Only SELECT statements can be serialised, so the parser itself says what is one. Names are replaced in the tree, never
in the text: DuckDB reserves the catalogs ``main`` and ``system``, which are names of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from sparkml_track.errors import InvalidInput
from sparkml_track.sql._base import Mention

__all__ = ["Node", "over_views", "parameters_of", "select_of", "tables_of", "words_of"]

Node: TypeAlias = dict[str, Any]
_Visit: TypeAlias = Callable[[Node], None]


def select_of(tree: Node) -> Node:
    """The one SELECT of a serialised query.

    Raises:
        InvalidInput: it is wrong, is another statement, or there are several.
    """
    if tree["error"]:
        raise InvalidInput(_refusal(tree))
    statements = tree["statements"]
    if len(statements) != 1:
        raise InvalidInput(f"the query holds {len(statements)} statements; allowed is one SELECT")
    node: Node = statements[0]["node"]
    if any(each.get("type") == "SHOW_REF" and each.get("query") is None for each in _nodes(node)):
        raise InvalidInput("the query is SHOW, which has nothing to list here; ask information_schema.tables instead")
    return node


def _refusal(tree: Node) -> str:
    message = str(tree.get("error_message", ""))
    if tree.get("error_type") == "parser":
        at = f" at character {int(tree['position']) + 1}" if str(tree.get("position", "")).isdigit() else ""
        return f"the query is not SQL{at}: {message}"
    return (
        "the query is not a SELECT that can be answered here; allowed is one SELECT (PIVOT only with its values "
        "listed: PIVOT t ON x IN (1, 2) ...). Rows are written by --save, never by SQL"
    )


def tables_of(select: Node) -> tuple[Mention, ...]:
    """The tables it names, each once, in order.

    Raises:
        InvalidInput: a version that is not a whole number.
    """
    found: dict[Mention, None] = {}
    _each_table(select, frozenset(), lambda node: found.setdefault(_mention(node)))
    return tuple(found)


def parameters_of(tree: Node) -> frozenset[str]:
    """The names of parameters.

    Raises:
        InvalidInput: some have no names.
    """
    names = {str(each["identifier"]) for each in _nodes(tree) if each.get("class") == "PARAMETER"}
    if unnamed := sorted(name for name in names if name.isdigit()):
        raise InvalidInput(f"the query has the parameters {', '.join(unnamed)} without names; write $name")
    return frozenset(names)


def words_of(select: Node) -> set[str]:
    """Names of functions and of single columns, in lower case; ``current_date`` is one or the other."""
    words = {str(each["function_name"]).lower() for each in _nodes(select) if "function_name" in each}
    columns = (each["column_names"] for each in _nodes(select) if "column_names" in each)
    return words | {str(names[0]).lower() for names in columns if len(names) == 1}


def samples(select: Node) -> bool:
    """Whether rows are taken by chance."""
    return any(each.get("sample") for each in _nodes(select))


def over_views(select: Node, views: Mapping[Mention, str]) -> None:
    """Changes a query so that it reads views, under the names and aliases it had.

    Args:
        select: changed in place.
        views: the name of the view for each table.
    """
    qualified: dict[tuple[str, ...], str] = {}

    def replace(node: Node) -> None:
        mention = _mention(node)
        if not node["alias"]:
            node["alias"] = mention.parts[-1]
            for start in range(len(mention.parts) - 1):
                qualified[_folded(mention.parts[start:])] = mention.parts[-1]
        node.update(catalog_name="", schema_name="", table_name=views[mention], at_clause=None)

    _each_table(select, frozenset(), replace)
    for node in _nodes(select):
        if len(names := node.get("column_names", ())) > 2:
            node["column_names"] = _shortened(names, qualified)


def _shortened(names: list[str], qualified: Mapping[tuple[str, ...], str]) -> list[str]:
    """``air.flights.delay`` as ``flights.delay``."""
    for length in (3, 2):
        alias = qualified.get(_folded(tuple(names[:length])))
        if alias is not None and len(names) > length:
            return [alias, *names[length:]]
    return names


def _folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts)


def _mention(node: Node) -> Mention:
    parts = tuple(str(node[key]) for key in ("catalog_name", "schema_name", "table_name") if node[key])
    return Mention(parts, _version(node.get("at_clause"), ".".join(parts)))


def _version(clause: Node | None, name: str) -> int | None:
    if clause is None:
        return None
    value = clause["expr"].get("value")
    found = value.get("value") if isinstance(value, dict) else None
    if str(clause["unit"]).upper() != "VERSION" or not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise InvalidInput(f"table {name} is asked AT something else than a version; write {name} AT (VERSION => 3)")
    return found


def _each_table(node: object, known: frozenset[str], visit: _Visit) -> None:
    """Visits the tables below a node; names of common table expressions that are in sight are none."""
    if isinstance(node, dict):
        if node.get("type") == "RECURSIVE_CTE_NODE":
            known |= {str(node["cte_name"]).lower()}
        if isinstance(node.get("cte_map"), dict):
            known = _expressions(node["cte_map"]["map"], known, visit)
        if node.get("type") == "BASE_TABLE" and not _is_expression(node, known):
            visit(node)
        for key, value in node.items():
            if key != "cte_map":
                _each_table(value, known, visit)
    for each in node if isinstance(node, list) else ():
        _each_table(each, known, visit)


def _expressions(entries: list[Node], known: frozenset[str], visit: _Visit) -> frozenset[str]:
    """Visits common table expressions: each sees those before it."""
    for entry in entries:
        _each_table(entry["value"], known, visit)
        known |= {str(entry["key"]).lower()}
    return known


def _is_expression(node: Node, known: frozenset[str]) -> bool:
    alone = not node["catalog_name"] and not node["schema_name"]
    return alone and str(node["table_name"]).lower() in known


def _nodes(node: object) -> Iterator[Node]:
    """All mappings of a tree."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += [value for value in node.values() if isinstance(value, dict | list)]
        elif isinstance(node, list):
            waiting += node
