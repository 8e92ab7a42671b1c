"""What a parent run is made of: its tags."""

from __future__ import annotations

import json
import sys

from sparkml_track import schema
from sparkml_track.trackers._base import ParentEnd, ParentRun
from sparkml_track.trackers._names import MAX_TAG, clipped, key, renamed
from sparkml_track.trackers._rows import user
from sparkml_track.trial import State

__all__ = ["parent_end_tags", "parent_tags"]


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
