"""What tests of pipelines share: tables in memory, a pipeline from lines of a file, and updates that only note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pyarrow as pa

from sparkml_track.pipelines import Pipeline
from sparkml_track.pipelines.planning.marks import Place, application, notes_of
from sparkml_track.pipelines.planning.plan import prepared
from sparkml_track.tables import MemoryTables, Tables

HEAD = "from sparkml_track import pipelines as dp\n"


def rows(*values: int) -> pa.Table:
    return pa.table({"v": pa.array(values, pa.int64())})


def from_file(folder: Path, text: str, tables: Tables | None = None, name: str = "flow") -> Pipeline:
    """A pipeline of one file."""
    file = folder / f"{name}.py"
    file.write_text(HEAD + dedent(text))
    return Pipeline("p", [file], folder / "home", tables if tables is not None else MemoryTables())


def planned(pipeline: Pipeline, *refresh: str) -> dict[str, tuple[str, str]]:
    """Work and reason for each flow."""
    return {one.flow.name: (one.work, one.why) for one in pipeline.plan(refresh).decisions}


def wrote(pipeline: Pipeline, tables: Tables, flow: str, data: pa.Table, place: Place | None = None) -> None:
    """Writes as an update does, without Spark."""
    ready = prepared("p", pipeline.declared(), tables)
    node = next(node for node in ready.graph.nodes if node.flow.name == flow)
    inputs: Mapping[str, int] = {name: tables.pin(name).version for name in node.names}
    app, last = application("p", flow), tables.done(flow, application("p", flow)) if tables.exists(flow) else None
    transaction = place.transaction(app) if place else (app, 0 if last is None else last + 1)
    notes = notes_of("p", flow, "u", ready.codes[flow], json.loads(json.dumps(inputs)))
    mode = "append" if place else "overwrite"
    tables.write(flow, data, mode=mode, transaction=transaction, before_commit=lambda: notes)  # type: ignore[arg-type]
