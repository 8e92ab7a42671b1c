"""The other end of the bulk endpoint, for the server that has it: what a batch is, and who writes it."""

from __future__ import annotations

from sparkml_track.adapters.mlflow.errors import translated
from sparkml_track.trackers._mlflow.bulk.message import MAX_BYTES, PATH, VERSION, Message, TooLarge, received
from sparkml_track.trackers._mlflow.bulk.receiver import Receiver
from sparkml_track.trackers._mlflow.opening import open_sql

__all__ = [
    "MAX_BYTES",
    "PATH",
    "VERSION",
    "Message",
    "Receiver",
    "TooLarge",
    "make_store",
    "open_receiver",
    "received",
]


def make_store(store: str, artifact_root: str) -> None:
    """Makes the tables of a database that has none, and checks those that are there.

    Args:
        store: the URI of the database.
        artifact_root: where experiments keep their artifacts unless they say otherwise.

    Raises:
        TrackingError: or one of its kinds.
    """
    with translated(store):
        lane = open_sql(store, artifact_root)
    if lane is not None:
        lane.close()


def open_receiver(store: str) -> Receiver | None:
    """Who writes batches into a database; None where its tables are not known.

    Raises:
        TrackingError: or one of its kinds.
    """
    with translated(store):
        lane = open_sql(store, None)
    return Receiver(lane) if lane is not None else None
