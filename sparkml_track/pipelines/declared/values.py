"""What a pipeline is made of, as its files declare it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Action", "Declared", "Expectation", "Flow", "Kind", "Query", "SqlQuery", "Target", "View"]

Action = Literal["warn", "drop", "fail", "quarantine"]
Kind = Literal["materialized view", "streaming table"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A rule that each row must meet; one for which it is false or null does not.

    Attributes:
        name: unique among the rules of a table.
        condition: in Spark's SQL.
        action: what becomes of a row that does not: "warn" keeps and counts it, "drop" leaves it out, "quarantine"
            puts it into the table ``<name>_quarantine`` instead, "fail" ends the flow, and nothing is written.
    """

    name: str
    condition: str
    action: Action


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """The SELECT of a file."""

    text: str

    def __call__(self) -> Any:
        """Gives its rows, as the function of a flow does."""
        from sparkml_track.pipelines.declared.doors import spark

        return spark.sql(self.text)


#: Gives the rows of a flow or view, as a DataFrame.
Query: TypeAlias = Callable[[], Any] | SqlQuery


@dataclass(frozen=True, slots=True)
class Target:
    """A table that flows write.

    Attributes:
        name: one to three identifiers.
        kind: written whole, or appended to.
        place: where it is declared.
        comment: the description of the table.
        partition_by: columns that part its files.
        expectations: of its rows.
    """

    name: str
    kind: Kind
    place: str
    comment: str = ""
    partition_by: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    @property
    def quarantine(self) -> str | None:
        """The table of the rows that are kept apart, None where no rule asks for that."""
        return f"{self.name}_quarantine" if any(rule.action == "quarantine" for rule in self.expectations) else None


@dataclass(frozen=True, slots=True)
class Flow:
    """Rows on their way into a target.

    Attributes:
        name: that of its target where there is no other.
        target: the name of the table.
        query: gives the rows.
        place: where it is declared.
    """

    name: str
    target: str
    query: Query
    place: str


@dataclass(frozen=True, slots=True)
class View:
    """A name for a query; its rows are not stored."""

    name: str
    query: Query
    place: str


@dataclass(frozen=True, slots=True)
class Declared:
    """All of a pipeline, in the order of its files.

    Attributes:
        targets: by name.
        views: by name.
        flows: each with a target among them.
    """

    targets: Mapping[str, Target] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()

    def flows_of(self, target: str) -> tuple[Flow, ...]:
        """The flows that write a target."""
        return tuple(flow for flow in self.flows if flow.target == target)
