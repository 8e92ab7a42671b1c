"""One request, from its body to its answer. What takes time is done by threads; the loop only waits."""

from __future__ import annotations

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sparkml_track.serving._spec import Serving
from sparkml_track.serving.http.metrics import Metrics
from sparkml_track.serving.http.reading import body_of, client_request_id
from sparkml_track.serving.http.together import Together
from sparkml_track.serving.http.working import Call, Done, Waiting, Working
from sparkml_track.serving.inference.flushing import Recorder
from sparkml_track.serving.models.following import Follower
from sparkml_track.serving.models.routing import point_of
from sparkml_track.serving.protocol.refused import Refused, error_body

__all__ = ["Endpoint", "answer"]

_LATE = HTTPStatus.GATEWAY_TIMEOUT


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
        self._working = Working(spec, recorder, metrics)
        self._together = Together(self._pool, self._working.work, _size, spec.limits)
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

    def _unread(self, call: Call, error: BaseException) -> Response:
        """The answer to a request whose body is not had."""
        if isinstance(error, Refused):
            return answer(error.status, error.sentence, call.shown_id)
        if isinstance(error, TimeoutError):
            sentence = f"the body did not come in {self._spec.limits.seconds:g} s"
            return answer(HTTPStatus.REQUEST_TIMEOUT, sentence, call.shown_id)
        raise error

    def close(self, seconds: float) -> None:
        """Lets shadows end, for some seconds at most, and takes no more."""
        self._working.close(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, request: Request) -> Call:
        request_id = uuid.uuid4().hex
        key = request.headers.get(self._spec.sticky, "") if self._spec.sticky else ""
        return Call(
            request_id,
            client_request_id(request),
            time.time_ns() // 1_000_000,
            time.perf_counter(),
            request.query_params.get("alias"),
            point_of(self._spec.model, key or request_id),
            request.headers.get("content-type", ""),
        )

    async def _in_time(self, call: Call, raw: bytes) -> Done:
        """What a thread answers; or, once the time is over, a sentence: the thread goes on, and keeps its place."""
        waiting = Waiting(call, raw, self._follower.routing)
        work = self._together.add(waiting)
        work.add_done_callback(self._ended)
        left = self._spec.limits.seconds - call.milliseconds() / 1000
        try:
            return await asyncio.wait_for(asyncio.shield(work), max(left, 0.001))
        except TimeoutError:
            sentence = f"there was no prediction in {self._spec.limits.seconds:g} s; send fewer rows, or try again"
            return self._working.failed(waiting, None, _LATE, sentence)

    def _ended(self, work: asyncio.Future[Done]) -> None:
        self.in_hand -= 1
        if not work.cancelled():
            work.exception()  # of a request that was answered before; looked at, so that asyncio does not log it

    async def _sent(self, call: Call, done: Done) -> Response:
        """The answer, once it is on disk."""
        if done.record is not None and self._recorder is not None:
            done = await self._on_disk(call, done, asyncio.wrap_future(self._recorder.spool.append(done.record)))
        self._count(call, done)
        headers = {"x-request-id": call.shown_id}
        return Response(done.body, done.status, headers, media_type="application/json")

    async def _on_disk(self, call: Call, done: Done, kept: asyncio.Future[bool]) -> Done:
        """The same answer; or a sentence, where the disk takes longer than a request may."""
        self.in_hand += 1
        try:
            await asyncio.wait_for(asyncio.shield(kept), self._spec.limits.seconds)
        except TimeoutError:
            sentence = f"the answer could not be recorded in {self._spec.limits.seconds:g} s; the disk is too slow"
            return Done(_LATE, error_body(_LATE, sentence, call.shown_id), done.route)
        finally:
            self.in_hand -= 1
        return done

    def _count(self, call: Call, done: Done) -> None:
        route = done.route
        labels: dict[str, Any] = {
            "alias": route.alias if route else "",
            "version": route.model.ref.version if route else "",
            "role": route.role if route else "",
            "status": int(done.status),
        }
        self.metrics.add("requests_total", **labels)
        self.metrics.time(call.milliseconds() / 1000)


def _size(waiting: Waiting) -> int:
    return len(waiting.raw)


def one_thread() -> None:
    """Keeps OpenMP in the calling thread: a few rows take a hundredth of what waiting for other threads takes."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")


def answer(status: HTTPStatus, sentence: str, request_id: str) -> Response:
    """An answer without predictions."""
    body = error_body(status, sentence, request_id)
    return Response(body, status, {"x-request-id": request_id}, media_type="application/json")
