"""What a server does with a batch of child runs. Nothing that it was sent is believed but the values themselves."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from sparkml_track import schema
from sparkml_track.errors import SpecError
from sparkml_track.trackers._mlflow.bulk.message import Message
from sparkml_track.trackers._mlflow.lanes.sql import SqlLane, child_id, child_location
from sparkml_track.trackers._rows import Parent

__all__ = ["Receiver"]

_CHILD = """SELECT r.run_uuid, r.artifact_uri, r.status, r.lifecycle_stage, p.value, n.value FROM runs r
    JOIN tags p ON p.run_uuid = r.run_uuid AND p.key = ? JOIN tags n ON n.run_uuid = r.run_uuid AND n.key = ?
    WHERE r.run_uuid IN ({})"""


class Receiver:
    """Writes batches into the database of a server; any number of threads may call it.

    Args:
        lane: to the database.
    """

    def __init__(self, lane: SqlLane) -> None:
        self._lane = lane
        self._lock = Lock()

    def take(self, sent: Message) -> dict[str, object]:
        """Writes a batch.

        Args:
            sent: the message.

        Returns:
            ``left``: numbers of trials whose child runs have ended, or were deleted, and stay as they are.

        Raises:
            SpecError: the message is wrong; nothing was written.
            TrackingError: or one of its kinds.
        """
        parent = Parent(sent.run_id, "", sent.experiment_id)
        with self._lock, self._lane.translated():
            locations = self._locations(sent)
            open_runs = [run_id for _, run_id, late, _ in sent.children if not late]
            left = self._lane.put(parent, open_runs, lambda ended: sent.batch(locations, ended))
        return {"left": [number for number, run_id, late, _ in sent.children if not late and run_id in left]}

    def _locations(self, sent: Message) -> Mapping[str, str]:
        """Where the files of each child run are, all of which are of this parent run."""
        root = self._lane.root_of(sent.experiment_id)
        ids = [run_id for _, run_id, *_ in sent.children]
        there = {row[0]: row[1:] for row in self._lane.query_for(_CHILD, ids, schema.TAG_PARENT, schema.TAG_NUMBER)}
        found = {}
        for number, run_id, late, _ in sent.children:
            made = run_id == child_id(sent.run_id, number)
            location, status, stage, parent, stored = there.get(run_id) or ("", "", "", sent.run_id, str(number))
            if (parent, stored) != (sent.run_id, str(number)) or not (made or location):
                raise SpecError(f"the run {run_id} is not the child run of trial {number} of {sent.run_id}")
            if late and (not location or status == "RUNNING" or stage != "active"):
                raise SpecError(f"the child run {run_id} has not ended, or was deleted: it takes no late tags")
            found[run_id] = location or child_location(root, run_id)
        return found
