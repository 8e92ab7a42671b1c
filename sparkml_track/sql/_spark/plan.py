"""A query as Spark's own parser sees it: whether it is one SELECT, and where it names tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sparkml_track.errors import InvalidInput
from sparkml_track.sql._base import Mention

__all__ = ["Place", "known_names", "places", "refuse_others", "words"]

_LOGICAL = "org.apache.spark.sql.catalyst.plans.logical"
_COMMAND = f"{_LOGICAL}.Command"
_SUBQUERY = "org.apache.spark.sql.catalyst.expressions.PlanExpression"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table is named.

    Attributes:
        mention: which.
        start: of the name in the text.
        end: after it.
        aliased: whether an alias follows.
    """

    mention: Mention
    start: int
    end: int
    aliased: bool


def refuse_others(jvm: Any, plan: Any) -> None:
    """Refuses everything but a SELECT.

    Args:
        jvm: of the session.
        plan: of Spark's parser.

    Raises:
        InvalidInput: names what it is.
    """
    for node, _ in _nodes(jvm, plan, None):
        name = str(node.getClass().getSimpleName()).rstrip("$")
        if _is(jvm, _COMMAND, node) or name in ("InsertIntoStatement", "ScriptTransformation", "RelationTimeTravel"):
            raise InvalidInput(
                f"the query is not a SELECT that can be answered here (Spark's parser found {name}); allowed is one "
                "SELECT. Rows are written by --save, versions are asked by --at, never by SQL"
            )


def places(jvm: Any, plan: Any) -> tuple[Place, ...]:
    """Where tables are named; names of common table expressions are left out."""
    return tuple(_places(jvm, plan))


def words(jvm: Any, plan: Any) -> set[str]:
    """Names of functions, in lower case, and ``sample`` where rows are taken by chance."""
    found = set()
    for node, _ in _nodes(jvm, plan, None):
        if node.getClass().getSimpleName() == "Sample":
            found.add("sample")
        for expression in _expressions(node):
            name = str(expression.getClass().getSimpleName())
            if name == "UnresolvedFunction":
                found.add(str(_seq(expression.nameParts())[-1]).lower())
            elif name == "UnresolvedAttribute" and len(parts := _seq(expression.nameParts())) == 1:
                found.add(str(parts[0]).lower())
            else:
                found.add(name.lower())
    return found


def known_names(jvm: Any, plan: Any) -> frozenset[str]:
    """The names of common table expressions, in lower case."""
    return frozenset(name for node, _ in _nodes(jvm, plan, None) for name in _names_of_expressions(node))


def _places(jvm: Any, plan: Any) -> Iterator[Place]:
    known = known_names(jvm, plan)
    for node, parent in _nodes(jvm, plan, None):
        if node.getClass().getSimpleName() != "UnresolvedRelation":
            continue
        parts = tuple(str(part) for part in _seq(node.multipartIdentifier()))
        if len(parts) == 1 and parts[0].lower() in known:
            continue
        if len(parts) > 3:
            raise InvalidInput(
                f"{'.'.join(parts)} has {len(parts)} parts; a table has at most three: catalog, schema, name"
            )
        origin = node.origin()
        aliased = parent is not None and parent.getClass().getSimpleName() == "SubqueryAlias"
        yield Place(Mention(parts), int(origin.startIndex().get()), int(origin.stopIndex().get()) + 1, aliased)


def _names_of_expressions(node: Any) -> Iterator[str]:
    if node.getClass().getSimpleName() == "UnresolvedWith":
        yield from (str(_of_pair(each, 1)).lower() for each in _seq(node.cteRelations()))


def _nodes(jvm: Any, plan: Any, parent: Any) -> Iterator[tuple[Any, Any]]:
    """All nodes of a plan, with those of subqueries, each with its parent."""
    yield plan, parent
    for child in _seq(plan.children()):
        yield from _nodes(jvm, child, plan)
    if plan.getClass().getSimpleName() == "UnresolvedWith":
        for each in _seq(plan.cteRelations()):
            yield from _nodes(jvm, _of_pair(each, 2), None)
    for expression in _expressions(plan):
        if _is(jvm, _SUBQUERY, expression):
            yield from _nodes(jvm, expression.plan(), None)


def _expressions(node: Any) -> Iterator[Any]:
    waiting = _seq(node.expressions())
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting += _seq(expression.children())


def _seq(scala: Any) -> list[Any]:
    return [scala.apply(index) for index in range(scala.size())]


def _of_pair(pair: Any, member: int) -> Any:
    return getattr(pair, f"_{member}")()


def _is(jvm: Any, name: str, node: Any) -> bool:
    return bool(jvm.java.lang.Class.forName(name).isInstance(node))
