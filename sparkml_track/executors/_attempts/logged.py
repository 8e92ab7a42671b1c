"""What attempts log through MLflow, as slots send it: lists of a kind and what belongs to it.

    p   name, text                                  a param
    m   name, number or "nan", time in ms, step     a metric
    t   name, text                                  a tag
    d   name, digest, source type, source, schema, profile, tags       a data set
    l   id, name, type, status, times in ms of making and change, run id in the slot, tags, params      a model
    n   id, name, id of the run that it is in, time in ms           a nested run began
    e   id, status, time in ms                                      it ended
    r   id, one of p, m, t and d                                    a value of it

Checked here, as all that slots send (``received``).
"""

from __future__ import annotations

import re
from dataclasses import replace

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
from sparkml_track.trial import LoggedMetric, NestedRun, RunLog

__all__ = ["run_log_of"]

#: Values in one message, and characters of a param, a tag and a field of a data set; MLflow's own where it has any.
_VALUES, _PARAM, _TAG, _FIELD = 10_000, 6_000, 8_000, 65_535
_OF_A_MODEL, _NAME = 1_000, 250
#: Items of each kind, itself among them; kinds that nested runs may have; how they may end.
_LENGTHS = {"p": 3, "t": 3, "m": 5, "d": 8, "l": 10, "n": 5, "e": 4, "r": 3}
_OF_NESTED = ("p", "m", "t", "d")
_STATUSES = ("FINISHED", "FAILED", "KILLED")
_MODEL, _RUN = re.compile("m-[0-9a-f]{32}"), re.compile("[0-9a-f]{32}")
_FIELDS = ("name", "digest", "source_type", "source", "schema", "profile")


def run_log_of(logged: wire.Logged) -> RunLog:
    """What was logged.

    Raises:
        BadMessage: it cannot be.
    """
    if not isinstance(logged.values, list) or len(logged.values) > _VALUES:
        raise BadMessage(f"what was logged is {shown(logged.values)}; allowed is a list of at most {_VALUES} values")
    found = _Found()
    nested: dict[str, _Found] = {}
    runs: list[NestedRun] = []
    for value in logged.values:
        kind = _kind_of(value)
        if kind == "r":
            inner = value[2]
            if _kind_of(inner) not in _OF_NESTED:
                raise BadMessage(f"a value of a nested run is {shown(inner)}; allowed are params, metrics, tags, data")
            nested.setdefault(_run_id(value[1]), _Found()).take(inner)
        elif kind in ("n", "e"):
            runs.append(_began(value) if kind == "n" else _ended(value))
        else:
            found.take(value)
    runs += [NestedRun(one, log=part.log()) for one, part in nested.items()]
    return replace(found.log(), nested=tuple(runs))


class _Found:
    """What was logged of one run."""

    def __init__(self) -> None:
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._metrics: list[LoggedMetric] = []
        self._inputs: list[dict[str, object]] = []
        self._models: list[dict[str, object]] = []

    def take(self, value: list[object]) -> None:
        """Takes a value whose kind and length are right."""
        match value[0]:
            case "p":
                self._params.setdefault(name_in(value[1]), text_in(value[2], "a param")[:_PARAM])
            case "t":
                self._tags[name_in(value[1])] = text_in(value[2], "a tag")[:_TAG]
            case "m":
                self._metrics.append(_metric(value))
            case "d":
                self._inputs.append(_input(value))
            case _:
                self._models.append(_model(value))

    def log(self) -> RunLog:
        """All of it."""
        return RunLog(self._params, self._metrics, self._tags, self._inputs, self._models)


def _kind_of(value: object) -> str:
    kind = value[0] if isinstance(value, list) and value else None
    if not isinstance(kind, str) or len(value) != _LENGTHS.get(kind):  # type: ignore[arg-type]
        raise BadMessage(f"a logged value is {shown(value)}; allowed are params, metrics, tags, data sets, nested runs")
    return kind


def _run_id(value: object) -> str:
    if not isinstance(value, str) or not _RUN.fullmatch(value):
        raise BadMessage(f"a run is {shown(value)}; allowed are ids as MLflow makes them")
    return value


def _began(value: list[object]) -> NestedRun:
    one, name, parent, millis = value[1:]
    return NestedRun(_run_id(one), text_in(name, "a run's name")[:_NAME], _run_id(parent), _seconds(millis))


def _ended(value: list[object]) -> NestedRun:
    one, status, millis = value[1:]
    if status not in _STATUSES:
        raise BadMessage(f"a nested run ended as {shown(status)}; allowed are {', '.join(_STATUSES)}")
    return NestedRun(_run_id(one), ended=_seconds(millis), status=str(status))


def _seconds(millis: object) -> float:
    return seconds_in(whole_in(millis, "the time of a run") / 1000, "the time of a run")


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
