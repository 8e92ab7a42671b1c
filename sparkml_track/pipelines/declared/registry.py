"""Where decorators put what they declare while a file is read, and what is checked of all of it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparkml_track.errors import InvalidInput, TableError
from sparkml_track.governance.names import SYSTEM, full_name
from sparkml_track.pipelines.declared.values import Declared, Expectation, Flow, Query, Target, View
from sparkml_track.tables import check_name

__all__ = ["Registry", "add_rules", "current", "declaring", "place_of_caller"]

_CURRENT: ContextVar[Registry | None] = ContextVar("registry", default=None)
_RULES = "__sparkml_expectations__"


class Registry:
    """What was declared so far."""

    def __init__(self) -> None:
        self.targets: list[tuple[Target, Query | None]] = []
        self.views: list[View] = []
        self.flows: list[Flow] = []

    @classmethod
    def joined(cls, *parts: Registry) -> Registry:
        """Everything of several."""
        made = cls()
        for part in parts:
            made.targets += part.targets
            made.views += part.views
            made.flows += part.flows
        return made

    def add_target(self, target: Target, query: Query | None = None) -> None:
        """Adds a table, with its own flow if it has a query."""
        self.targets.append((target, query))
        if query is not None:
            self.add_flow(Flow(target.name, target.name, query, target.place))

    def add_view(self, view: View) -> None:
        """Adds a temporary view."""
        self.views.append(view)

    def add_flow(self, flow: Flow) -> None:
        """Adds a flow into a table that is declared before or after it."""
        self.flows.append(flow)

    def declared(self) -> Declared:
        """All of it.

        Raises:
            InvalidInput: names that repeat or cannot be, flows without a target; one sentence for each.
        """
        targets = [replace(target, expectations=_rules(target, query)) for target, query in self.targets]
        targets_and_views: list[Target | View] = [*targets, *self.views]
        problems = [
            *_twice(targets_and_views, "table or view"),
            *_twice(self.flows, "flow"),
            *(problem for target in targets for problem in _problems_of(target)),
            *(problem for view in self.views for problem in _problems_of_view(view)),
            *_without_target(self.flows, targets),
            *_without_flow(self.flows, targets),
        ]
        if problems:
            raise InvalidInput(*problems)
        named = {target.name: target for target in targets}
        return Declared(named, {view.name: view for view in self.views}, tuple(self.flows))


@contextmanager
def declaring(registry: Registry) -> Iterator[None]:
    """Lets decorators declare into a registry."""
    token = _CURRENT.set(registry)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current(what: str) -> Registry:
    """The registry that decorators declare into.

    Raises:
        InvalidInput: there is none.
    """
    registry = _CURRENT.get()
    if registry is None:
        raise InvalidInput(
            f"{what} declares a part of a pipeline, and none is being read: run its file by `sparkml-track pipeline "
            "run FILE`, or declare it in `with pipeline.declaring():`"
        )
    return registry


def add_rules(query: Any, rules: Sequence[Expectation]) -> None:
    """Adds rules to the function of a flow, before or after its table is declared; the topmost is first."""
    setattr(query, _RULES, [*rules, *getattr(query, _RULES, [])])


def place_of_caller() -> str:
    """File and line of the code outside of this package that is at work."""
    here, frame = str(Path(__file__).parent), sys._getframe(1)  # noqa: SLF001  # the way to the caller's line
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _rules(target: Target, query: Query | None) -> tuple[Expectation, ...]:
    return (*target.expectations, *getattr(query, _RULES, ()))


def _twice(named: Sequence[Target | View] | Sequence[Flow], what: str) -> Iterator[str]:
    seen: dict[str, Target | View | Flow] = {}
    for each in named:
        key = each.name if isinstance(each, Flow) else full_name(each.name).lower()
        if key in seen:
            yield f"{each.place}: the {what} {each.name} is declared at {seen[key].place} already; name one otherwise"
        seen.setdefault(key, each)


def _problems_of(target: Target) -> Iterator[str]:
    try:
        check_name(target.name)
    except TableError as error:
        yield f"{target.place}: {error}"
        return
    if full_name(target.name).split(".")[1].lower() == SYSTEM:
        yield f"{target.place}: {target.name} is in the schema {SYSTEM}, which only this package writes; choose another"
    names = [rule.name for rule in target.expectations]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{target.place}: {target.name} has two expectations named {name!r}; each has a name of its own"


def _problems_of_view(view: View) -> Iterator[str]:
    if not view.name.isidentifier():
        yield f"{view.place}: {view.name!r} cannot name a temporary view; allowed is one identifier"
    if getattr(view.query, _RULES, ()):
        yield (
            f"{view.place}: the temporary view {view.name} has expectations, which are checked where rows are written: "
            "put them on the table that reads it"
        )


def _without_target(flows: Sequence[Flow], targets: Sequence[Target]) -> Iterator[str]:
    kinds = {target.name: target.kind for target in targets}
    for flow in flows:
        if flow.target not in kinds:
            near = difflib.get_close_matches(flow.target, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else "declare it by dp.create_streaming_table"
            yield f"{flow.place}: flow {flow.name} writes {flow.target}, which no file declares; {hint}"
        elif kinds[flow.target] == "materialized view" and flow.name != flow.target:
            yield (
                f"{flow.place}: flow {flow.name} appends to {flow.target}, a materialized view, which is written "
                "whole; append to a streaming table"
            )


def _without_flow(flows: Sequence[Flow], targets: Sequence[Target]) -> Iterator[str]:
    written = {flow.target for flow in flows}
    for target in targets:
        if target.name not in written:
            yield f"{target.place}: no flow writes {target.name}; add one by @dp.append_flow(target={target.name!r})"
