"""The lane through a server that has the bulk endpoint: hundreds of child runs in one call."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from typing_extensions import override

from sparkml_track.adapters.mlflow import rest
from sparkml_track.errors import TrackingUnavailable
from sparkml_track.trackers._base import ChildRun
from sparkml_track.trackers._mlflow.bulk.message import PATH, VERSION, message
from sparkml_track.trackers._mlflow.lanes.client import ClientLane
from sparkml_track.trackers._mlflow.lanes.lane import Entry, Place
from sparkml_track.trackers._mlflow.lanes.sql import child_id, child_location
from sparkml_track.trackers._rows import Parent

__all__ = ["EndpointLane", "has_endpoint"]

#: Sends a message; the answer of the server, its HTTP status where it is not one.
Send = Callable[[bytes], Mapping[str, Any] | int]

_AT_ONCE = 500
_MAX_BYTES = 900_000  # of a call; what stands before servers often takes 1 MB


def has_endpoint(uri: str) -> bool:
    """Whether a server has an endpoint that this release speaks to."""
    return rest.get(uri, PATH).get("version") == VERSION


class EndpointLane(ClientLane):
    """Writes child runs with one call for hundreds; by the client what is rare.

    Where the endpoint is gone, as after a restart without it, the client writes child runs too.

    Args:
        uri: of the tracking store.
        artifact_root: where new experiments keep their artifacts; None leaves it to the server.
        send: sends a message; by default over HTTP.
    """

    def __init__(self, uri: str, artifact_root: str | None = None, send: Send | None = None) -> None:
        super().__init__(uri, artifact_root)
        self._send = send or partial(rest.post, uri, PATH)
        self._roots: dict[str, str] = {}
        self._gone = False

    @property
    def at_once(self) -> int:  # type: ignore[override]  # it is one once the endpoint is gone
        """How many child runs a batch has at most."""
        return 1 if self._gone else _AT_ONCE

    @override
    def models_root(self, experiment_id: str) -> str | None:
        return None if self._gone else self._root_of(experiment_id)

    @override
    def _made(self, parent: Parent, child: ChildRun) -> Place:
        if self._gone:
            return super()._made(parent, child)
        run_id = child_id(parent.run_id, child.number)
        return Place(run_id, child_location(self._root_of(parent.experiment_id), run_id))

    @override
    def write(self, parent: Parent, entries: Sequence[Entry]) -> Collection[int]:
        if self._gone:
            return super().write(parent, entries)
        written: set[int] = set()
        with self._known_children(parent) as known:
            for some, body in _parts(parent, entries):
                left = self._sent(body)
                for entry in some:
                    number, place = entry.child.number, entry.place
                    if number in left:
                        known[number] = place._replace(ended=True, deleted=self._is_deleted(place))
                    else:
                        known[number] = place._replace(ended=place.ended or entry.child.state.terminal)
                        written.add(number)
        return written

    def _sent(self, body: bytes) -> set[int]:
        """Sends a message; the trials whose child runs stay as they are."""
        answer = self._send(body)
        if not isinstance(answer, int):
            return {*answer["left"]}
        too_large = answer == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if not too_large and has_endpoint(self.full_uri):
            raise TrackingUnavailable(f"The tracking server {self.uri} answered {answer} to a batch of child runs.")
        self._gone = True
        why = f"takes no batch of {len(body):,} bytes" if too_large else "has lost its bulk endpoint"
        raise TrackingUnavailable(f"The tracking server {self.uri} {why}; child runs now go one by one.")

    def _root_of(self, experiment_id: str) -> str:
        if experiment_id not in self._roots:
            self._roots[experiment_id] = str(self._client.get_experiment(experiment_id).artifact_location)
        return self._roots[experiment_id]


def _parts(parent: Parent, entries: Sequence[Entry]) -> Iterator[tuple[Sequence[Entry], bytes]]:
    """Messages that are small enough for a call, with what they are of."""
    body = json.dumps(message(parent, entries), separators=(",", ":")).encode()
    if len(body) <= _MAX_BYTES or len(entries) < 2:
        yield entries, body
        return
    half = len(entries) // 2
    yield from _parts(parent, entries[:half])
    yield from _parts(parent, entries[half:])
