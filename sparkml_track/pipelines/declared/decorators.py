"""Decorators in the words of Spark Declarative Pipelines; arguments without a meaning here are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.registry import current, place_of_caller
from sparkml_track.pipelines.declared.values import Action, Expectation, Flow, Kind, Target, View

__all__ = ["append_flow", "create_streaming_table", "materialized_view", "table", "temporary_view"]

Function = TypeVar("Function", bound=Callable[[], Any])

# What Spark's or Databricks' decorators take beside, and what to do here.
_OTHERS = {
    "spark_conf": "set it for the session, in the config file under spark.conf",
    "table_properties": "set them by Tables.set_properties",
    "cluster_by": "sort files by Tables.optimize(by=...)",
    "cluster_by_auto": "sort files by Tables.optimize(by=...)",
    "schema": "cast columns in the query",
    "format": "outputs are Delta tables",
    "path": "outputs are tables of the home",
    "private": "use a temporary view",
    "row_filter": "leave rows out in the query",
    "once": "insert the rows by Tables.write",
}


def materialized_view(
    query_function: Function | None = None,
    *,
    name: str | None = None,
    comment: str | None = None,
    partition_cols: Sequence[str] | None = None,
    **others: object,
) -> Any:
    """Declares a table that is written whole, whenever its code or what it reads has changed.

    Args:
        query_function: gives the rows as a DataFrame; not given when the decorator has arguments.
        name: of the table; that of the function by default.
        comment: the description of the table.
        partition_cols: columns that part its files.
        **others: refused.

    Raises:
        InvalidInput: an argument that has no meaning here; outside of a pipeline.
    """
    return _table("materialized_view", "materialized view", query_function, name, (comment, partition_cols, others))


def table(
    query_function: Function | None = None,
    *,
    name: str | None = None,
    comment: str | None = None,
    partition_cols: Sequence[str] | None = None,
    **others: object,
) -> Any:
    """Declares a streaming table with its flow: each update appends what came since the last one, exactly once.

    The function reads one stream: the rows that were appended to a table, by ``read_stream``, or a stream from outside,
    by ``spark.readStream``. Each update sees the new rows alone, so sums over all rows belong into a materialized view.

    Args:
        query_function: as in ``materialized_view``.
        name: as in ``materialized_view``.
        comment: as in ``materialized_view``.
        partition_cols: as in ``materialized_view``.
        **others: refused.

    Raises:
        InvalidInput: as ``materialized_view``.
    """
    return _table("table", "streaming table", query_function, name, (comment, partition_cols, others))


def create_streaming_table(  # noqa: PLR0913  # keywords, each with a default
    name: str,
    *,
    comment: str | None = None,
    partition_cols: Sequence[str] | None = None,
    expect_all: Mapping[str, str] | None = None,
    expect_all_or_drop: Mapping[str, str] | None = None,
    expect_all_or_fail: Mapping[str, str] | None = None,
    expect_all_or_quarantine: Mapping[str, str] | None = None,
    **others: object,
) -> None:
    """Declares a streaming table that ``append_flow`` functions write.

    Args:
        name: of the table.
        comment: as in ``materialized_view``.
        partition_cols: as in ``materialized_view``.
        expect_all: rules as in the decorator of this name, by name.
        expect_all_or_drop: the same.
        expect_all_or_fail: the same.
        expect_all_or_quarantine: the same.
        **others: refused.

    Raises:
        InvalidInput: as ``materialized_view``.
    """
    given: list[tuple[Action, Mapping[str, str] | None]] = [
        ("warn", expect_all),
        ("drop", expect_all_or_drop),
        ("fail", expect_all_or_fail),
        ("quarantine", expect_all_or_quarantine),
    ]
    rules = tuple(Expectation(key, rule, action) for action, each in given for key, rule in (each or {}).items())
    _refuse("create_streaming_table", others)
    made = _target(name, "streaming table", comment, partition_cols, rules)
    current("dp.create_streaming_table").add_target(made)


def append_flow(*, target: str, name: str | None = None, **others: object) -> Callable[[Function], Function]:
    """Declares a further flow into a streaming table.

    Args:
        target: the name of the table.
        name: of the flow, under which it remembers how far it is; that of the function by default.
        **others: refused.

    Raises:
        InvalidInput: as ``materialized_view``.
    """
    _refuse("append_flow", others)

    def decorate(function: Function) -> Function:
        registry = current("@dp.append_flow")
        registry.add_flow(Flow(name or _name_of(function), target, function, place_of_caller()))
        return function

    return decorate


def temporary_view(
    query_function: Function | None = None,
    *,
    name: str | None = None,
    comment: str | None = None,  # noqa: ARG001  # kept for files that are Lakeflow's as well
    **others: object,
) -> Any:
    """Declares a name for a query, for the flows of this pipeline alone; its rows are not stored.

    Args:
        query_function: as in ``materialized_view``.
        name: one identifier; that of the function by default.
        comment: for readers of the code.
        **others: refused.

    Raises:
        InvalidInput: as ``materialized_view``.
    """
    _refuse("temporary_view", others)

    def decorate(function: Function) -> Function:
        registry = current("@dp.temporary_view")
        registry.add_view(View(name or _name_of(function), function, place_of_caller()))
        return function

    return decorate if query_function is None else decorate(query_function)


def _table(
    decorator: str,
    kind: Kind,
    function: Function | None,
    name: str | None,
    rest: tuple[str | None, Sequence[str] | None, Mapping[str, object]],
) -> Any:
    comment, partition_cols, others = rest
    _refuse(decorator, others)

    def decorate(function: Function) -> Function:
        registry = current(f"@dp.{decorator}")
        registry.add_target(_target(name or _name_of(function), kind, comment, partition_cols), function)
        return function

    return decorate if function is None else decorate(function)


def _target(
    name: str,
    kind: Kind,
    comment: str | None,
    partition_cols: Sequence[str] | None,
    rules: tuple[Expectation, ...] = (),
) -> Target:
    columns = (partition_cols,) if isinstance(partition_cols, str) else tuple(partition_cols or ())
    return Target(name, kind, place_of_caller(), comment or "", columns, rules)


def _name_of(function: object) -> str:
    if not callable(function) or not hasattr(function, "__name__"):
        raise InvalidInput(
            f"{place_of_caller()}: a flow is a function without arguments that returns a DataFrame, not {function!r}"
        )
    return str(function.__name__)


def _refuse(decorator: str, others: Mapping[str, object]) -> None:
    for name in others:
        way_out = _OTHERS.get(name, "leave it out")
        raise InvalidInput(f"{place_of_caller()}: dp.{decorator} does not take {name}= here; {way_out}")
