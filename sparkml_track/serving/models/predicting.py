"""From what a request says to predictions, with one version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sparkml_track.errors import DataError, RegistryError, SparkmlError
from sparkml_track.online_stores import in_types_of_model
from sparkml_track.serving.models.asking import Answered, Question, ask
from sparkml_track.serving.models.loading import LoadedModel
from sparkml_track.serving.protocol.answers import plain_value
from sparkml_track.serving.protocol.bodies import Body
from sparkml_track.serving.protocol.columns import Input, Typed, typed
from sparkml_track.serving.protocol.params import checked_params
from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Predicted", "predict", "warm"]

_KINDS = {"b": "boolean", "i": "long", "u": "long", "f": "double", "M": "datetime"}
_DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64"}


@dataclass(frozen=True, slots=True)
class Predicted:
    """What came of a request.

    Attributes:
        answered: one item for each row.
        columns: what the version was asked with, as JSON has it: inputs and features.
        kinds: the types of these columns.
        unknown_keys: how many keys of look-ups were not found; None where nothing is looked up.
    """

    answered: Answered
    columns: Mapping[str, Sequence[object]]
    kinds: Mapping[str, str]
    unknown_keys: int | None = None


def predict(model: LoadedModel, body: Body) -> Predicted:
    """Asks a version.

    Raises:
        Refused: the request is not what its signature says.
    """
    params = checked_params(body.params, model.params)
    inputs = model.inputs if model.features is None else _optional(model.inputs)
    found = typed(body.columns, body.rows, inputs, is_text=body.is_text)
    kinds = {each.name: each.kind for each in inputs if each.name in found.arrays}
    question, columns, unknown = _question(model, body, found, kinds)
    return Predicted(ask(model.call(params), model.method, question), columns, kinds, unknown)


def warm(model: LoadedModel) -> None:
    """Asks a version for its input example, so that the first request finds everything imported.

    Raises:
        RegistryError: it predicts for no row of its own example.
    """
    rows = max(map(len, model.example.values()), default=0)
    if not rows:
        return
    answered = predict(model, Body(model.example, rows)).answered
    bad = [problem for value, problem in zip(answered.values, answered.problems, strict=True) if value is None]
    if len(bad) == rows:
        raise RegistryError(f"{model.ref} predicts for no row of its own input example: {bad[0]}")


def _optional(inputs: Sequence[Input]) -> tuple[Input, ...]:
    """Of a version with look-ups: a request gives keys, and of the features what it knows better."""
    return tuple(Input(each.name, each.kind, required=False) for each in inputs)


def _question(
    model: LoadedModel, body: Body, found: Typed, kinds: dict[str, str]
) -> tuple[Question, dict[str, Sequence[object]], int | None]:
    """What the version is asked, what of it is recorded, and the keys that are unknown."""
    columns = dict(found.plain)
    if model.features is None:
        dtypes = {name: _DTYPES[kind] for name, kind in kinds.items() if kind in _DTYPES}
        return Question(_frame(found.arrays), found.holes, found.infinite, dtypes), columns, None
    others = {name: _plain(values) for name, values in body.columns.items() if name not in found.arrays}
    frame, unknown = _looked_up(model, _frame({**_aware(found.arrays, kinds), **others}))
    for name in frame.columns:
        if name not in columns:
            columns[name] = [plain_value(value) for value in frame[name].tolist()]
            kinds[name] = _kind(frame[name])
    for name, values in others.items():
        if name not in columns and (kind := _plain_kind(values)):
            columns[name], kinds[name] = list(values), kind
    dtypes = {each.name: _DTYPES[each.kind] for each in model.inputs if each.kind in _DTYPES}
    return Question(frame, _last_of(frame, frame.isna()), _infinite(frame), dtypes), columns, unknown


def _frame(arrays: Mapping[str, Any]) -> Any:
    """A data frame of columns; those of one type are one block, which is five times quicker to make."""
    import numpy as np
    import pandas as pd

    if len({getattr(each, "dtype", None) for each in arrays.values()}) == 1:
        first = next(iter(arrays.values()))
        if getattr(first, "dtype", None) is not None and first.dtype.kind in "fiub":
            return pd.DataFrame(np.array(list(arrays.values())).T, columns=list(arrays), copy=False)
    return pd.DataFrame(dict(arrays), copy=False)


def _plain(values: Sequence[object]) -> Any:
    """A column of values as they came: a whole number beside a null stays one, for it may be a key."""
    import numpy as np

    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _aware(arrays: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Columns in which times have their zone."""
    import pandas as pd

    times = {name: pd.Series(arrays[name]).dt.tz_localize("UTC") for name in arrays if kinds[name] == "datetime"}
    return {**arrays, **times}


def _looked_up(model: LoadedModel, rows: Any) -> tuple[Any, int]:
    features = model.features
    assert features is not None
    try:
        found, unknown = features.add(rows)
        return in_types_of_model(found, {each.name: each.kind for each in model.inputs}), unknown
    except DataError as error:
        raise Refused(str(error)) from error
    except SparkmlError as error:
        raise Refused(f"features cannot be looked up now: {error}", HTTPStatus.SERVICE_UNAVAILABLE) from error


def _kind(column: Any) -> str:
    return _KINDS.get(getattr(column.dtype, "kind", "O"), "string")


def _plain_kind(values: Sequence[object]) -> str | None:
    """The type of plain values that no signature names; None for what no column of a table takes."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int}:
        return "long" if kinds else None
    return {frozenset({str}): "string", frozenset({bool}): "boolean"}.get(frozenset(kinds)) or (
        "double" if kinds <= {int, float} else None
    )


def _infinite(frame: Any) -> list[str | None]:
    import numpy as np

    floats = frame.select_dtypes("floating")
    return _last_of(floats, np.isinf(floats)) if len(floats.columns) else [None] * len(frame)


def _last_of(frame: Any, marked: Any) -> list[str | None]:
    """For each row the last column that is marked."""
    made: list[str | None] = [None] * len(frame)
    for name in frame.columns:
        for row in marked[name].to_numpy().nonzero()[0]:
            made[row] = name
    return made
