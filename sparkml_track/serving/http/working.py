"""Requests whose bodies are here, from what they say to their answers and records: the part that threads do."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sparkml_track.serving._spec import Serving
from sparkml_track.serving.http.metrics import Metrics
from sparkml_track.serving.inference.flushing import Recorder
from sparkml_track.serving.inference.records import Predictions, Record, encoded
from sparkml_track.serving.models.loading import LoadedModel
from sparkml_track.serving.models.predicting import Predicted, predict_together
from sparkml_track.serving.models.routing import SHADOW, Route, Routing, point_of
from sparkml_track.serving.models.shadowing import Asked, Shadows
from sparkml_track.serving.protocol.bodies import Body, read_body
from sparkml_track.serving.protocol.columns import Input, typed
from sparkml_track.serving.protocol.refused import Refused, error_body

__all__ = ["Call", "Done", "Waiting", "Working"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a request before its body is read."""

    request_id: str
    client_id: str | None
    came_ms: int
    started: float
    alias: str | None
    point: float
    content_type: str

    @property
    def shown_id(self) -> str:
        """What the client reads as the id of its request."""
        return self.client_id or self.request_id

    def milliseconds(self) -> float:
        """Since it came."""
        return (time.perf_counter() - self.started) * 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request whose body is here.

    Attributes:
        call: what is known of it.
        raw: its body.
        routing: that held when it came.
    """

    call: Call
    raw: bytes
    routing: Routing


@dataclass(frozen=True, slots=True)
class Done:
    """An answer, with the record of it where one is kept."""

    status: HTTPStatus
    body: bytes
    route: Route | None = None
    record: bytes | None = None


class Working:
    """Answers requests.

    Args:
        spec: limits and what is kept.
        recorder: None keeps nothing.
        metrics: counts.
    """

    def __init__(self, spec: Serving, recorder: Recorder | None, metrics: Metrics) -> None:
        self._spec, self._recorder, self._metrics = spec, recorder, metrics
        self._shadows = Shadows(self._keep_shadow, lambda: metrics.add("shadow_failed_total"))
        self._keep = [Input(name, kind, required=False) for name, kind in self._kept_columns().items()]

    def close(self, seconds: float) -> None:
        """Lets shadows end, for some seconds at most, and takes no more."""
        self._shadows.close(seconds)

    def _kept_columns(self) -> dict[str, str]:
        recording = self._spec.recording
        return dict(recording.keep) if recording is not None else {}

    def work(self, waiting: Sequence[Waiting]) -> list[Done]:
        """Answers requests; those of one version are asked together."""
        done, asked, by_model = dict[int, Done](), dict[int, tuple[Route, Body]](), dict[LoadedModel, list[int]]()
        for place, each in enumerate(waiting):
            route: Route | None = None
            try:
                alias = each.call.alias
                route = each.routing.pick(each.call.point) if alias is None else each.routing.named(alias)
                asked[place] = route, self._body(each.raw, each.call, route)
            except Exception as error:  # noqa: BLE001 -- a defect costs one request
                done[place] = self._refused(each, route, error)
                continue
            by_model.setdefault(route.model, []).append(place)
        for model, places in by_model.items():
            predicted = predict_together(model, [asked[place][1] for place in places])
            for place, found in zip(places, predicted, strict=True):
                done[place] = self._answered(waiting[place], *asked[place], found)
        return [done[place] for place in range(len(waiting))]

    def _answered(self, each: Waiting, route: Route, body: Body, predicted: Predicted | Exception) -> Done:
        try:
            if isinstance(predicted, Exception):
                raise predicted
            kept = self._rows_of(body, route, predicted)  # refuses columns that are to be kept, and are of other types
        except Exception as error:  # noqa: BLE001 -- a defect costs one request
            return self._refused(each, route, error)
        call = each.call
        answered = _answer_body(call, route, predicted)
        self._count_rows(route, predicted)
        record = self._recorded(call, each.raw, HTTPStatus.OK, answered, route, kept)
        for shadow in each.routing.shadows:
            if shadow.model.ref == route.model.ref:
                continue  # it would say the same
            if not self._shadows.offer(Asked(call.request_id, call.client_id, call.came_ms, body, shadow)):
                self._metrics.add("shadow_dropped_total")
        return Done(HTTPStatus.OK, answered, route, record)

    def _refused(self, each: Waiting, route: Route | None, error: Exception) -> Done:
        if isinstance(error, Refused):
            return self.failed(each, route, error.status, error.sentence)
        _LOG.error("request %s failed", each.call.request_id, exc_info=error)
        sentence = (
            f"the request could not be answered ({type(error).__name__}); the log has it as {each.call.request_id}"
        )
        return self.failed(each, route, HTTPStatus.INTERNAL_SERVER_ERROR, sentence)

    def _body(self, raw: bytes, call: Call, route: Route) -> Body:
        body = read_body(raw, call.content_type, [each.name for each in route.model.inputs])
        most = self._spec.limits.rows
        if body.rows > most:
            raise Refused(
                f"the request has {body.rows:,} rows, and {most:,} are allowed; send them in several requests",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        return body

    def failed(self, each: Waiting, route: Route | None, status: HTTPStatus, sentence: str) -> Done:
        """The answer to a request that has no prediction."""
        body = error_body(status, sentence, each.call.shown_id)
        return Done(status, body, route, self._recorded(each.call, each.raw, status, body, route, None))

    def _count_rows(self, route: Route, predicted: Predicted) -> None:
        labels: dict[str, Any] = {"alias": route.alias, "version": route.model.ref.version}
        bad = sum(value is None for value in predicted.answered.values)
        self._metrics.add("rows_total", len(predicted.answered.values), **labels)
        if bad:
            self._metrics.add("problem_rows_total", bad, **labels)
        if predicted.unknown_keys:
            self._metrics.add("unknown_keys_total", predicted.unknown_keys)

    # -- what is kept

    def _rows_of(self, body: Body, route: Route, predicted: Predicted) -> Predictions | None:
        if self._recorder is None:
            return None
        columns, kinds = dict(predicted.columns), dict(predicted.kinds)
        more = [each for each in self._keep if each.name not in columns]
        if more:
            kept = typed(body.columns, body.rows, more, is_text=body.is_text)
            columns |= kept.plain
            kinds |= {each.name: each.kind for each in more if each.name in kept.plain}
        answered = predicted.answered
        return Predictions(columns, kinds, answered.scores, answered.problems, route.model.ref.run_id)

    def _recorded(  # noqa: PLR0913
        self,
        call: Call,
        raw: bytes | None,
        status: HTTPStatus,
        answered: bytes,
        route: Route | None,
        predictions: Predictions | None,
        *,
        took: float | None = None,
    ) -> bytes | None:
        """The record of a request; None for one that is not kept."""
        recording = self._spec.recording
        if self._recorder is None or recording is None or point_of("sampling", call.request_id) >= recording.sampling:
            return None
        ref = route.model.ref if route else None
        return encoded(
            Record(
                call.request_id,
                call.client_id,
                call.came_ms,
                int(status),
                recording.sampling,
                call.milliseconds() if took is None else took,
                None if raw is None else raw.decode("utf-8", "replace"),
                answered.decode(),
                ref.name if ref else None,
                ref.version if ref else None,
                route.alias if route else call.alias,
                route.role if route else None,
                predictions,
            )
        )

    def _keep_shadow(self, asked: Asked, predicted: Predicted, took: float) -> None:
        route = asked.route
        self._count_rows(route, predicted)
        self._metrics.add("requests_total", alias=route.alias, version=route.model.ref.version, role=SHADOW, status=200)
        if self._recorder is None:
            return
        call = Call(asked.request_id, asked.client_request_id, asked.timestamp_ms, 0.0, route.alias, 0.0, "")
        rows = self._rows_of(asked.body, route, predicted)
        record = self._recorded(call, None, HTTPStatus.OK, _answer_body(call, route, predicted), route, rows, took=took)
        if record is not None:
            self._recorder.spool.append(record)


def _answer_body(call: Call, route: Route, predicted: Predicted) -> bytes:
    """MLflow's answer, with what made it beside it."""
    answered, ref = predicted.answered, route.model.ref
    said: dict[str, object] = {
        "predictions": answered.values,
        "model": {"name": ref.name, "version": ref.version, "alias": route.alias},
        "request_id": call.request_id,
    }
    problems = _problems(answered.values, answered.problems)
    if problems:
        said["problems"] = problems
    if predicted.unknown_keys is not None:
        said["unknown_keys"] = predicted.unknown_keys
    return json.dumps(said, allow_nan=False).encode()


def _problems(values: Sequence[object], problems: Sequence[str | None]) -> list[dict[str, object]]:
    return [
        {"row": row, "problem": problem}
        for row, (value, problem) in enumerate(zip(values, problems, strict=True))
        if value is None and problem is not None
    ]
