"""The lineage of a step: what it read, as its tables remember it, to what it made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from sparkml_track.catalog.system.store import SystemTables
from sparkml_track.errors import DataError
from sparkml_track.governance.edges import Edge, Job, Node, between, record
from sparkml_track.governance.sources.columns import record_columns
from sparkml_track.pipeline.outcome import Outcome
from sparkml_track.pipeline.project import Project
from sparkml_track.pipeline.steps.deploy import Deployed
from sparkml_track.pipeline.steps.register import Registered
from sparkml_track.pipeline.steps.score import ScoresWritten
from sparkml_track.pipeline.steps.sweep import Swept

__all__ = ["edges_of", "record_step"]


def record_step(project: Project, step: str, outcome: Outcome | None) -> None:
    """Records the lineage of a step that has ended.

    Args:
        project: whose tables were used.
        step: its name.
        outcome: None if it failed; tables that it wrote before are recorded.
    """
    home = project.settings.home
    edges = tuple(edges_of(project, step, outcome))
    record(home.system, edges)
    for made, columns in project.watch.columns.items():
        job = next((edge.job for edge in edges if edge.target == Node.of(made)), None)
        if job is not None:
            record_columns(home.system, made, job, columns)
    SystemTables(home.system, project.plain_tables()).settle()


def edges_of(project: Project, step: str, outcome: Outcome | None) -> Iterator[Edge]:
    """The edges of a step."""
    run = outcome.run if isinstance(outcome, Swept) else Job.new_run()
    job = Job("PIPELINE_STEP", f"{project.settings.name}.{step}", run)
    watch = project.watch
    for made, sources in watch.written.items():
        nodes = [*map(Node.of, sources), *_outside(project, step, outcome, made.name)]
        yield from between(nodes, [Node.of(made)], job)
    read = tuple(map(Node.of, watch.read))
    if isinstance(outcome, Swept):
        yield from between(read, [Node("SWEEP", outcome.sweep)], job)
    if isinstance(outcome, Deployed) and outcome.made.to == "endpoint":
        yield from between(_outside(project, step, outcome, ""), [Node("ENDPOINT", project.settings.name)], job)
    if isinstance(outcome, Registered) and (model := _model(outcome)):
        sweep = project.kept(Swept)
        yield from between([*read, Node("SWEEP", sweep.sweep)], [model], job)


def _outside(project: Project, step: str, outcome: Outcome | None, made: str) -> Iterator[Node]:
    """What a table was made from beside tables: the project's own function, or a model."""
    settings = project.settings
    if step == "prepare" and settings.prepare is not None:
        yield Node("SOURCE", settings.prepare.tables)
    if isinstance(outcome, ScoresWritten):
        yield Node("MODEL", outcome.model, outcome.version)
    elif isinstance(outcome, Deployed):
        yield Node("MODEL", outcome.made.model, outcome.made.version)
    elif step == "monitor" and settings.monitor is not None and made == f"{settings.monitor.table}_baseline":
        with suppress(DataError):  # the model that scored the period also scored the baseline
            scores = project.kept(ScoresWritten)
            yield Node("MODEL", scores.model, scores.version)


def _model(outcome: Registered) -> Node | None:
    """The model version, from its name as a person reads it."""
    name, _, version = outcome.model.rpartition(" version ")
    return Node("MODEL", name, int(version)) if version.isdigit() else None
