"""A plan whose JSON is about as long as the plan.

Spark writes what is a child twice where an expression also holds it in another form: each CASE that lies in another one
doubles the JSON, and so does each function that is replaced by others. Twenty of them would take the driver's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparkml_track.governance.sources.hidden_reads import all_of

__all__ = ["Unknown", "plain"]

#: So many CASEs in one expression, which may all lie in each other, make its JSON a thousand times as long.
_CASES = 10
_APART = "\0"


class Unknown(Exception):
    """A plan, or a part of one, that is not read here."""


def plain(session: Any, plan: Any) -> Any:
    """The same plan, with what functions are replaced by.

    Args:
        session: of Spark.
        plan: analyzed.

    Raises:
        Unknown: its JSON may be too long.
    """
    replaced = session._jvm.org.apache.spark.sql.catalyst.optimizer.ReplaceExpressions.apply(plan)  # noqa: SLF001
    for root in (replaced, *all_of(replaced.subqueriesAll())):
        for node in _nodes(root):
            if any(text.count("CASE WHEN") > _CASES for text in node.expressions().mkString(_APART).split(_APART)):
                raise Unknown("many CASEs in one expression")
    return replaced


def _nodes(plan: Any) -> Iterator[Any]:
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += all_of(node.children())
