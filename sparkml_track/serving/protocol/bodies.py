"""The forms that the body of a request may have, each read into columns of plain values.

| form | rows |
|---|---|
| ``dataframe_split`` | ``{"columns": [...], "data": [[...], ...]}``; ``index`` is ignored |
| ``dataframe_records`` | ``[{"a": 1, ...}, ...]``; a key that some records lack is null in them |
| ``instances`` | as ``dataframe_records``, or ``[[1, ...], ...]`` in the order of the model's columns |
| ``inputs`` | ``{"a": [1, ...], ...}``, ``{"a": 1, ...}`` for one row, or as ``instances`` |
| CSV | a line of names, then a line for each row; an empty field is null |

JSON beside these may have ``params``. The forms are those of https://mlflow.org/docs/latest/ml/deployment/.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Body", "read_body"]

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_MOST_VALUES = 20_000_000  # rows that each name other columns would be a table of nulls
_ONE_OF = f"give one of {', '.join(_FORMS)}, and params where the model takes them"


@dataclass(frozen=True, slots=True)
class Body:
    """What a request says.

    Attributes:
        columns: names to plain values, all of the same number.
        rows: how many.
        params: of the request.
        is_text: whether all values are text, as CSV has them.
    """

    columns: Mapping[str, Sequence[object]]
    rows: int
    params: Mapping[str, object] = field(default_factory=dict)
    is_text: bool = False


def read_body(raw: bytes, content_type: str, names: Sequence[str]) -> Body:
    """Reads the body of a request.

    Args:
        raw: as it came.
        content_type: of the header.
        names: of the model's columns, in order; for rows that name none.

    Raises:
        Refused: with the sentence.
    """
    kind, _, options = content_type.partition(";")
    charset = options.strip().lower().removeprefix("charset=").strip('"')
    if charset not in {"", "utf-8", "utf8"}:
        raise Refused(f"the body is said to be {options.strip()}; it must be UTF-8", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"the body is not UTF-8 text: byte {error.start} is 0x{raw[error.start]:02x}") from None
    match kind.strip().lower():
        case "application/json":
            return _from_json(text, names)
        case "text/csv":
            return _from_csv(text)
        case other:
            raise Refused(
                f"the content type is {other or 'not given'!r}; it must be application/json or text/csv",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )


def _from_json(text: str, names: Sequence[str]) -> Body:
    try:
        given = json.loads(text)
    except RecursionError:
        raise Refused("the body is JSON that is nested too deeply") from None
    except ValueError as error:
        raise Refused(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise Refused(f"the body is {_kind(given)}, it must be a JSON object: {_ONE_OF}")
    found = [form for form in _FORMS if form in given]
    if len(found) != 1:
        said = f"has {' and '.join(found)}" if found else f"has the keys {', '.join(map(repr, given)) or 'of nothing'}"
        raise Refused(f"the body {said:.300}; {_ONE_OF}")
    unknown = sorted(given.keys() - {found[0], "params"})
    if unknown:
        raise Refused(f"the body has {', '.join(map(repr, unknown)):.300} beside {found[0]}; {_ONE_OF}")
    params = given.get("params")
    if params is not None and not isinstance(params, dict):
        raise Refused(f"params are {_kind(params)}, they must be a JSON object")
    columns, rows = _read(found[0], given[found[0]], names)
    return Body(columns, rows, params or {})


def _read(form: str, given: object, names: Sequence[str]) -> tuple[Mapping[str, Sequence[object]], int]:
    if form == "dataframe_split":
        return _split(given)
    if form == "inputs" and isinstance(given, dict):
        return _by_column(given)
    if not isinstance(given, list):
        raise Refused(f"{form} is {_kind(given)}, it must be a list of rows")
    if form != "dataframe_records" and given and isinstance(given[0], list):
        return _positional(form, given, names)
    return _records(form, given)


def _split(given: object) -> tuple[Mapping[str, Sequence[object]], int]:
    columns, data = (given.get("columns"), given.get("data")) if isinstance(given, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(data, list):
        raise Refused('dataframe_split must be {"columns": [names], "data": [[values of a row], ...]}')
    return _table("dataframe_split", [str(name) for name in columns], data)


def _positional(form: str, data: list[object], names: Sequence[str]) -> tuple[Mapping[str, Sequence[object]], int]:
    return _table(form, names, data)


def _table(form: str, names: Sequence[str], data: list[object]) -> tuple[Mapping[str, Sequence[object]], int]:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise Refused(f"{form} has the column {twice!r} twice")
    for place, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(names):
            found = f"{len(row)} values" if isinstance(row, list) else _kind(row)
            raise Refused(f"row {place} of {form} is {found}, it must be a list of {len(names)}, one for each column")
    values = list(zip(*data, strict=True)) if data else [()] * len(names)
    return dict(zip(names, values, strict=True)), len(data)


def _records(form: str, data: list[object]) -> tuple[Mapping[str, Sequence[object]], int]:
    names: dict[str, None] = {}
    for place, row in enumerate(data):
        if not isinstance(row, dict):
            raise Refused(f"row {place} of {form} is {_kind(row)}, it must be an object of column names and values")
        names.update(dict.fromkeys(row))
    if len(names) * len(data) > _MOST_VALUES:
        raise Refused(f"{form} has {len(data):,} rows with {len(names):,} different columns; give all rows the same")
    return {name: [row.get(name) for row in data if isinstance(row, dict)] for name in names}, len(data)


def _by_column(given: Mapping[str, object]) -> tuple[Mapping[str, Sequence[object]], int]:
    if given and not any(isinstance(each, list) for each in given.values()):
        return {name: [value] for name, value in given.items()}, 1
    columns, rows = dict[str, Sequence[object]](), -1
    for name, values in given.items():
        if not isinstance(values, list):
            raise Refused(f"column {name!r} of inputs is {_kind(values)}, the others are lists; give a list")
        if rows not in (-1, len(values)):
            raise Refused(f"column {name!r} of inputs has {len(values)} values, the columns before it have {rows}")
        columns[name], rows = values, len(values)
    return columns, max(rows, 0)


def _from_csv(text: str) -> Body:
    try:
        lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line]
    except csv.Error as error:
        raise Refused(f"the body is not CSV: {error}") from None
    if not lines:
        raise Refused("the body is empty; CSV begins with a line of column names")
    data: list[object] = [[value or None for value in line] for line in lines[1:]]
    columns, rows = _table("the CSV", lines[0], data)
    return Body(columns, rows, is_text=True)


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "an object")
