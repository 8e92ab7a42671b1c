"""What goes to the bulk endpoint: the rows of a batch of child runs, as JSON.

A row names its run by a place in a list, which holds each child run and then the runs inside it. So no row can be of a
run that the list does not have, and the server checks the list alone. Where files are, and ids of data sets, the server
says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
)

from sparkml_track.adapters.mlflow.datasets import MAX_DIGEST, Input
from sparkml_track.adapters.mlflow.names import MAX_KEY, stored_name
from sparkml_track.adapters.mlflow.values import MAX_PARAM, MAX_TAG, Point
from sparkml_track.errors import SpecError
from sparkml_track.trackers._mlflow.lanes.batch import Batch, Data, Model, RunRow, nested_id, nested_location
from sparkml_track.trackers._mlflow.lanes.lane import Entry
from sparkml_track.trackers._rows import Parent, nested_folder, nested_runs

__all__ = ["MAX_BYTES", "PATH", "VERSION", "Message", "TooLarge", "message", "received"]

PATH = "/api/2.0/sparkml/child-runs"
VERSION = 1
#: Bytes that the server takes in one call.
MAX_BYTES = 32 << 20
_MAX_CHILDREN, _MAX_NESTED, _MAX_ROWS = 2_000, 200, 400_000


class TooLarge(SpecError):
    """A message has more than the server takes in one call."""


def _as_stored(name: str) -> str:
    if stored_name(name) != name:
        raise ValueError("MLflow does not take this name")
    return name


Name = Annotated[str, AfterValidator(_as_stored)]
RunId = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{32}\z")]
ModelId = Annotated[str, StringConstraints(pattern=r"\Am-[0-9a-f]{32}\z")]
NestedId = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{1,64}\z")]
Label = Annotated[str, StringConstraints(max_length=MAX_KEY)]
Kind = Annotated[str, StringConstraints(max_length=500)]
Text = Annotated[str, StringConstraints(max_length=65_535)]
Param = Annotated[str, StringConstraints(max_length=MAX_PARAM)]
Tag = Annotated[str, StringConstraints(max_length=MAX_TAG)]
Big = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Time = Annotated[int, Field(ge=0, lt=2**63)]
Status = Annotated[str, StringConstraints(pattern=r"\A(RUNNING|FINISHED|FAILED|KILLED)\z")]
#: Of a run in the list.
At = Annotated[int, Field(ge=0, lt=_MAX_CHILDREN * (1 + _MAX_NESTED))]
Rows: Any = Field(default=[], max_length=_MAX_ROWS)
Pairs = list[tuple[Annotated[str, StringConstraints(max_length=255)], Tag]]


class Message(BaseModel):
    """A batch of child runs.

    Attributes:
        run_id: of the parent run.
        experiment_id: where it is.
        children: number, run id, whether it has ended before, and the ids that runs inside it had in the slot.
        runs: name, user, status, start and end in milliseconds.
        tags: key, value.
        params: key, value.
        metrics: key, value, milliseconds, step, whether it is nan.
        data: name, digest, type and text of the source, schema, profile, tags.
        models: id, name, created, updated, status, type, params, tags.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    run_id: RunId
    experiment_id: Annotated[str, StringConstraints(pattern=r"\A[0-9]{1,18}\z")]
    children: Annotated[
        list[
            tuple[
                Annotated[int, Field(ge=0, lt=2**40)],
                RunId,
                bool,
                Annotated[list[NestedId], Field(max_length=_MAX_NESTED)],
            ]
        ],
        Field(max_length=_MAX_CHILDREN),
    ]
    runs: list[tuple[Label, Label, Status, Time, Time | None, At]] = Rows
    tags: list[tuple[Name, Tag, At]] = Rows
    params: list[tuple[Name, Param, At]] = Rows
    metrics: list[tuple[Name, FiniteFloat, Big, Big, bool, At]] = Rows
    data: list[
        tuple[
            Annotated[str, StringConstraints(max_length=500)],
            Annotated[str, StringConstraints(max_length=MAX_DIGEST)],
            Annotated[str, StringConstraints(max_length=36)],
            Text,
            Text | None,
            Annotated[str, StringConstraints(max_length=16_777_215)] | None,
            Pairs,
            At,
        ]
    ] = Rows
    models: list[
        tuple[ModelId, Label, Time, Time, Annotated[int, Field(ge=0, le=9)], Kind | None, Pairs, Pairs, At]
    ] = Rows

    @property
    def gated(self) -> tuple[object, ...]:
        """What permissions depend on: the parent run, the experiment, and whether there are models."""
        return self.run_id, self.experiment_id, bool(self.models)

    def run_ids(self) -> Iterator[tuple[str, str, bool]]:
        """Each run of the list with the child run that it is in, and whether that has ended before."""
        for _, run_id, late, inside in self.children:
            yield run_id, run_id, late
            for one in inside:
                yield nested_id(run_id, one), run_id, late

    def batch(self, locations: Mapping[str, str], there: Collection[str]) -> Batch:
        """The rows to be written.

        Args:
            locations: of child runs, by run id.
            there: those that the store has.

        Raises:
            SpecError: a row is of no run in the list or in the store, or makes one anew that has ended.
        """
        listed = list(self.run_ids())
        places = dict(zip((one[0] for one in listed), self._places(locations), strict=True))
        runs = [run_id for run_id, *_ in listed]
        late = {run_id for run_id, _, is_late in listed if is_late}
        batch = Batch(late=[run_id for _, run_id, is_late, _ in self.children if is_late])
        try:
            batch.runs = [RunRow(*row[:-1], places[runs[row[-1]]], runs[row[-1]]) for row in self.runs]
            batch.tags = [(*row[:-1], runs[row[-1]]) for row in self.tags]
            batch.params = [(*row[:-1], runs[row[-1]]) for row in self.params]
            batch.data = [Data(Input(*row[:-2], dict(row[-2])), runs[row[-1]]) for row in self.data]
            batch.models = [Model(*row[:-1], "", runs[row[-1]]) for row in self.models]
            for at, points in self._points().items():
                batch.add_points(points, runs[at])
        except IndexError:
            raise SpecError("a row names a run that the list of child runs does not have") from None
        changed = {row[-1] for rows in (batch.runs, batch.params, batch.newest, batch.data) for row in rows}
        if changed & late:
            raise SpecError("a child run that has ended takes nothing but tags and models")
        named = changed | {row[-1] for rows in (batch.tags, batch.models) for row in rows}
        if named - {*there} - {row.run_id for row in batch.runs}:
            raise SpecError("there are rows of a run that is not there and is not made")
        return batch

    def _places(self, locations: Mapping[str, str]) -> Iterator[str]:
        for _, run_id, _, inside in self.children:
            yield locations[run_id]
            for one in inside:
                yield nested_location(locations[run_id], nested_folder(one))

    def _points(self) -> Mapping[int, list[Point]]:
        found: dict[int, list[Point]] = {}
        for row in self.metrics:
            found.setdefault(row[-1], []).append(Point(*row[:-1]))
        return found


def received(body: bytes) -> Message:
    """A message as it came.

    Raises:
        TooLarge: a list has too many items.
        SpecError: it is not one; the first fault is named.
    """
    try:
        return Message.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        kind = TooLarge if first["type"] == "too_long" else SpecError
        raise kind(f"{where}: {first['msg']}") from None


def message(parent: Parent, entries: Sequence[Entry]) -> dict[str, Any]:
    """The batch as it is sent. Models whose files stay on shared storage are not: only the server names places."""
    batch, children = Batch(), []
    for entry in entries:
        batch.add(parent, entry)
        inside = [] if entry.place.ended else [one.id for one in nested_runs(parent, entry.child)]
        children.append((entry.child.number, entry.place.run_id, entry.place.ended, inside))
    ids = [each for _, run_id, _, inside in children for each in (run_id, *(nested_id(run_id, one) for one in inside))]
    at = {run_id: place for place, run_id in enumerate(ids)}
    return {
        "run_id": parent.run_id,
        "experiment_id": parent.experiment_id,
        "children": children,
        "runs": [(*row[:-2], at[row.run_id]) for row in batch.runs],
        "tags": [(*row[:-1], at[row[-1]]) for row in batch.tags],
        "params": [(*row[:-1], at[row[-1]]) for row in batch.params],
        "metrics": [(*row[:-1], at[str(row[-1])]) for row in batch.metrics],
        "data": [(*row.given[:-1], list(row.given.tags.items()), at[row.run_id]) for row in batch.data],
        "models": [(*row[:-2], at[row.run_id]) for row in batch.models if not row.location],
    }
