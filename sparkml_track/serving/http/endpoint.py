"""One request, from its body to its answer. What takes time is done by threads; the loop only waits."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sparkml_track.serving._spec import Serving
from sparkml_track.serving.http.metrics import Metrics
from sparkml_track.serving.http.reading import body_of, client_request_id
from sparkml_track.serving.inference.flushing import Recorder
from sparkml_track.serving.inference.records import Predictions, Record, encoded
from sparkml_track.serving.models.following import Follower
from sparkml_track.serving.models.predicting import Predicted, predict
from sparkml_track.serving.models.routing import SHADOW, Route, Routing, point_of
from sparkml_track.serving.models.shadowing import Asked, Shadows
from sparkml_track.serving.protocol.bodies import Body, read_body
from sparkml_track.serving.protocol.columns import Input, typed
from sparkml_track.serving.protocol.refused import Refused, error_body

__all__ = ["Endpoint", "answer"]

_LOG = logging.getLogger(__name__)
_LATE = HTTPStatus.GATEWAY_TIMEOUT


@dataclass(frozen=True, slots=True)
class _Call:
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
class _Done:
    """An answer, with the record of it where one is kept."""

    status: HTTPStatus
    body: bytes
    route: Route | None = None
    record: bytes | None = None


class Endpoint:
    """Answers requests with what routes lead to at that moment.

    Args:
        spec: limits and the sticky header.
        follower: has the routes.
        recorder: None keeps nothing.
        metrics: counts.
    """

    def __init__(self, spec: Serving, follower: Follower, recorder: Recorder | None, metrics: Metrics) -> None:
        self._spec, self._follower, self._recorder, self.metrics = spec, follower, recorder, metrics
        self._pool = ThreadPoolExecutor(spec.limits.threads, "predict", initializer=one_thread)
        self._shadows = Shadows(self._keep_shadow, lambda: metrics.add("shadow_failed_total"))
        self._keep = [Input(name, kind, required=False) for name, kind in self._kept_columns().items()]
        #: Requests that are being answered; of the loop's thread alone.
        self.in_hand = 0

    async def invoke(self, request: Request) -> Response:
        """Answers one request."""
        call = self._call(request)
        if self.in_hand >= self._spec.limits.concurrency:
            self.metrics.add("rejected_total", reason="concurrency")
            sentence = f"{self.in_hand} requests are in hand, and more are not taken; try again in a second"
            response = answer(HTTPStatus.TOO_MANY_REQUESTS, sentence, call.shown_id)
            response.headers["retry-after"] = "1"
            return response
        self.in_hand += 1
        try:
            raw = await asyncio.wait_for(body_of(request, self._spec.limits), self._spec.limits.seconds)
        except BaseException as error:  # noqa: BLE001 -- counted; what is not an answer is raised again
            self.in_hand -= 1
            self.metrics.add("rejected_total", reason="body")
            return self._unread(call, error)
        return await self._sent(call, await self._in_time(call, raw))

    def _unread(self, call: _Call, error: BaseException) -> Response:
        """The answer to a request whose body is not had."""
        if isinstance(error, Refused):
            return answer(error.status, error.sentence, call.shown_id)
        if isinstance(error, TimeoutError):
            sentence = f"the body did not come in {self._spec.limits.seconds:g} s"
            return answer(HTTPStatus.REQUEST_TIMEOUT, sentence, call.shown_id)
        raise error

    def close(self, seconds: float) -> None:
        """Lets shadows end, for some seconds at most, and takes no more."""
        self._shadows.close(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _kept_columns(self) -> dict[str, str]:
        recording = self._spec.recording
        return dict(recording.keep) if recording is not None else {}

    def _call(self, request: Request) -> _Call:
        request_id = uuid.uuid4().hex
        key = request.headers.get(self._spec.sticky, "") if self._spec.sticky else ""
        return _Call(
            request_id,
            client_request_id(request),
            time.time_ns() // 1_000_000,
            time.perf_counter(),
            request.query_params.get("alias"),
            point_of(self._spec.model, key or request_id),
            request.headers.get("content-type", ""),
        )

    async def _in_time(self, call: _Call, raw: bytes) -> _Done:
        """What a thread answers; or, once the time is over, a sentence: the thread goes on, and keeps its place."""
        routing = self._follower.routing
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._work, call, raw, routing)
        work.add_done_callback(self._ended)
        left = self._spec.limits.seconds - call.milliseconds() / 1000
        try:
            return await asyncio.wait_for(asyncio.shield(work), max(left, 0.001))
        except TimeoutError:
            sentence = f"there was no prediction in {self._spec.limits.seconds:g} s; send fewer rows, or try again"
            return self._failed(call, raw, None, _LATE, sentence)

    def _ended(self, work: asyncio.Future[_Done]) -> None:
        self.in_hand -= 1
        if not work.cancelled():
            work.exception()  # of a request that was answered before; looked at, so that asyncio does not log it

    async def _sent(self, call: _Call, done: _Done) -> Response:
        """The answer, once it is on disk."""
        if done.record is not None and self._recorder is not None:
            done = await self._on_disk(call, done, asyncio.wrap_future(self._recorder.spool.append(done.record)))
        self._count(call, done)
        headers = {"x-request-id": call.shown_id}
        return Response(done.body, done.status, headers, media_type="application/json")

    async def _on_disk(self, call: _Call, done: _Done, kept: asyncio.Future[bool]) -> _Done:
        """The same answer; or a sentence, where the disk takes longer than a request may."""
        self.in_hand += 1
        try:
            await asyncio.wait_for(asyncio.shield(kept), self._spec.limits.seconds)
        except TimeoutError:
            sentence = f"the answer could not be recorded in {self._spec.limits.seconds:g} s; the disk is too slow"
            return _Done(_LATE, error_body(_LATE, sentence, call.shown_id), done.route)
        finally:
            self.in_hand -= 1
        return done

    def _count(self, call: _Call, done: _Done) -> None:
        route = done.route
        labels: dict[str, Any] = {
            "alias": route.alias if route else "",
            "version": route.model.ref.version if route else "",
            "role": route.role if route else "",
            "status": int(done.status),
        }
        self.metrics.add("requests_total", **labels)
        self.metrics.time(call.milliseconds() / 1000)

    # -- in a thread

    def _work(self, call: _Call, raw: bytes, routing: Routing) -> _Done:
        route: Route | None = None
        try:
            route = routing.pick(call.point) if call.alias is None else routing.named(call.alias)
            body = self._body(raw, call, route)
            predicted = predict(route.model, body)
            kept = self._rows_of(body, route, predicted)  # refuses columns that are to be kept, and are of other types
        except Refused as error:
            return self._failed(call, raw, route, error.status, error.sentence)
        except Exception as error:  # noqa: BLE001 -- a defect costs one request
            _LOG.exception("request %s failed", call.request_id)
            sentence = (
                f"the request could not be answered ({type(error).__name__}); the log has it as {call.request_id}"
            )
            return self._failed(call, raw, route, HTTPStatus.INTERNAL_SERVER_ERROR, sentence)
        answered = _answer_body(call, route, predicted)
        self._count_rows(route, predicted)
        record = self._recorded(call, raw, HTTPStatus.OK, answered, route, kept)
        for shadow in routing.shadows:
            if shadow.model.ref == route.model.ref:
                continue  # it would say the same
            if not self._shadows.offer(Asked(call.request_id, call.client_id, call.came_ms, body, shadow)):
                self.metrics.add("shadow_dropped_total")
        return _Done(HTTPStatus.OK, answered, route, record)

    def _body(self, raw: bytes, call: _Call, route: Route) -> Body:
        body = read_body(raw, call.content_type, [each.name for each in route.model.inputs])
        most = self._spec.limits.rows
        if body.rows > most:
            raise Refused(
                f"the request has {body.rows:,} rows, and {most:,} are allowed; send them in several requests",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        return body

    def _failed(self, call: _Call, raw: bytes, route: Route | None, status: HTTPStatus, sentence: str) -> _Done:
        body = error_body(status, sentence, call.shown_id)
        return _Done(status, body, route, self._recorded(call, raw, status, body, route, None))

    def _count_rows(self, route: Route, predicted: Predicted) -> None:
        labels: dict[str, Any] = {"alias": route.alias, "version": route.model.ref.version}
        bad = sum(value is None for value in predicted.answered.values)
        self.metrics.add("rows_total", len(predicted.answered.values), **labels)
        if bad:
            self.metrics.add("problem_rows_total", bad, **labels)
        if predicted.unknown_keys:
            self.metrics.add("unknown_keys_total", predicted.unknown_keys)

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
        call: _Call,
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
        self.metrics.add("requests_total", alias=route.alias, version=route.model.ref.version, role=SHADOW, status=200)
        if self._recorder is None:
            return
        call = _Call(asked.request_id, asked.client_request_id, asked.timestamp_ms, 0.0, route.alias, 0.0, "")
        rows = self._rows_of(asked.body, route, predicted)
        record = self._recorded(call, None, HTTPStatus.OK, _answer_body(call, route, predicted), route, rows, took=took)
        if record is not None:
            self._recorder.spool.append(record)


def one_thread() -> None:
    """Keeps OpenMP in the calling thread: a few rows take a hundredth of what waiting for other threads takes."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")


def answer(status: HTTPStatus, sentence: str, request_id: str) -> Response:
    """An answer without predictions."""
    body = error_body(status, sentence, request_id)
    return Response(body, status, {"x-request-id": request_id}, media_type="application/json")


def _answer_body(call: _Call, route: Route, predicted: Predicted) -> bytes:
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
