"""What a server does with a batch of child runs. Nothing that it was sent is believed but the values themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock
from typing import NamedTuple

from sparkml_track import schema
from sparkml_track.errors import SpecError, TrackingSchemaError
from sparkml_track.trackers._mlflow.bulk.message import Message
from sparkml_track.trackers._mlflow.lanes.sql import SqlLane, child_id, child_location
from sparkml_track.trackers._mlflow.lanes.tables import schema_head
from sparkml_track.trackers._rows import Parent

__all__ = ["Receiver"]

_log = logging.getLogger(__name__)

_CHILD = """SELECT r.run_uuid, r.artifact_uri, r.status, r.lifecycle_stage, r.experiment_id, p.value, n.value
    FROM runs r LEFT JOIN tags p ON p.run_uuid = r.run_uuid AND p.key = ?
    LEFT JOIN tags n ON n.run_uuid = r.run_uuid AND n.key = ? WHERE r.run_uuid IN ({})"""


class _Stored(NamedTuple):
    """A run as the store has it, with the tags that say whose it is."""

    location: str
    status: str
    stage: str
    experiment: int
    parent: str | None
    number: str | None


class Receiver:
    """Writes batches into the database of a server; any number of threads may call it.

    Args:
        lane: to the database.
    """

    def __init__(self, lane: SqlLane) -> None:
        self._lane = lane
        self._said = False
        self._lock = Lock()

    def take(self, sent: Message) -> dict[str, object]:
        """Writes a batch.

        Args:
            sent: the message.

        Returns:
            ``left``: numbers of trials whose child runs have ended, or were deleted, and stay as they are.

        Raises:
            SpecError: the message is wrong; nothing was written.
            TrackingSchemaError: the database is at another schema than when it was opened.
            TrackingError: or one of its kinds.
        """
        parent = Parent(sent.run_id, "", sent.experiment_id)
        with self._lock, self._lane.translated():
            self._check_schema()
            root, there = self._stored(sent)
        locations = {child[1]: _place(sent, child, there.get(child[1]), root) for child in sent.children}
        batch = sent.batch(locations, there)
        with self._lock, self._lane.translated():
            left = self._lane.put(parent, batch)
        return {"left": [number for number, run_id, late, _ in sent.children if not late and run_id in left]}

    def _check_schema(self) -> None:
        """The rows are those of one schema, and somebody may have changed it since the server began."""
        found = self._lane.query("SELECT version_num FROM alembic_version")
        if [row[0] for row in found] != [schema_head()]:
            text = (
                f"Its schema changed while this server ran, to {found[0][0] if found else 'none'}: this one is of an "
            )
            text += f"MLflow with {schema_head()}. End the server, and start one with the MLflow of that schema."
            if not self._said:
                self._said = True
                _log.error("%s", text)
            raise TrackingSchemaError(f"The tracking database {self._lane.uri} cannot be written. {text}")

    def _stored(self, sent: Message) -> tuple[str, Mapping[str, _Stored]]:
        """Where the experiment keeps its artifacts, and those of the child runs that are there."""
        root = self._lane.root_of(sent.experiment_id)
        ids = [run_id for _, run_id, *_ in sent.children]
        rows = self._lane.query_for(_CHILD, ids, schema.TAG_PARENT, schema.TAG_NUMBER)
        return root, {row[0]: _Stored(*row[1:]) for row in rows}


def _place(sent: Message, child: tuple[int, str, bool, list[str]], stored: _Stored | None, root: str) -> str:
    """Where the files of a child run are, which is one of this parent run."""
    number, run_id, late, _ = child
    if stored is None and run_id == child_id(sent.run_id, number) and not late:
        return child_location(root, run_id)
    ours = (sent.run_id, str(number), sent.experiment_id)
    if stored is None or (stored.parent, stored.number, str(stored.experiment)) != ours:
        raise SpecError(f"the run {run_id} is not the child run of trial {number} of {sent.run_id}")
    if late and (stored.status == "RUNNING" or stored.stage != "active"):
        raise SpecError(f"the child run {run_id} has not ended, or was deleted: it takes no late tags")
    return stored.location
