"""Events of OpenLineage: those that its own client makes of the same graph, kept in a file; what its spec demands."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sparkml_track.catalog.lineage.graph import Graph
from sparkml_track.catalog.lineage.openlineage import events
from sparkml_track.governance.edges import Edge, Job, Node

GOLDEN = Path(__file__).with_name("openlineage.json")
START = datetime(2013, 7, 4, 12, tzinfo=UTC)
RAW, TRAINING = Node("TABLE", "main.raw.sales", 3), Node("TABLE", "main.air.training", 0)
SWEEP, MODEL = Node("SWEEP", "shop-1"), Node("MODEL", "delay", 7)
SOURCE, SCORES = Node("SOURCE", "shop:raw"), Node("TABLE", "main.air.scores", 2)
FOLDERS = {"main.raw.sales": "/t/raw.sales", "main.air.training": "/t/air.training", "main.air.scores": "/t/air.scores"}


def graph() -> Graph:
    steps: list[tuple[list[Node], Node, Job]] = [
        ([SOURCE], RAW, Job("PIPELINE_STEP", "shop.prepare", uuid.UUID(int=1).hex)),
        ([RAW], TRAINING, Job("PYTHON", "train.py", uuid.UUID(int=2).hex)),
        ([TRAINING], SWEEP, Job("SWEEP", "shop", uuid.UUID(int=3).hex)),
        ([SWEEP, TRAINING], MODEL, Job("REGISTRATION", "delay", uuid.UUID(int=4).hex)),
        ([MODEL, TRAINING], SCORES, Job("QUERY", "SELECT 1", "not a uuid")),
    ]
    edges = [Edge(source, target, job, START + timedelta(minutes=number))
             for number, (sources, target, job) in enumerate(steps) for source in sources]  # fmt: skip
    return Graph(SCORES, tuple(edges))


def by_their_client() -> list[dict[str, Any]]:
    """The same events, made of the classes of the client, which check types."""
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import dataset_version_dataset, job_type_job
    from openlineage.client.serde import Serde

    def dataset(node: Node, kind: Any) -> Any:
        names = {"MODEL": f"models:/{node.name}", "SWEEP": f"sweeps/{node.name}", "TABLE": FOLDERS.get(node.name)}
        version = dataset_version_dataset.DatasetVersionDatasetFacet(str(node.version), producer=PRODUCER)
        facets = {} if node.version is None else {"version": version}
        space = "file" if node.kind == "TABLE" else "sparkml_track"
        return kind(space, names.get(node.kind) or node.name, facets=facets)

    found = []
    runs: dict[str, list[Edge]] = {}
    for edge in graph().edges:
        runs.setdefault(edge.job.run, []).append(edge)
    for edges in runs.values():
        job = edges[0].job
        kind = job_type_job.JobTypeJobFacet("BATCH", "SPARKML_TRACK", job.kind, producer=PRODUCER)
        inputs = [dataset(node, ol.InputDataset) for node in dict.fromkeys(edge.source for edge in edges)]
        outputs = [dataset(node, ol.OutputDataset) for node in dict.fromkeys(edge.target for edge in edges)]
        for state in (ol.RunState.START, ol.RunState.COMPLETE):
            event = ol.RunEvent(
                eventTime=edges[0].time.isoformat(), producer=PRODUCER, eventType=state, inputs=inputs,
                run=ol.Run(run_id(job.run)), job=ol.Job("sparkml_track", job.name, facets={"jobType": kind}),
                outputs=outputs if state == ol.RunState.COMPLETE else [],
            )  # fmt: skip
            found.append(json.loads(Serde.to_json(event)))
    return found


PRODUCER = "https://pypi.org/project/sparkml-track"


def run_id(run: str) -> str:
    try:
        return str(uuid.UUID(run))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PRODUCER}#{run}"))


def plain(event: Any) -> Any:
    """Without what is empty: the client writes some of it and leaves out the rest."""
    if isinstance(event, dict):
        return {key: left for key, value in event.items() if (left := plain(value)) not in (None, {}, [])}
    return [plain(each) for each in event] if isinstance(event, list) else event


def test_the_events_are_those_of_the_golden_file() -> None:
    assert [plain(event) for event in events(graph(), FOLDERS)] == json.loads(GOLDEN.read_text())


def test_the_golden_file_is_made_by_their_client() -> None:
    pytest.importorskip(
        "openlineage.client", reason="NOT CHECKED against OpenLineage's own client: it is not installed"
    )
    assert [plain(event) for event in by_their_client()] == json.loads(GOLDEN.read_text())


def test_each_event_has_what_the_spec_demands() -> None:
    """Required fields and formats of RunEvent, Run, Job and Dataset of spec 2-0-2, and of facets."""
    for event in events(graph(), FOLDERS):
        found: Any = event
        assert {"eventTime", "producer", "schemaURL", "run", "job"} <= found.keys()
        assert found["eventType"] in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
        assert datetime.fromisoformat(found["eventTime"]).tzinfo is not None
        assert str(uuid.UUID(found["run"]["runId"])) == found["run"]["runId"]
        things = [found["job"], *found["inputs"], *found["outputs"]]
        assert all(thing["namespace"] and thing["name"] for thing in things)
        facets = [facet for thing in [found["run"], *things] for facet in thing["facets"].values()]
        urls = [found["schemaURL"], *(facet["_schemaURL"] for facet in facets)]
        assert all(facet["_producer"] == PRODUCER for facet in facets)
        assert all(re.fullmatch(r"https://openlineage\.io/spec/\S+\.json#/\$defs/\w+", url) for url in urls)
