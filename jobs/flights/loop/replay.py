"""Days of the past, played again: what was asked of a model, and what came of it three days later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LABELS_TAKE", "Replay", "Unanswered", "ask"]

DAY = timedelta(days=1)
#: From a prediction to its label.
LABELS_TAKE = 3 * DAY
#: Columns that go along with a request, and into the inference table, by the types that requests have.
KEEP = {"flight_id": "string", "prediction_time": "datetime"}


class Unanswered(Exception):
    """The endpoint did not answer a request with predictions."""


@dataclass(frozen=True)
class Replay:
    """Rows of the training set as the days bring them.

    Attributes:
        rows: with ``time``, ``label`` and the features, in any order.
        features: what a model takes.
        time: the column of the prediction time.
        label: the column of what came true.
    """

    rows: pa.Table
    features: Sequence[str]
    time: str
    label: str

    def requests(self, day: datetime) -> Iterator[pa.Table]:
        """The rows of a day, an hour in each request."""
        rows = self._between(day, day + DAY).sort_by(self.time)
        hours = pc.floor_temporal(rows[self.time], unit="hour")
        for hour in pc.unique(hours):
            yield rows.filter(pc.equal(hours, hour)).select([*KEEP, *self.features])

    def labels(self, start: datetime, end: datetime) -> pa.Table:
        """What came of the rows of a stretch of time, and when it was known."""
        rows = self._between(start, end)
        late = pa.array([LABELS_TAKE] * len(rows), pa.duration("us"))
        known = pc.add(rows[self.time].cast(pa.timestamp("us", "UTC")), late)
        return rows.select(["flight_id", self.label]).append_column("known_at", known)

    def _between(self, start: datetime, end: datetime) -> pa.Table:
        times = self.rows[self.time]
        low, high = (pa.scalar(moment, times.type) for moment in (start, end))
        return self.rows.filter(pc.and_(pc.greater_equal(times, low), pc.less(times, high)))


def ask(connection: HTTPConnection, rows: pa.Table) -> int:
    """Sends rows as one request; gives how many predictions came back.

    Raises:
        Unanswered: the endpoint refused, or answered something else.
    """
    columns = [[_plain(value) for value in column.to_pylist()] for column in rows.columns]
    split = {"columns": rows.column_names, "data": list(zip(*columns, strict=True))}
    body = json.dumps({"dataframe_split": split})
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise Unanswered(f"{answer.status}: {said.decode(errors='replace'):.300}")
    return len(json.loads(said)["predictions"])


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
