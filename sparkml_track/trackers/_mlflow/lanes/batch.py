"""A batch of child runs as rows: collected first, so that each table takes one statement.

Rows name runs by their ids, in the last place. What only the store knows (the experiment, places of files, ids of
data sets) is added when they are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from sparkml_track import schema
from sparkml_track.adapters.mlflow.datasets import Input, logged_inputs
from sparkml_track.adapters.mlflow.values import Point, millis
from sparkml_track.trackers._base import ChildRun
from sparkml_track.trackers._mlflow.lanes.lane import Entry
from sparkml_track.trackers._mlflow.models import kept_models, place_of
from sparkml_track.trackers._rows import Parent, child_params, child_points, latest, nested_runs, status

__all__ = ["Batch", "Data", "Model", "RunRow", "TextRow", "metric_row", "nested_id", "nested_location"]

#: A name, its value and a run or a model.
TextRow = tuple[str, str, str]


class RunRow(NamedTuple):
    """A run: all but its experiment; times in milliseconds."""

    name: str
    user: str
    status: str
    started: int
    ended: int | None
    location: str
    run_id: str


class Data(NamedTuple):
    """A data set that a run read."""

    given: Input
    run_id: str


class Model(NamedTuple):
    """A model that a run logged; ``location`` is empty where the store keeps its files."""

    id: str
    name: str
    created: int
    updated: int
    status: int
    type: str | None
    params: Sequence[tuple[str, str]]
    tags: Sequence[tuple[str, str]]
    location: str
    run_id: str


@dataclass(slots=True)
class Batch:
    """The rows of one batch.

    Attributes:
        late: runs that have ended, for which files came: a tag about an earlier try goes.
    """

    runs: list[RunRow] = field(default_factory=list)
    tags: list[TextRow] = field(default_factory=list)
    params: list[TextRow] = field(default_factory=list)
    metrics: list[tuple[object, ...]] = field(default_factory=list)
    newest: list[tuple[object, ...]] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def add(self, parent: Parent, entry: Entry) -> None:
        """Adds a child run, or the tags of one that has ended."""
        child, place = entry.child, entry.place
        self.tags += [(name, value, place.run_id) for name, value in entry.tags.items()]
        if child.logged.models and schema.TAG_ARTIFACTS not in entry.tags:
            self._add_models(place.run_id, child)
        if place.ended:
            self.late.append(place.run_id)
            return
        self._add_run(parent, (entry.tags["mlflow.runName"], place.location, place.run_id), child)
        for one in nested_runs(parent, child) if child.logged.nested else ():
            run_id, inside = (nested_id(place.run_id, each) if each else place.run_id for each in (one.id, one.parent))
            self.tags += [(name, value, run_id) for name, value in {**one.tags, schema.TAG_PARENT: inside}.items()]
            self._add_run(parent, (one.name, nested_location(place.location, one.folder), run_id), one.run)

    def without(self, runs: Collection[str]) -> Batch:
        """The rows of all runs but these."""
        kept = {
            each.name: [row for row in getattr(self, each.name) if row[-1] not in runs]
            for each in fields(self)
            if each.name != "late"
        }
        return Batch(**kept, late=self.late)

    def add_points(self, points: Sequence[Point], run_id: str) -> None:
        """Adds all metrics of a run."""
        self.metrics += [metric_row(one, run_id) for one in points]
        self.newest += [metric_row(one, run_id) for one in latest(points).values()]

    def _add_run(self, parent: Parent, about: tuple[str, str, str], child: ChildRun) -> None:
        name, location, run_id = about
        ended = millis(child.started + child.duration) if child.state.terminal else None
        self.runs.append(RunRow(name, parent.user, status(child.state), millis(child.started), ended, location, run_id))
        self.params += [(key, value, run_id) for key, value in child_params(child).items()]
        self.add_points(child_points(child), run_id)
        self.data += [Data(one, run_id) for one in logged_inputs(child.logged.inputs)]

    def _add_models(self, run_id: str, child: ChildRun) -> None:
        for one in kept_models(child):
            about = (one["id"], one["name"], one["created"], one["updated"], one["status"], one["type"] or None)
            values = (list(one["params"].items()), list(one["tags"].items()))
            self.models.append(Model(*about, *values, place_of(child, one["id"]), run_id))


def nested_id(child: str, nested: str) -> str:
    """The id of a run inside that of a trial: the same for each repetition."""
    return hashlib.sha256(f"{child} {nested}".encode()).hexdigest()[:32]


def nested_location(location: str, folder: str) -> str:
    """Where the artifacts of such a run are: below those of the child run."""
    return f"{location.rstrip('/')}/{folder}"


def metric_row(one: Point, run_id: str) -> tuple[object, ...]:
    """Of ``metrics`` and of ``latest_metrics``."""
    return (one.key, one.value, one.timestamp, one.step, one.is_nan, run_id)
