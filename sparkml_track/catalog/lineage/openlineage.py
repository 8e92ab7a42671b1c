"""A graph of lineage as events of OpenLineage, spec 2-0-2: a START and a COMPLETE for each run of a job.

A table is a dataset named by its folder; a model version is one in the namespace of the registry, since the spec has no
facet for models. An MLflow run id is a UUID without dashes, so the run has the same identity in both.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from sparkml_track.catalog.lineage.graph import Graph
from sparkml_track.governance.edges import Edge, Job, Node

__all__ = ["events", "lines"]

_PRODUCER = "https://pypi.org/project/sparkml-track"
_SPEC = "https://openlineage.io/spec"
_RUN_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_VERSION_FACET = f"{_SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
_JOB_FACET = f"{_SPEC}/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"


def lines(graph: Graph, folders: Mapping[str, str], namespace: str = "sparkml_track") -> str:
    """The events, a JSON object in each line."""
    return "".join(json.dumps(event) + "\n" for event in events(graph, folders, namespace))


def events(graph: Graph, folders: Mapping[str, str], namespace: str = "sparkml_track") -> list[dict[str, object]]:
    """The events, in the order of time.

    Args:
        graph: of lineage.
        folders: of tables, by their names in full.
        namespace: of jobs and models.
    """
    runs = dict[tuple[str, Job], list[Edge]]()
    for edge in graph.edges:
        runs.setdefault((edge.job.run, edge.job), []).append(edge)
    found = list[dict[str, object]]()
    for (_, job), edges in runs.items():
        started, ended = min(edge.time for edge in edges), max(edge.time for edge in edges)
        inputs = [_dataset(node, folders, namespace) for node in dict.fromkeys(edge.source for edge in edges)]
        outputs = [_dataset(node, folders, namespace) for node in dict.fromkeys(edge.target for edge in edges)]
        for kind, time in (("START", started), ("COMPLETE", ended)):
            found.append(
                {
                    "eventTime": time.isoformat(),
                    "eventType": kind,
                    "producer": _PRODUCER,
                    "schemaURL": _RUN_EVENT,
                    "run": {"runId": _run_id(job.run), "facets": {}},
                    "job": {"namespace": namespace, "name": job.name, "facets": {"jobType": _job_type(job)}},
                    "inputs": inputs,
                    "outputs": outputs if kind == "COMPLETE" else [],
                }
            )
    return found


def _dataset(node: Node, folders: Mapping[str, str], namespace: str) -> dict[str, object]:
    facets: dict[str, object] = {}
    if node.version is not None:
        facets["version"] = {**_facet(_VERSION_FACET), "datasetVersion": str(node.version)}
    if node.kind == "TABLE":
        return {"namespace": "file", "name": folders.get(node.name, node.name), "facets": facets}
    folders = {"MODEL": "models:", "SWEEP": "sweeps", "ENDPOINT": "endpoints"}
    name = f"{folders[node.kind]}/{node.name}" if node.kind in folders else node.name
    return {"namespace": namespace, "name": name, "facets": facets}


def _job_type(job: Job) -> dict[str, object]:
    kinds = {"processingType": "BATCH", "integration": "SPARKML_TRACK", "jobType": job.kind}
    return {**_facet(_JOB_FACET), **kinds}


def _facet(schema: str) -> dict[str, object]:
    return {"_producer": _PRODUCER, "_schemaURL": schema}


def _run_id(run: str) -> str:
    """A UUID with dashes; what is none gets one that is always the same."""
    try:
        return str(uuid.UUID(run))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_PRODUCER}#{run}"))
