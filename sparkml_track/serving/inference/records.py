"""One request with its predictions, as a line that says whether it is whole: number, CRC-32, JSON."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from typing import Any

__all__ = ["Predictions", "Record", "decoded", "encoded", "line_of"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """The rows of a request.

    Attributes:
        columns: inputs and features, as JSON has them; each of as many values as there are scores.
        kinds: their types, of ``KINDS``.
        scores: a number or a list of numbers for each row; None in a bad one.
        problems: why there is no score.
        run_id: of the run that made the version.
    """

    columns: Mapping[str, Sequence[object]]
    kinds: Mapping[str, str]
    scores: Sequence[object]
    problems: Sequence[str | None]
    run_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the payload table, with the rows of predictions that belong to it.

    Attributes:
        request_id: unique.
        client_request_id: what the request named itself.
        timestamp_ms: when it came, milliseconds since the epoch.
        status_code: of HTTP.
        sampling_fraction: the share of requests that was kept then.
        execution_time_ms: until the answer was made.
        request: the body, None where it is that of another record or not text.
        response: the body of the answer.
        model_name: of the version that answered; None where none did.
        model_version: of it.
        alias: by which it was chosen.
        role: "served", "canary" or "shadow".
        predictions: None where there are none.
    """

    request_id: str
    client_request_id: str | None
    timestamp_ms: int
    status_code: int
    sampling_fraction: float
    execution_time_ms: float
    request: str | None = None
    response: str | None = None
    model_name: str | None = None
    model_version: int | None = None
    alias: str | None = None
    role: str | None = None
    predictions: Predictions | None = field(default=None)


_FIELDS = tuple(each.name for each in fields_of(Record))
_OF_PREDICTIONS = tuple(each.name for each in fields_of(Predictions))


def encoded(record: Record) -> bytes:
    """The JSON of a record."""
    # Not by ``asdict``, which copies every value of every column.
    fields = {name: getattr(record, name) for name in _FIELDS}
    if record.predictions is not None:
        fields["predictions"] = {name: getattr(record.predictions, name) for name in _OF_PREDICTIONS}
    return json.dumps(fields, separators=(",", ":"), default=str).encode("utf-8", "replace")


def line_of(number: int, body: bytes) -> bytes:
    """A record as a line.

    Args:
        number: of the record in its spool.
        body: from ``encoded``.
    """
    return b"%d %08x %s\n" % (number, zlib.crc32(b"%d " % number + body), body)


def decoded(line: bytes) -> tuple[int, Record] | None:
    """A record and its number; None for a line that is not whole."""
    number, _, rest = line.partition(b" ")
    crc, _, body = rest.partition(b" ")
    try:
        if int(crc, 16) != zlib.crc32(number + b" " + body):
            return None
        fields: dict[str, Any] = json.loads(body)
        predictions = fields.pop("predictions")
        return int(number), Record(**fields, predictions=predictions and Predictions(**predictions))
    except (ValueError, TypeError, KeyError):
        return None
