"""What attempts log through MLflow, as slots send it: lists of a kind and what belongs to it.

    p   name, text                                  a param
    m   name, number or "nan", time in ms, step     a metric
    t   name, text                                  a tag
    d   name, digest, source type, source, schema, profile, tags       a data set
    l   id, name, type, status, times in ms of making and change, run id in the slot, tags, params      a model

Checked here, as all that slots send (``received``).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sparkml_track.executors._attempts.received import (
    BadMessage,
    name_in,
    number_in,
    seconds_in,
    shown,
    text_in,
    whole_in,
)
from sparkml_track.slot.wire import messages as wire
from sparkml_track.trial import LoggedMetric, RunLog

__all__ = ["run_log_of"]

#: Values in one message, and characters of a param, a tag and a field of a data set; MLflow's own where it has any.
_VALUES, _PARAM, _TAG, _FIELD = 10_000, 6_000, 8_000, 65_535
_OF_A_MODEL = 1_000
_MODEL, _RUN = re.compile("m-[0-9a-f]{32}"), re.compile("[0-9a-f]{32}")
_FIELDS = ("name", "digest", "source_type", "source", "schema", "profile")


def run_log_of(logged: wire.Logged) -> RunLog:
    """What was logged.

    Raises:
        BadMessage: it cannot be.
    """
    if not isinstance(logged.values, list) or len(logged.values) > _VALUES:
        raise BadMessage(f"what was logged is {shown(logged.values)}; allowed is a list of at most {_VALUES} values")
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: list[LoggedMetric] = []
    inputs: list[dict[str, object]] = []
    models: list[dict[str, object]] = []
    takers: dict[object, Callable[[list[object]], object]] = {
        "p": lambda value: params.setdefault(name_in(value[1]), text_in(value[2], "a param")[:_PARAM]),
        "t": lambda value: tags.update({name_in(value[1]): text_in(value[2], "a tag")[:_TAG]}),
        "m": lambda value: metrics.append(_metric(value)),
        "d": lambda value: inputs.append(_input(value)),
        "l": lambda value: models.append(_model(value)),
    }
    for value in logged.values:
        taker = takers.get(value[0]) if isinstance(value, list) and value and isinstance(value[0], str) else None
        if taker is None or len(value) != {"p": 3, "t": 3, "m": 5, "d": 8, "l": 10}[value[0]]:
            raise BadMessage(f"a logged value is {shown(value)}; allowed are params, metrics, tags and data sets")
        taker(value)
    return RunLog(params, metrics, tags, inputs, models)


def _metric(value: list[object]) -> LoggedMetric:
    name, given, millis, step = value[1:]
    number = float(given) if given in ("nan", "inf", "-inf") else number_in(given, name)
    seconds = seconds_in(whole_in(millis, "the time of a metric") / 1000, "the time of a metric")
    return LoggedMetric(name_in(name), number, whole_in(step, "the step of a metric"), seconds)


def _input(value: list[object]) -> dict[str, object]:
    fields = {
        name: "" if field is None else text_in(field, "a data set")
        for name, field in zip(_FIELDS, value[1:7], strict=True)
    }
    tags = value[7]
    if any(len(field) > _FIELD for field in fields.values()) or not isinstance(tags, dict) or len(tags) > 10:
        raise BadMessage(f"a data set is {shown(value)}; its fields may have {_FIELD:,} characters, and it 10 tags")
    return {**fields, "tags": {name_in(name): text_in(text, "a tag")[:_TAG] for name, text in tags.items()}}


def _model(value: list[object]) -> dict[str, object]:
    one, name, kind, status, created, updated, run_id, tags, params = value[1:]
    if not (isinstance(one, str) and _MODEL.fullmatch(one) and isinstance(run_id, str) and _RUN.fullmatch(run_id)):
        raise BadMessage(f"a model is {shown(one)} of run {shown(run_id)}; allowed are ids as MLflow makes them")
    times = {"created": whole_in(created, "a time"), "updated": whole_in(updated, "a time")}
    about = {"id": one, "run_id": run_id, "name": name_in(name), "type": text_in(kind or "", "a model's type")[:500]}
    return {
        **about,
        "status": whole_in(status, "a model's status"),
        **times,
        "tags": _texts(tags),
        "params": _texts(params),
    }


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _OF_A_MODEL:
        raise BadMessage(f"tags or params of a model are {shown(value)}; allowed are at most {_OF_A_MODEL}")
    return {name_in(name): text_in(text, "a tag")[:_TAG] for name, text in value.items()}
