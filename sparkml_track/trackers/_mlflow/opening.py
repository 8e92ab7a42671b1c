"""Chooses the lane to a store: the fastest one that knows it."""

from __future__ import annotations

import os
import warnings

from sparkml_track.adapters.mlflow import rest
from sparkml_track.adapters.mlflow.errors import translated, tried_again
from sparkml_track.trackers._mlflow.bulk.lane import EndpointLane, has_endpoint
from sparkml_track.trackers._mlflow.lanes import tables
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.lanes.lane import Lane
from sparkml_track.trackers._mlflow.lanes.postgres import PostgresLane, make_tables
from sparkml_track.trackers._mlflow.lanes.sql import SqlLane
from sparkml_track.trackers._mlflow.lanes.sqlite import SqliteLane, made_file

__all__ = ["open_lane", "open_sql"]


def open_lane(uri: str, artifact_root: str | None) -> Lane:
    """Opens a store, making a database's tables if there are none.

    Args:
        uri: of the tracking store.
        artifact_root: where new experiments keep their artifacts; None leaves it to the store.

    Raises:
        TrackingError: or one of its kinds; see ``open_tracker``.
    """
    with translated(uri):
        if uri.startswith(("sqlite:", "postgresql:", "postgresql+")):
            return open_sql(uri, artifact_root) or _slow(uri, artifact_root)
        return _by_client(uri, artifact_root)


def _by_client(uri: str, artifact_root: str | None) -> Lane:
    lane = ClientLane(uri, artifact_root)
    tried_again(lane.check)
    if rest.is_server(uri) and has_endpoint(uri):
        return EndpointLane(uri, artifact_root)
    return lane


def open_sql(uri: str, artifact_root: str | None) -> SqlLane | None:
    """The lane to a database whose tables are known; None where they are not, or where it is of another kind.

    Foreign errors pass.
    """
    known = not _why_slow()
    if uri.startswith("sqlite:"):
        path = made_file(uri, artifact_root)
        return SqliteLane(uri, artifact_root, path) if known else None
    if uri.startswith(("postgresql:", "postgresql+")):
        make_tables(uri, artifact_root)
        return PostgresLane(uri, artifact_root) if known else None
    return None


def _why_slow() -> str:
    """Why rows are left to MLflow; empty if they are not."""
    # Rows of all workspaces are in the same tables, and which one a run is in is MLflow's to say.
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in {"true", "1"}:
        return "MLFLOW_ENABLE_WORKSPACES is on; to turn it off helps where there is one workspace"
    if tables.schema_head() in tables.KNOWN_REVISIONS:
        return ""
    return (
        f"The installed MLflow has schema {tables.schema_head()}, which this release does not know; look for a newer "
        "sparkml-track"
    )


def _slow(uri: str, artifact_root: str | None) -> Lane:
    text = f"{_why_slow()}. Child runs are recorded through MLflow's client, some thirty to a hundred times slower."
    warnings.warn(text, stacklevel=5)
    return ClientLane(uri, artifact_root)
