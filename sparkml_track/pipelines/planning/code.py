"""Digests of what flows execute: functions with all that they reach, SELECTs, rules, and the views between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from types import FunctionType

from sparkml_track.engine.identity.objective_code import plain, reached
from sparkml_track.pipelines.declared.sql_words import words_of
from sparkml_track.pipelines.declared.values import Query, SqlQuery, Target
from sparkml_track.pipelines.planning.graph import Node

__all__ = ["code_digest", "user_modules"]


def code_digest(node: Node, target: Target, seen: dict[int, object] | None = None) -> str:
    """Names what a flow executes; comments and blanks of SQL do not count.

    Args:
        node: the flow, with the views that it goes through.
        target: what it writes.
        seen: queries that were looked at already, for the next call.
    """
    known = {} if seen is None else seen
    described = {
        "flow": _described(node.flow.query, known),
        "views": {view.name: _described(view.query, known) for view in node.views},
        "rules": [[rule.name, rule.condition, rule.action] for rule in target.expectations],
        "partition_by": target.partition_by,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def user_modules(queries: Iterable[Query]) -> set[str]:
    """The names of the user's own modules that functions reach, beside those that they are in."""
    return {
        name for query in queries if not isinstance(query, SqlQuery) for name in reached(query, script=False).modules
    }


def _described(query: Query, seen: dict[int, object]) -> object:
    if id(query) not in seen:
        seen[id(query)] = _looked_at(query)
    return seen[id(query)]


def _looked_at(query: Query) -> object:
    if isinstance(query, SqlQuery):
        return [word.text for word in words_of(query.text)]
    found = reached(query, script=False)
    return [found.names, found.modules, _defaults(query)]


def _defaults(query: object) -> Mapping[str, str]:
    """Defaults of arguments: how flows that are made in a loop differ."""
    if not isinstance(query, FunctionType):
        return {}
    names = query.__code__.co_varnames[: query.__code__.co_argcount]
    last = dict(zip(names[::-1], (query.__defaults__ or ())[::-1], strict=False))
    return {name: repr(value) for name, value in {**last, **(query.__kwdefaults__ or {})}.items() if plain(value)}
