"""From which columns of which files each column of a data frame is made, as Spark's analyzed plan says it.

The plan is read as the JSON that Spark makes of it, in one call. A column is made of all that its expression names, and
of all that decides which rows there are: conditions, keys of joins and groups, orders. That may be more than it needs,
and is never less: a plan with a part that is not known here says nothing at all.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from sparkml_track.governance.sources.bounded import Unknown, plain
from sparkml_track.governance.sources.hidden_reads import all_of, kind_of, named_columns, named_reads
from sparkml_track.governance.sources.made import NOTHING, Source, Sources, Struct, all_of_them, merged, with_more

__all__ = ["columns_of"]


_log = logging.getLogger("sparkml_track.catalog")
_Json: TypeAlias = dict[str, Any]
#: The rows of a common table expression, until it is seen what they are of.
_ROWS = "rows"
_CTE = "\0cte"
#: Expressions that give what their first one gives.
_KEEP = ("Alias", "Cast", "First", "Last", "AggregateExpression", "WindowExpression", "KnownNotNull", "KnownNullable")
#: Leaves that are of no file.
_WITHOUT_FILES = ("LocalRelation", "Range", "OneRowRelation", "EmptyRelation")
#: Of an expression: what names no column.
_SAID = {"class", "dataType", "exprId", "explicitMetadata", "metadata", "qualifier", "resultId", "schema"}


class _Scope(NamedTuple):
    """What a part of a plan gives.

    Attributes:
        output: its columns' numbers, in order.
        made: of what each was made.
        rows: what decides which rows there are.
        cte: its number if it is a common table expression.
    """

    output: tuple[int, ...]
    made: Mapping[int, Sources]
    rows: Sources = NOTHING
    cte: int = -1

    @property
    def all(self) -> Sources:
        """Whatever it is of."""
        return self.rows.union(*(self.made[each] for each in self.output))


def columns_of(frame: Any) -> dict[str, Sources] | None:
    """Of what each column is made.

    Args:
        frame: a data frame of Spark.

    Returns:
        None where that is unknown: of a Connect session, and of plans with parts that say nothing of columns.
    """
    classic = getattr(frame, "_jdf", None)
    if classic is None:
        return None
    try:
        plan = plain(frame.sparkSession, classic.queryExecution().analyzed())
        scope = _Reader(dict(_relations(plan))).scope(json.loads(plan.toJSON()), {})
        found = {name: scope.made[each] | scope.rows for name, each in zip(frame.columns, scope.output, strict=True)}
    except Exception as error:  # noqa: BLE001  # the rows are written: whatever a plan holds, it can only be unknown
        _log.debug("the plan does not say of which columns its columns are: %r", error)
        return None
    return None if any(one.path == _CTE for each in found.values() for one in each) else found


def _relations(plan: Any) -> Iterator[tuple[int, str]]:
    """The first column of each relation of files, by its number, and the file, or what its folders have in common."""
    for part in (plan, *all_of(plan.subqueriesAll())):
        for leaf in all_of(part.collectLeaves()):
            relation = leaf.relation() if kind_of(leaf) == "LogicalRelation" else None
            if relation is not None and kind_of(relation) == "HadoopFsRelation" and not leaf.output().isEmpty():
                roots = str(relation.location().rootPaths().mkString("\0")).split("\0")
                paths = [unquote(urlsplit(root).path) for root in roots]
                common = paths[0] if len(paths) == 1 else os.path.commonpath(list(map(os.path.dirname, paths))) + "/_"
                yield int(leaf.output().head().exprId().id()), common


class _Part(NamedTuple):
    """A part of a plan, with what its children give.

    Attributes:
        node: as JSON.
        children: of it.
        inside: whatever its expressions may name.
        rows: what decides which rows its children have.
    """

    node: _Json
    children: list[_Scope]
    inside: Mapping[int, Sources]
    rows: Sources

    @property
    def first(self) -> _Scope:
        """The first child, which has a name no more."""
        return self.children[0]._replace(cte=-1)


class _Reader:
    """Reads the JSON of plans; ``files`` has a file of each relation, by the number of its first column."""

    def __init__(self, files: Mapping[int, str]) -> None:
        self._files = files

    def scope(self, nodes: Sequence[_Json], outer: Mapping[int, Sources]) -> _Scope:
        """What a plan gives.

        Args:
            nodes: its parts, each before its children.
            outer: columns of the plan that it is a subquery of.
        """
        done: list[_Scope] = []
        for node in reversed(nodes):
            children = [done.pop() for _ in range(node["num-children"])]
            done.append(self._one(node, children, outer))
        return done[-1]

    def _one(self, node: _Json, children: list[_Scope], outer: Mapping[int, Sources]) -> _Scope:
        name = _name(node)
        if not children:
            return self._leaf(name, node)
        inside = {**outer, **{key: value for child in children for key, value in child.made.items()}}
        part = _Part(node, children, inside, all_of_them([child.rows for child in children]))
        way = _WAYS.get(name)
        if way is None:
            raise Unknown(name)
        return way(self, part)

    def hand_on(self, part: _Part) -> _Scope:
        """A part that changes no column."""
        return part.first

    def choose(self, part: _Part) -> _Scope:
        """A part that takes some rows, or orders them."""
        own = [value for key, value in part.node.items() if key != "child"]
        return part.first._replace(rows=part.rows | self._used(own, part.inside))

    def project(self, part: _Part) -> _Scope:
        """Columns that are computed."""
        return self._named(part, part.node["projectList"])

    def aggregate(self, part: _Part) -> _Scope:
        """Columns of groups."""
        rows = part.rows | self._used(part.node["groupingExpressions"], part.inside)
        return self._named(part, part.node["aggregateExpressions"])._replace(rows=rows)

    def window(self, part: _Part) -> _Scope:
        """Columns beside those there are."""
        given = self._used([part.node["partitionSpec"], part.node["orderSpec"]], part.inside)
        more = self._named(part, part.node["windowExpressions"])
        made = {each: with_more(more.made[each], given) for each in more.output}
        return _Scope(part.first.output + more.output, {**part.first.made, **made}, part.rows)

    def generate(self, part: _Part) -> _Scope:
        """Columns of a generator such as explode."""
        given, output = self._used(part.node["generator"], part.inside), _attributes(part.node["generatorOutput"])
        made = {**part.first.made, **dict.fromkeys(output, given)}
        return _Scope(part.first.output + output, made, part.rows | given)

    def expand(self, part: _Part) -> _Scope:
        """Several rows of one, as grouping sets make them."""
        output = _attributes(part.node["output"])
        given = (self._used(each, part.inside) for each in zip(*part.node["projections"], strict=True))
        return _Scope(output, dict(zip(output, given, strict=True)), part.rows)

    def join(self, part: _Part) -> _Scope:
        """Columns of both sides."""
        left, right = part.children
        rows = part.rows | self._used(part.node["condition"], part.inside)
        kind = str(part.node["joinType"].get("object", "")).rpartition(".")[2]
        if kind in ("LeftSemi$", "LeftAnti$"):
            return _Scope(left.output, left.made, rows)
        if kind not in ("Inner$", "Cross$", "LeftOuter$", "RightOuter$", "FullOuter$"):
            raise Unknown(kind)
        return _Scope(left.output + right.output, {**left.made, **right.made}, rows)

    def function(self, part: _Part) -> _Scope:
        """Columns of a function in Python: each of all that it was given, unless it says what it reads."""
        output = _attributes(part.node["output"])
        called = part.node.get("functionExpr") or part.node.get("func") or [{}]
        said = str(called[0].get("name", ""))
        if read := [f"{folder}/_" for folder in named_reads(said)]:
            columns = named_columns(said) or [
                [(place, each[0]["name"]) for place in range(len(read))] for each in part.node["output"]
            ]
            made = (self._read(each, read, part.first) for each in columns)
            return _Scope(output, dict(zip(output, made, strict=True)), part.rows)
        given = all_of_them([child.all for child in part.children])
        return _Scope(output, dict.fromkeys(output, given), given)

    def _read(self, said: Sequence[tuple[int, str]], read: Sequence[str], given: _Scope) -> Sources:
        own = (given.made[given.output[int(column)]] for place, column in said if place < 0)
        return frozenset(Source(read[place], column) for place, column in said if place >= 0).union(*own)

    def distinct(self, part: _Part) -> _Scope:
        """Rows that are compared as a whole."""
        return part.first._replace(rows=all_of_them([child.all for child in part.children]))

    def union(self, part: _Part) -> _Scope:
        """Columns by their places."""
        if part.node.get("byName") or part.node.get("allowMissingCol"):
            raise Unknown("by name")
        parts = zip(*([child.made[key] for key in child.output] for child in part.children), strict=True)
        given = (merged(each) for each in parts)
        return _Scope(part.first.output, dict(zip(part.first.output, given, strict=True)), part.rows)

    def defined(self, part: _Part) -> _Scope:
        """A common table expression."""
        return part.first._replace(cte=part.node["id"])

    def with_(self, part: _Part) -> _Scope:
        """A plan after its common table expressions, which may name those before them."""
        known = dict[Source, Sources]()

        def plain(given: Sources) -> Sources:
            return all_of_them([known.get(one, frozenset([one])) for one in given])

        done = part.first
        for child in part.children:
            done = _Scope(child.output, {key: plain(value) for key, value in child.made.items()}, plain(child.rows))
            if child.cte >= 0:
                given = (done.made[key] for key in done.output)
                known |= {Source(_CTE, f"{child.cte}.{place}"): each for place, each in enumerate(given)}
                known[Source(_CTE, f"{child.cte}.{_ROWS}")] = done.rows
        return done

    def _leaf(self, name: str, node: _Json) -> _Scope:
        if name == "CTERelationRef":
            output, number = _attributes(node["output"]), node["cteId"]
            made = {key: frozenset([Source(_CTE, f"{number}.{place}")]) for place, key in enumerate(output)}
            return _Scope(output, made, frozenset([Source(_CTE, f"{number}.{_ROWS}")]))
        if name in _WITHOUT_FILES:
            output = _attributes(node.get("output", []))
            return _Scope(output, dict.fromkeys(output, NOTHING))
        if name != "LogicalRelation":
            raise Unknown(name)
        output = _attributes(node["output"])
        path = self._files.get(output[0])
        if path is None:  # of a database, say
            return _Scope(output, dict.fromkeys(output, NOTHING))
        names = [each[0]["name"] for each in node["output"]]
        return _Scope(output, {key: frozenset([Source(path, one)]) for key, one in zip(output, names, strict=True)})

    def _named(self, part: _Part, trees: Sequence[Any]) -> _Scope:
        """Columns that are handed on or computed, each under its number."""
        made = dict[int, Sources]()
        for tree in trees:
            key, kind = tree[0]["exprId"]["id"], _name(tree[0])
            if kind == "AttributeReference":
                made[key] = part.inside[key]
            elif kind == "Alias":
                made[key] = self._value(tree, part.inside) or _beside(tree[0]["name"], part)
            else:
                raise Unknown(kind)
        return _Scope(tuple(made), made, part.rows)

    def _value(self, tree: Sequence[_Json], inside: Mapping[int, Sources]) -> Sources:
        """Of what an expression is."""
        done: list[Sources] = []
        for node in reversed(tree):
            given = [done.pop() for _ in range(node["num-children"])]
            done.append(self._expression(node, given, inside))
        return done[-1]

    def _expression(self, node: _Json, given: list[Sources], inside: Mapping[int, Sources]) -> Sources:
        name, first = _name(node), given[0] if given else NOTHING
        if name == "CreateNamedStruct":
            return Struct.of(given[1::2])
        if name == "GetStructField" and isinstance(first, Struct):
            return first.field(node["ordinal"])
        own = self._used(node, inside)
        if name in _KEEP:
            return with_more(first, own.union(*given[1:]))
        return all_of_them([own, *given]) if given else own

    def _used(self, value: Any, inside: Mapping[int, Sources]) -> Sources:
        """All that expressions name, subqueries among them."""
        if isinstance(value, (list, tuple)):
            if value and isinstance(value[0], dict) and "num-children" in value[0]:
                return self._value(value, inside)
            return all_of_them([self._used(each, inside) for each in value])
        if not isinstance(value, dict):
            return NOTHING
        if _name(value) == "AttributeReference":
            return inside[value["exprId"]["id"]]
        own = NOTHING
        if isinstance(value.get("plan"), list):
            below = self.scope(value["plan"], inside)
            own, inside = below.all, {**inside, **below.made}
        rest = (each for key, each in value.items() if key not in _SAID and key != "plan")
        return own.union(*(self._used(each, inside) for each in rest if isinstance(each, (dict, list))))


def _beside(name: str, part: _Part) -> Sources:
    """What is made of no column may be a partition column: it is in no file, its reader adds it beside them."""
    among = (one.path for child in part.children for each in child.output for one in child.made[each])
    return frozenset(Source(path, name) for path in among if path != _CTE)


def _attributes(trees: Sequence[Any]) -> tuple[int, ...]:
    return tuple(tree[0]["exprId"]["id"] for tree in trees)


def _name(node: _Json) -> str:
    return str(node.get("class", "")).rpartition(".")[2]


_Way: TypeAlias = Callable[[_Reader, _Part], _Scope]
_HAND_ON = (
    *("SubqueryAlias", "View", "Repartition", "RepartitionByExpression", "RebalancePartitions", "ResolvedHint"),
    *("CollectMetrics", "EventTimeWatermark", "Subquery"),
)
#: What these name decides which rows there are.
_CHOOSE = ("Filter", "Sort", "GlobalLimit", "LocalLimit", "Offset", "Tail", "Deduplicate", "Sample")
_FUNCTIONS = (
    *("MapInArrow", "MapInPandas", "PythonMapInArrow", "FlatMapGroupsInPandas", "FlatMapGroupsInArrow"),
    *("FlatMapCoGroupsInPandas", "FlatMapCoGroupsInArrow"),
)
_WAYS: dict[str, _Way] = {
    **dict.fromkeys(_HAND_ON, _Reader.hand_on),
    **dict.fromkeys(_CHOOSE, _Reader.choose),
    **dict.fromkeys(_FUNCTIONS, _Reader.function),
    **dict.fromkeys(("Distinct", "Intersect", "Except"), _Reader.distinct),
    "Project": _Reader.project,
    "Aggregate": _Reader.aggregate,
    "Window": _Reader.window,
    "Generate": _Reader.generate,
    "Expand": _Reader.expand,
    "Join": _Reader.join,
    "Union": _Reader.union,
    "CTERelationDef": _Reader.defined,
    "WithCTE": _Reader.with_,
}
