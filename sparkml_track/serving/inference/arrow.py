"""Records as rows of the inference tables, in the types that the tables have.

``<tables>_payload`` has one row for each request, ``<tables>_rows`` one for each prediction that was answered,
``<tables>_shadow`` the same of versions that only scored aside. The last columns of rows are those that batch scoring
adds, so that what reads scored tables reads these.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from sparkml_track.scored import ADDED, free_names
from sparkml_track.serving.inference.records import Predictions, Record
from sparkml_track.serving.models.routing import SHADOW

__all__ = ["PAYLOAD", "TABLES", "Rows", "payload_rows", "prediction_rows", "simple_kind"]

#: What the names of the tables end with.
TABLES = ("payload", "rows", "shadow")
#: The columns of the payload table, with their types in Delta's words.
PAYLOAD = {
    "request_id": "string",
    "client_request_id": "string",
    "date": "date",
    "timestamp_ms": "long",
    "status_code": "integer",
    "sampling_fraction": "double",
    "execution_time_ms": "double",
    "request": "string",
    "response": "string",
    "model_name": "string",
    "model_version": "long",
    "alias": "string",
    "role": "string",
}
#: What a row has of its request.
_OWN = {"request_id": "string", "client_request_id": "string", "row": "long", "alias": "string", "role": "string"}
#: Delta's names of the types of requests, where they differ.
_DELTA = {"datetime": "timestamp"}
_SCORES = "array<double>"
# The types of columns that a table may have and records are cast to, beside the same.
_WIDENS = {"long": ("integer",), "double": ("float", "integer")}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows for one table.

    Attributes:
        table: an Arrow table; None for no rows.
        refused: rows of which a column has another type than the table.
    """

    table: Any
    refused: int = 0


def payload_rows(records: Iterable[Record]) -> Rows:
    """One row for each record."""
    import pyarrow as pa

    found = list(records)
    columns = {name: [getattr(each, name, None) for each in found] for name in PAYLOAD}
    columns["date"] = [_day(each.timestamp_ms) for each in found]
    arrays = {name: pa.array(columns[name], _types()[kind]) for name, kind in PAYLOAD.items()}
    return Rows(pa.table(arrays) if found else None)


def prediction_rows(records: Iterable[Record], there: Mapping[str, str], *, shadow: bool) -> Rows:
    """One row for each prediction.

    Args:
        records: those with predictions, of any versions.
        there: the columns of the table with their types in Delta's words; empty if there is no table yet.
        shadow: whether those of versions that scored aside are wanted, or the others.
    """
    import pyarrow as pa

    kinds, parts, refused = dict(there), list[tuple[int, dict[str, Sequence[object]]]](), 0
    for record in records:
        if record.predictions is None or (record.role == SHADOW) != shadow or not record.predictions.scores:
            continue
        count = len(record.predictions.scores)
        columns, types = _columns(record, record.predictions, count)
        if any(not _fits(kind, kinds.get(_there(name, kinds), kind)) for name, kind in types.items()):
            refused += count
            continue
        parts.append((count, {_there(name, kinds): values for name, values in columns.items()}))
        kinds |= {name: kind for name, kind in types.items() if _there(name, kinds) not in kinds}
    if not parts:
        return Rows(None, refused)
    arrays = {}
    for name, kind in kinds.items():
        if kind not in _types():
            continue  # a column of somebody else's, null in these rows
        values = [value for count, part in parts for value in part.get(name, (None,) * count)]
        arrays[name] = pa.array(_converted(values, kind), _types()[kind])
    return Rows(pa.table(arrays), refused)


def _columns(
    record: Record, predictions: Predictions, count: int
) -> tuple[dict[str, Sequence[object]], dict[str, str]]:
    """All columns of the rows of one record, and their types."""
    kinds = {name: _DELTA.get(kind, kind) for name, kind in predictions.kinds.items()}
    columns: dict[str, Sequence[object]] = {name: predictions.columns[name] for name in kinds}
    lists = any(isinstance(score, list) for score in predictions.scores)
    milliseconds = record.timestamp_ms + record.execution_time_ms
    own: dict[str, Sequence[object]] = {
        "request_id": [record.request_id] * count,
        "client_request_id": [record.client_request_id] * count,
        "row": range(count),
        "alias": [record.alias] * count,
        "role": [record.role] * count,
        "score": predictions.scores,
        "problem": predictions.problems,
        "model_name": [record.model_name] * count,
        "model_version": [record.model_version] * count,
        "run_id": [predictions.run_id] * count,
        "scored_at": [datetime.fromtimestamp(milliseconds / 1000, UTC)] * count,
    }
    types = {**_OWN, **ADDED, "score": _SCORES if lists else "double"}
    names = free_names(kinds, types)
    before, after = ([name for name in part if name in types] for part in (_OWN, ADDED))
    ordered = {**{names[n]: own[n] for n in before}, **columns, **{names[n]: own[n] for n in after}}
    return ordered, {names[n]: types[n] for n in before} | kinds | {names[n]: types[n] for n in after}


def _there(name: str, kinds: Mapping[str, str]) -> str:
    """A column as the table spells it: tables do not tell "Wind" from "wind"."""
    if name in kinds:
        return name
    return next((each for each in kinds if each.lower() == name.lower()), name)


def _fits(kind: str, there: str) -> bool:
    return kind == there or kind in _WIDENS.get(there, ())


def _day(timestamp_ms: int) -> date:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).date()


def _converted(values: list[object], kind: str) -> list[Any]:
    """Values as Arrow takes them."""
    if kind == "timestamp":
        return [_moment(value) for value in values]
    if kind == "binary":
        return [None if value is None else base64.b64decode(str(value)) for value in values]
    return values


def _moment(value: object) -> datetime | None:
    made = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(made, datetime):
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


@cache
def _types() -> dict[str, Any]:
    """Arrow's types by Delta's names, of the columns that records may have."""
    import pyarrow as pa

    return {
        "string": pa.string(),
        "long": pa.int64(),
        "integer": pa.int32(),
        "double": pa.float64(),
        "float": pa.float32(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "binary": pa.binary(),
        _SCORES: pa.list_(pa.float64()),
    }


def simple_kind(kind: str) -> str:
    """The type of a column of a table in the words used here; as it is where these have none."""
    if kind.startswith("{"):
        found = json.loads(kind)
        if isinstance(found, dict) and found.get("type") == "array" and found.get("elementType") == "double":
            return _SCORES
    return kind
