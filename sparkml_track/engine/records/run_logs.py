"""What attempts logged through MLflow, as journals have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sparkml_track.engine.records import fields as get
from sparkml_track.trial import LoggedMetric, NestedRun, RunLog

__all__ = ["log_body", "log_of"]

Body = Mapping[str, object]


def log_body(log: RunLog) -> dict[str, object]:
    """As it is in the journal; what is empty is left out."""
    parts: dict[str, object] = {"params": dict(log.params), "tags": dict(log.tags), "inputs": list(log.inputs)}
    parts["models"] = list(log.models)
    parts["metrics"] = [list(one) for one in log.metrics]
    parts["nested"] = [
        [one.id, one.name, one.parent, one.started, one.ended, one.status, log_body(one.log)] for one in log.nested
    ]
    return {name: part for name, part in parts.items() if part}


def log_of(body: Body) -> RunLog:
    """The inverse.

    Raises:
        ValueError: it is not one; names the field.
    """

    def part(name: str) -> dict[str, str]:
        return {key: str(value) for key, value in get.mapping({name: {}, **body}, name).items()}

    rows = get.items({"metrics": [], **body}, "metrics")
    metrics = [LoggedMetric(*get.row(row, "metrics", (str, float, int, float))) for row in rows]
    inputs, models = (
        [dict(one) for one in get.items({name: [], **body}, name) if isinstance(one, dict)]
        for name in ("inputs", "models")
    )
    kinds = (str, str, str, float, float, str, dict)
    nested = [get.row(row, "nested", kinds) for row in get.items({"nested": [], **body}, "nested")]
    runs = tuple(replace(NestedRun(*fields), log=log_of(inner)) for *fields, inner in nested)
    return RunLog(part("params"), metrics, part("tags"), inputs, models, runs)
