"""What a parent run is made of: its tags."""

from __future__ import annotations

import json

from sparkml_track import schema
from sparkml_track.adapters.mlflow.values import MAX_TAG, clipped, origin_tags
from sparkml_track.trackers._base import ParentEnd, ParentRun
from sparkml_track.trackers._names import key, renamed
from sparkml_track.trial import State

__all__ = ["parent_end_tags", "parent_tags"]


def parent_tags(parent: ParentRun) -> dict[str, str]:
    """The tags of a parent run when it starts."""
    tags = {
        **origin_tags(parent.name),
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
