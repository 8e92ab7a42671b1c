"""What a parent run is made of: its experiment, tags and dataset inputs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException

from sparkml_track import schema
from sparkml_track.errors import TrackingError
from sparkml_track.refs import DataRef
from sparkml_track.trackers._base import ParentEnd, ParentRun
from sparkml_track.trackers._names import MAX_TAG, clipped, key, renamed
from sparkml_track.trackers._rows import user
from sparkml_track.trial import State

__all__ = ["dataset_inputs", "experiment_id", "parent_end_tags", "parent_tags"]

# Of mlflow.utils.validation; a longer digest is refused.
_MAX_DIGEST = 36


def experiment_id(client: MlflowClient, name: str, artifact_root: str | None) -> str:
    """The id of an experiment, made if it is missing."""
    found = client.get_experiment_by_name(name)
    if found is None:
        # Runs have ids of their own, so two experiments may share a folder; file systems take 255 bytes.
        folder = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "experiment"
        location = f"{artifact_root}/{folder}" if artifact_root else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)  # another process was quicker
    if found is None or found.lifecycle_stage != "active":
        raise TrackingError(
            f"The experiment {name!r} is deleted. Restore it (mlflow experiments restore) or use another name."
        )
    return str(found.experiment_id)


def parent_tags(parent: ParentRun) -> dict[str, str]:
    """The tags of a parent run when it starts."""
    tags = {
        "mlflow.runName": parent.name,
        "mlflow.user": user(),
        "mlflow.source.name": sys.argv[0],
        "mlflow.source.type": "LOCAL",
        **parent.tags,
        schema.TAG_KIND: "sweep",
        schema.TAG_SWEEP: parent.sweep,
        schema.TAG_STATE: State.RUNNING.value,
    }
    return {key(name): clipped(value, MAX_TAG) for name, value in tags.items() if value}


def parent_end_tags(end: ParentEnd) -> dict[str, str]:
    """The tags a parent run gets when it ends."""
    tags = {**end.tags, schema.TAG_STATE: end.state.value, **renamed(end.metrics)}
    if schema.ARTIFACT_TRIALS in end.artifacts:
        # MLflow's UI shows the tables that this tag lists.
        tags["mlflow.loggedArtifacts"] = json.dumps([{"path": schema.ARTIFACT_TRIALS, "type": "table"}])
    return {key(name): clipped(value, MAX_TAG) for name, value in tags.items()}


def dataset_inputs(data: Sequence[DataRef]) -> list[DatasetInput]:
    """The data of a sweep as dataset inputs; those from a table name its path and version."""
    return [DatasetInput(_dataset(one), [InputTag("mlflow.data.context", one.name)]) for one in data]


def _dataset(ref: DataRef) -> Dataset:
    source: dict[str, object]
    if ref.table is None:
        kind, source = "code", {"tags": {"mlflow.source.name": sys.argv[0], "mlflow.source.type": "LOCAL"}}
    else:
        # As DeltaDatasetSource.to_dict() writes it, which however leaves version 0 out.
        kind, source = "delta_table", {"path": ref.table.path, "delta_table_version": ref.table.version}
    return Dataset(
        name=ref.table.name if ref.table else ref.name,
        digest=ref.digest[:_MAX_DIGEST],
        source_type=kind,
        source=json.dumps(source),
        profile=json.dumps({"num_rows": ref.rows}) if ref.rows is not None else None,
    )
