"""The in-process twin: attempts run one at a time on a thread of this process. Nothing is isolated or killed."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence

from typing_extensions import override

from sparkml_track.adapters.mlflow.in_process.attempts import TrialRuns
from sparkml_track.errors import ExecutorError
from sparkml_track.executors._attempts.messages import run_message
from sparkml_track.executors._attempts.payloads import Inputs
from sparkml_track.executors._attempts.received import outcome_of
from sparkml_track.executors._attempts.said import event_of
from sparkml_track.executors._base import (
    Capabilities,
    Ended,
    Event,
    Executor,
    Questioned,
    Reported,
    SlotsChanged,
    Started,
    Work,
    refuse_gangs,
)
from sparkml_track.executors._shipping.artifacts import inbox_of, places_of, with_artifacts
from sparkml_track.executors._shipping.work import pack_work
from sparkml_track.slot.attempt.artifacts import pieces
from sparkml_track.slot.attempt.context import Data, Link
from sparkml_track.slot.attempt.execute import Stopped, execute
from sparkml_track.slot.attempt.payload import Payload
from sparkml_track.slot.attempt.usage import thread_usage
from sparkml_track.slot.host.folder import Host
from sparkml_track.slot.host.paths import HostPaths
from sparkml_track.trial import Attempt, Outcome, Report, State

__all__ = ["InlineExecutor"]


class _Closed(Stopped):
    """The executor was closed while an attempt waited for an answer."""


class InlineExecutor(Executor, Link):
    """See ``Executor``.

    Args:
        work: what all attempts share.
        token: names this instance.
    """

    name = "inline"
    capabilities = Capabilities(kills=False, streams=True, isolates=False)

    def __init__(self, work: Work, token: str) -> None:
        refuse_gangs(self.name, work)
        self.stale = 0
        self._work = work
        self.payload = Payload(work.payload_limit)
        self._host = Host(token, home=True)
        self._inputs = Inputs(self._host.folder)
        try:
            self._data = Data(pack_work(work, self._host.folder).entries, HostPaths(self._host.folder).blobs)
            self._places = places_of(work, self._host.folder)
        except BaseException:
            self._host.remove()
            raise
        self._spool = inbox_of(work, self._host.folder)
        self._runs = TrialRuns(self._host.folder, work.nested, tracked=work.tracked)
        self._in: queue.SimpleQueue[Attempt | None] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[str, int, bool] | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[tuple[str, int, str] | None] = queue.SimpleQueue()
        self._stopped: dict[str, str] = {}
        self._ahead = 0
        self._closed = False
        self._current = ""
        self._thread = threading.Thread(target=self._serve, name="sparkml-inline", daemon=True)
        self._out.put(SlotsChanged(1))
        self._thread.start()

    @property
    @override
    def slots(self) -> int:
        return 1

    @property
    @override
    def room(self) -> int:
        return 1 - self._ahead

    @override
    def submit(self, *attempts: Attempt) -> None:
        self._ahead += len(attempts)
        for attempt in attempts:
            self._in.put(attempt)

    @override
    def events(self, timeout: float | None = None) -> Sequence[Event]:
        until = None if timeout is None else time.monotonic() + timeout
        events: list[Event] = []
        while not events and (until is None or time.monotonic() < until):
            wait = 0.25 if until is None else max(0.0, min(0.25, until - time.monotonic()))
            events += self._take(wait)
            if not events and not self._thread.is_alive() and not self._closed:
                raise ExecutorError("the thread of the inline executor died; results so far are kept")
        return events

    def _take(self, wait: float) -> list[Event]:
        events: list[Event] = []
        try:
            events.append(self._out.get(timeout=wait))
            while True:
                events.append(self._out.get_nowait())
        except queue.Empty:
            self._ahead -= sum(isinstance(event, Ended) for event in events)
            return events

    @override
    def answer(self, attempt: str, index: int, stop: bool) -> None:
        self._answers.put((attempt, index, stop))

    @override
    def reply(self, attempt: str, number: int, body: str) -> None:
        self._replies.put((attempt, number, body))

    def stop(self, attempt: str, reason: str) -> None:
        """See ``Executor``; one that has not begun never does, one that runs learns it at its next ``should_stop``."""
        self._stopped[attempt] = reason

    def close(self) -> None:
        """See ``Executor``; an attempt that runs on is left to end by itself."""
        if self._closed:
            return
        self._closed = True
        self._in.put(None)
        self._answers.put(None)
        self._replies.put(None)
        self._thread.join(1.0)
        self._runs.close()
        self._host.remove()

    # -- the thread

    @override
    def report(self, index: int, metrics: dict[str, float], step: int, when: float) -> None:
        self._out.put(Reported(self._current, index, Report(metrics, step, when)))

    @override
    def decision(self, index: int) -> bool:
        while True:
            answer = self._answers.get()
            if answer is None or self._closed:
                raise _Closed
            if answer[:2] == (self._current, index):
                return answer[2] or self._current in self._stopped

    def hold(self) -> None:
        """See ``Link``; nothing is gained here."""

    @override
    def question(self, number: int, body: str, waits: bool) -> str:
        self._out.put(Questioned(self._current, number, body, waits))
        while waits:
            reply = self._replies.get()
            if reply is None or self._closed:
                raise _Closed
            if reply[:2] == (self._current, number):
                return reply[2]
        return ""

    def _serve(self) -> None:
        while True:
            attempt = self._in.get()
            if attempt is None or self._closed:
                return
            try:
                self._out.put(Ended(attempt.id, self._run(attempt)))
            except _Closed:
                return

    def _run(self, attempt: Attempt) -> Outcome:
        reason = self._stopped.pop(attempt.id, None)
        if reason is not None:
            return Outcome(State.KILLED, reason=reason, message=f"ended before it began: {reason}")
        self._current = attempt.id
        self._out.put(Started(attempt.id, "driver", time.time()))
        work = self._work
        self._data.renew()
        self._inputs.place(attempt)
        self.payload.begin(attempt.payload)
        began = time.thread_time()
        run, places = run_message(attempt), self._places
        done = self._runs.executed(
            run,
            places,
            lambda logged: self._out.put(event_of(logged)),
            lambda: execute(work.objective, run, self._data, self, work.metric, places),
        )
        done = done._replace(usage=thread_usage(began))
        outcome = outcome_of(done, "driver", work.metric, self.payload.back)
        reason = self._stopped.pop(attempt.id, None)
        if reason is not None:
            outcome = Outcome(State.KILLED, reason=reason, message=f"ended: {reason}")
        for head, piece in pieces(self._host.folder, attempt.id, self._places.artifacts or ""):
            self._spool.take(attempt.id, head.path, head.at, piece)
        return with_artifacts(self._spool, attempt.id, outcome)
