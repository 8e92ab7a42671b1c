"""The driver executor: threads of the driver, for objectives that use Spark themselves.

An objective gets the driver's own data objects and may use the session; each attempt's Spark jobs are in a group and a
scheduler pool of their own. Nothing else is isolated, and only its Spark jobs can be ended by force.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from sparkml_track.adapters.mlflow.in_process.attempts import TrialRuns
from sparkml_track.errors import ExecutorError
from sparkml_track.executors._attempts.messages import run_message, take_back
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
from sparkml_track.executors._driver.scope import Scope
from sparkml_track.executors._shipping.artifacts import inbox_of, places_of, with_artifacts
from sparkml_track.slot.attempt.artifacts import pieces
from sparkml_track.slot.attempt.context import Link
from sparkml_track.slot.attempt.execute import Stopped, execute
from sparkml_track.slot.attempt.payload import Payload
from sparkml_track.slot.attempt.usage import thread_usage
from sparkml_track.slot.host.folder import Host
from sparkml_track.trial import Attempt, Outcome, Report, State

__all__ = ["DriverExecutor"]

#: Attempts at one time where the sweep does not say: Spark has the cores, threads only wait for it.
_SLOTS = 4
#: Seconds between looks at timeouts and at what was stopped.
_CHECK = 0.25


class _Running(Link):
    """An attempt on its thread; what the objective's reports go through."""

    def __init__(self, attempt: Attempt, events: queue.SimpleQueue[Event], payload_limit: int) -> None:
        self.attempt = attempt
        self.payload = Payload(payload_limit)
        self.payload.begin(attempt.payload)
        self.deadline = None if attempt.timeout is None else time.monotonic() + attempt.timeout
        self.stopped = ""
        self._events = events
        self._decided = threading.Condition()
        self._answer = (-1, False)
        self._reply = (-1, "")
        self._gone = False

    @override
    def report(self, index: int, metrics: dict[str, float], step: int, when: float) -> None:
        self._events.put(Reported(self.attempt.id, index, Report(metrics, step, when)))

    @override
    def decision(self, index: int) -> bool:
        with self._decided:
            self._decided.wait_for(lambda: self._gone or self.stopped or self._answer[0] == index)
            if self._gone:
                raise Stopped
            return bool(self.stopped) or self._answer[1]

    def hold(self) -> None:
        """See ``Link``; nothing is gained here."""

    @override
    def question(self, number: int, body: str, waits: bool) -> str:
        self._events.put(Questioned(self.attempt.id, number, body, waits))
        with self._decided:
            self._decided.wait_for(lambda: not waits or self._gone or self.stopped or self._reply[0] == number)
            if self._gone or self.stopped:
                raise Stopped
            return self._reply[1] if waits else ""

    def reply(self, number: int, body: str) -> None:
        """Hands over a reply."""
        with self._decided:
            self._reply = (number, body)
            self._decided.notify_all()

    def decide(self, index: int, stop: bool) -> None:
        """Hands over a decision."""
        with self._decided:
            self._answer = (index, stop)
            self._decided.notify_all()

    def end(self, reason: str) -> None:
        """Tells the attempt to stop, at its next question."""
        with self._decided:
            self.stopped = self.stopped or reason
            self._decided.notify_all()

    def abandon(self) -> None:
        """Nobody listens any more."""
        with self._decided:
            self._gone = True
            self._decided.notify_all()


class DriverExecutor(Executor):
    """See the module and ``Executor``.

    ``timeout`` and ``stop`` end the attempt's Spark jobs and answer its next ``should_stop()``; code that asks neither
    Spark nor the trial runs to its end, and its result then counts as killed.

    Args:
        work: what all attempts share; its data is handed over as it is, arrays as read-only views.
        scope: of Spark jobs.
        token: names this instance.
    """

    name = "driver"
    capabilities = Capabilities(kills=False, streams=True, isolates=False, ships=False)

    def __init__(self, work: Work, scope: Scope, token: str) -> None:
        refuse_gangs(self.name, work)
        self.stale = 0
        self._work = work
        self._scope = scope
        self._token = token
        self._host = Host(token, home=True)
        self._inputs = Inputs(self._host.folder)
        try:
            self._places = places_of(work, self._host.folder)
        except BaseException:
            self._host.remove()
            raise
        self._data = {name: _read_only(value) for name, value in work.data.items()}
        self._runs = TrialRuns(self._host.folder, work.nested, tracked=work.tracked)
        self._slots = work.parallelism or _SLOTS
        self._pending: deque[Attempt] = deque()
        self._running: dict[str, _Running] = {}
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._queue.put(SlotsChanged(self._slots))
        self._error: Exception | None = None
        self._closed = False

    @property
    @override
    def slots(self) -> int:
        return self._slots

    @property
    @override
    def room(self) -> int:
        return self._slots - len(self._running) - len(self._pending)

    @override
    def submit(self, *attempts: Attempt) -> None:
        self._pending += attempts
        self._fill()

    def _fill(self) -> None:
        while self._pending and len(self._running) < self._slots and not self._closed:
            attempt = self._pending.popleft()
            running = self._running[attempt.id] = _Running(attempt, self._queue, self._work.payload_limit)
            self._inputs.place(attempt)
            self._queue.put(Started(attempt.id, "driver", time.time()))
            threading.Thread(
                target=self._execute, args=(running,), name=f"sparkml-driver-{attempt.id}", daemon=True
            ).start()

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        """See ``Executor``.

        Raises:
            SlotsLost: the Spark application has ended; what was collected until then is returned before.
        """
        self._raise()
        until = None if timeout is None else time.monotonic() + timeout
        events: list[Event] = []
        while not events and self._error is None and (until is None or time.monotonic() < until):
            events = self._take(_CHECK if until is None else max(0.0, min(_CHECK, until - time.monotonic())))
            self._look()
        if self._error is not None and not events:
            raise self._error
        return events

    def _take(self, wait: float) -> list[Event]:
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            events.append(self._queue.get(timeout=wait))
            while True:
                events.append(self._queue.get_nowait())
        for event in events:
            if isinstance(event, Ended):
                self._running.pop(event.attempt, None)
                if event.outcome.state is State.FAILED and not self._closed and self._error is None:
                    self._check()
        if self._error is None:
            self._fill()
        return [event for event in events if not self._spoiled(event)]

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _check(self) -> None:
        """Keeps the error for the next call of ``events``: other attempts may have ended well."""
        try:
            self._scope.check()
        except ExecutorError as error:
            self._error = error

    def _spoiled(self, event: Event) -> bool:
        """Whether an attempt failed since Spark is gone: the attempt is not to blame."""
        return self._error is not None and isinstance(event, Ended) and event.outcome.state is State.FAILED

    def _look(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if running.deadline is not None and now >= running.deadline:
                running.end("timeout")
            if running.stopped:  # again and again: a new Spark job may have begun meanwhile
                self._scope.cancel(self._key(running.attempt))

    @override
    def answer(self, attempt: str, index: int, stop: bool) -> None:
        running = self._running.get(attempt)
        if running is not None:
            running.decide(index, stop)

    @override
    def reply(self, attempt: str, number: int, body: str) -> None:
        running = self._running.get(attempt)
        if running is not None:
            running.reply(number, body)

    def stop(self, attempt: str, reason: str) -> None:
        """See ``Executor``; the objective ends when its Spark job fails, or when it asks."""
        running = self._running.get(attempt)
        if running is not None:
            running.end(reason)
            self._scope.cancel(self._key(running.attempt))
            return
        for event in take_back(self._pending, attempt, reason):
            self._queue.put(event)

    def close(self) -> None:
        """See ``Executor``; an attempt that asks neither Spark nor the trial is left to end by itself."""
        if self._closed:
            return
        self._closed = True
        self._pending.clear()
        until = time.monotonic() + 5.0
        for running in self._running.values():
            running.abandon()
        while self._running and time.monotonic() < until:
            for running in self._running.values():
                self._scope.cancel(self._key(running.attempt))
            self._take(_CHECK)
        self._runs.close()
        self._host.remove()

    def _key(self, attempt: Attempt) -> str:
        return f"sparkml-{self._token}-{attempt.id}"

    # -- the thread of an attempt

    def _execute(self, running: _Running) -> None:
        attempt, work = running.attempt, self._work
        try:
            self._scope.enter(self._key(attempt))
            message = run_message(attempt)
            began = time.thread_time()
            done = self._runs.executed(
                message,
                self._places,
                lambda logged: self._queue.put(event_of(logged)),
                lambda: execute(work.objective, message, self._data, running, work.metric, self._places),
            )
            done = done._replace(usage=thread_usage(began))
            said = outcome_of(done, "driver", work.metric, running.payload.back)
            outcome = self._with_artifacts(attempt.id, said)
        except Stopped:
            outcome = Outcome(State.KILLED, reason="cancelled", message="the executor was closed")
        except BaseException as error:
            outcome = Outcome(State.FAILED, reason="exception", message=f"{type(error).__name__}: {error}"[:4096])
        if running.stopped:
            limit = f"over the limit of {attempt.timeout} s" if running.stopped == "timeout" else "ended"
            text = f"{limit}: {running.stopped}" if limit == "ended" else limit
            outcome = replace(
                outcome, state=State.KILLED, metrics={}, reason=running.stopped, message=text, payload=b""
            )
        self._queue.put(Ended(attempt.id, outcome))

    def _with_artifacts(self, attempt: str, outcome: Outcome) -> Outcome:
        spool = inbox_of(self._work, self._host.folder)
        for head, piece in pieces(self._host.folder, attempt, self._places.artifacts or ""):
            spool.take(attempt, head.path, head.at, piece)
        return with_artifacts(spool, attempt, outcome)


def _read_only(value: object) -> object:
    """Attempts share the object: an array is protected as mapped ones are."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view
