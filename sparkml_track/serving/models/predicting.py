"""From what a request says to predictions, with one version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from sparkml_track.errors import DataError, RegistryError, SparkmlError
from sparkml_track.online_stores import in_types_of_model
from sparkml_track.serving.models.asking import Answered, Question, ask
from sparkml_track.serving.models.loading import LoadedModel
from sparkml_track.serving.protocol.answers import plain_value
from sparkml_track.serving.protocol.bodies import Body
from sparkml_track.serving.protocol.columns import Input, Typed, typed
from sparkml_track.serving.protocol.params import checked_params
from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Predicted", "predict", "predict_together", "warm"]

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
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
    return _alone(model, _checked(model, body))


def predict_together(model: LoadedModel, bodies: Sequence[Body]) -> list[Predicted | Exception]:
    """Asks a version for several requests at once; each gets what it would have got alone.

    Requests with nulls, infinite numbers, unknown keys or params are asked alone, for columns have other types there.

    Returns:
        For each request its prediction, or what ``predict`` would have raised.
    """
    made: dict[int, Predicted | Exception] = {}
    checked = {place: _tried(_checked, model, body) for place, body in enumerate(bodies)}
    alike: dict[tuple[object, ...], list[int]] = {}
    for place, each in checked.items():
        if isinstance(each, Exception):
            made[place] = each
        elif each.body.rows and not (each.params or any(each.found.holes) or any(each.found.infinite)):
            alike.setdefault((*each.found.arrays, "", *sorted(each.body.columns)), []).append(place)
    for places in alike.values():
        group = [each for place in places if isinstance(each := checked[place], _Checked)]
        if len(group) > 1 and (answers := _together(model, group)):
            made |= zip(places, answers, strict=True)
    for place, each in checked.items():
        if place not in made and isinstance(each, _Checked):
            made[place] = _tried(_alone, model, each)
    return [made[place] for place in range(len(bodies))]


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


@dataclass(frozen=True, slots=True)
class _Checked:
    """A request that is what the signature says."""

    body: Body
    params: Mapping[str, object]
    found: Typed
    kinds: Mapping[str, str]


def _checked(model: LoadedModel, body: Body) -> _Checked:
    params = checked_params(body.params, model.params)
    inputs = model.inputs if model.features is None else _optional(model.inputs)
    found = typed(body.columns, body.rows, inputs, is_text=body.is_text)
    return _Checked(body, params, found, {each.name: each.kind for each in inputs if each.name in found.arrays})


def _alone(model: LoadedModel, each: _Checked) -> Predicted:
    kinds = dict(each.kinds)
    question, columns, unknown = _question(model, each.body, each.found, kinds)
    return Predicted(ask(model.call(each.params), model.method, question), columns, kinds, unknown)


def _together(model: LoadedModel, group: Sequence[_Checked]) -> list[Predicted] | None:
    """What comes of requests whose columns have the same names and types; None where that is not sure."""
    import numpy as np

    first, rows = group[0], [each.body.rows for each in group]
    arrays = {name: np.concatenate([each.found.arrays[name] for each in group]) for name in first.found.arrays}
    plain = {name: [value for each in group for value in each.found.plain[name]] for name in first.found.plain}
    none: list[str | None] = [None] * sum(rows)
    given = {name: [value for each in group for value in each.body.columns[name]] for name in first.body.columns}
    kinds = dict(first.kinds)
    # Of a key no signature names the type: the values of a request say it.
    loose = [name for name in given if name not in arrays] if model.features is not None else []
    try:
        question, columns, unknown = _question(model, Body(given, sum(rows)), Typed(arrays, plain, none, none), kinds)
        if unknown or any(question.holes) or any(question.infinite):
            return None
        answered = ask(model.call({}), model.method, question)
    except Exception:  # noqa: BLE001 -- each is asked alone, and has its own
        return None
    made, start = list[Predicted](), 0
    for each in group:
        some = slice(start, start := start + each.body.rows)
        own = {name: values[some] for name, values in columns.items() if name not in loose}
        own_kinds = {name: kind for name, kind in kinds.items() if name not in loose}
        for name in loose:
            if kind := _plain_kind(given[name][some]):
                own[name], own_kinds[name] = given[name][some], kind
        parts = Answered(answered.values[some], answered.scores[some], answered.problems[some])
        made.append(Predicted(parts, own, own_kinds, unknown))
    return made


def _tried(what: Callable[[LoadedModel, _Given], _Made], model: LoadedModel, given: _Given) -> _Made | Exception:
    try:
        return what(model, given)
    except Exception as error:  # noqa: BLE001 -- of one request
        return error


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
