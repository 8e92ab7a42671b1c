"""An edge of lineage: who made a version of one thing from a version of another. Recording costs a line of a file."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sparkml_track.errors import TableError
from sparkml_track.governance import spool
from sparkml_track.governance.names import full_name
from sparkml_track.governance.principals import user
from sparkml_track.refs import ModelRef, TableRef

__all__ = ["Edge", "Job", "JobKind", "Kind", "Node", "between", "record", "record_sweep"]

Kind = Literal["TABLE", "MODEL", "SWEEP", "SOURCE", "ENDPOINT"]
JobKind = Literal["PIPELINE_STEP", "PIPELINE", "SWEEP", "QUERY", "REGISTRATION", "PYTHON"]
_log = logging.getLogger("sparkml_track.catalog")


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One version of a thing.

    Attributes:
        kind: TABLE, MODEL (a registered one), SWEEP, SOURCE (a function that brings rows from outside) or ENDPOINT
            (a process that serves).
        name: of a table in full; of a model as registered; a sweep's id; of a function its path;
            of an endpoint that of its project.
        version: of tables and models.
    """

    kind: Kind
    name: str
    version: int | None = None

    @classmethod
    def of(cls, ref: TableRef | ModelRef) -> Node:
        """What a reference means."""
        if isinstance(ref, TableRef):
            return cls("TABLE", full_name(ref.name), ref.version)
        return cls("MODEL", ref.name, ref.version)

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.name}" + ("" if self.version is None else f"@{self.version}")


@dataclass(frozen=True, slots=True)
class Job:
    """Who made something.

    Attributes:
        kind: PIPELINE_STEP, PIPELINE (a flow of one), SWEEP, QUERY, REGISTRATION, or PYTHON for what a script did with
            tables itself.
        name: "flights.features", a sweep's name, a query's text cut short, a model's name, a script and what it did.
        run: one execution of it, as 32 hexadecimal digits: an MLflow run where there is one.
        code: digest of what was executed, empty if unknown.
    """

    kind: JobKind
    name: str
    run: str
    code: str = ""

    @staticmethod
    def new_run() -> str:
        """An id for an execution that no MLflow run stands for."""
        return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` was read to make ``target``.

    Attributes:
        time: when the target was there.
    """

    source: Node
    target: Node
    job: Job
    time: datetime


def between(sources: Iterable[Node], targets: Sequence[Node], job: Job) -> tuple[Edge, ...]:
    """An edge from each source to each target, now; nothing is made from itself."""
    now = datetime.now(UTC)
    return tuple(
        Edge(source, target, job, now)
        for source in dict.fromkeys(sources)
        for target in dict.fromkeys(targets)
        if source != target
    )


def record(folder: Path, edges: Sequence[Edge]) -> None:
    """Writes edges; what was made stays made if they cannot be written, and the log says so.

    Args:
        folder: of rows on their way into system tables.
        edges: of one thing that was made.
    """
    if not edges:
        return
    who = user()
    try:
        spool.append(folder, "lineage", [_row(edge) | {"created_by": who} for edge in edges])
    except TableError as error:
        _log.warning("the lineage of %s was not recorded: %s", edges[0].target, error)


def record_sweep(folder: Path, tables: Iterable[TableRef], sweep: str, job: Job) -> None:
    """Writes from which versions of tables a sweep has its data."""
    record(folder, between(map(Node.of, tables), [Node("SWEEP", sweep)], job))


def _row(edge: Edge) -> dict[str, object]:
    return {
        "event_time": edge.time,
        "entity_type": edge.job.kind,
        "entity_id": edge.job.name,
        "entity_run_id": edge.job.run,
        "source_type": edge.source.kind,
        "source_full_name": edge.source.name,
        "source_version": edge.source.version,
        "target_type": edge.target.kind,
        "target_full_name": edge.target.name,
        "target_version": edge.target.version,
        "code": edge.job.code,
    }
