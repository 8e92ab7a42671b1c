"""The thread that owns an executor, on one that does what the test says."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from typing_extensions import override

from sparkml_track.errors import ExecutorError, SetupError, SlotsLost
from sparkml_track.executors import Capabilities, Ended, Event, Executor, Lost
from sparkml_track.frontdoors._joblib.dispatcher import Batch, Dispatcher, Ends
from sparkml_track.trial import Attempt, Outcome, State

Said = Callable[[Attempt], Event | Exception | None]


class Scripted(Executor):
    """What ``said`` returns for an attempt is its event; an error comes out of ``events``; None: it runs on."""

    name = "scripted"
    capabilities = Capabilities(kills=True, streams=True, isolates=True)

    def __init__(self, said: Said) -> None:
        self.stale, self._said = 0, said
        self._events: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
        self.attempts: list[Attempt] = []
        self.stopped: list[str] = []
        self.closed = 0

    slots = room = property(lambda _: 2)  # type: ignore[assignment]

    @override
    def submit(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self.attempts.append(attempt)
            said = self._said(attempt)
            if said is not None:
                self._events.put(said)

    @override
    def events(self, timeout: float | None = None) -> Sequence[Event]:
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return []
        if isinstance(event, Exception):
            raise event
        return [event]

    @override
    def answer(self, attempt: str, index: int, stop: bool) -> None: ...

    @override
    def stop(self, attempt: str, reason: str) -> None:
        self.stopped.append(attempt)
        self._events.put(Ended(attempt, Outcome(State.KILLED, reason=reason)))

    @override
    def close(self) -> None:
        self.closed += 1


@contextmanager
def dispatching(said: Said, retries: int = 2) -> Iterator[tuple[Dispatcher, Scripted, list[Batch]]]:
    executor, released = Scripted(said), list[Batch]()
    dispatcher = Dispatcher(lambda: executor, Ends(retries, RuntimeError, released.append))
    try:
        yield dispatcher, executor, released
    finally:
        dispatcher.close()
    assert executor.closed == 1


def submitted(dispatcher: Dispatcher, payload: bytes = b"in") -> Future[bytes]:
    batch = Batch(payload, {"name": "path"}, 3)
    dispatcher.submit(batch)
    return batch.future


def finished(attempt: Attempt) -> Event:
    return Ended(attempt.id, Outcome(State.FINISHED, payload=attempt.payload[::-1]))


def test_a_batch_goes_out_as_an_attempt_and_what_it_gives_back_is_its_result() -> None:
    with dispatching(finished) as (dispatcher, executor, released):
        futures = [submitted(dispatcher, payload) for payload in (b"abc", b"de")]
        assert [future.result(5) for future in futures] == [b"cba", b"ed"]
    assert [dict(attempt.files) for attempt in executor.attempts] == [{"name": "path"}] * 2
    assert len({attempt.trial.seed for attempt in executor.attempts}) == 2
    assert len(released) == 2


def test_callbacks_may_submit_the_next_batch() -> None:
    """They run in the thread that owns the executor."""
    with dispatching(finished) as (dispatcher, _, _):
        last: Future[bytes] = Future()
        submitted(dispatcher).add_done_callback(
            lambda _: submitted(dispatcher, b"xy").add_done_callback(lambda one: last.set_result(one.result()))
        )
        assert last.result(5) == b"yx"


def test_a_batch_whose_worker_was_lost_is_executed_again() -> None:
    losses = iter([True, False, True, False])

    def said(attempt: Attempt) -> Event:
        charged = next(losses, None)
        return finished(attempt) if charged is None else Lost(attempt.id, "gone", charged)

    with dispatching(said) as (dispatcher, executor, released):
        assert submitted(dispatcher).result(5) == b"ni"
    assert len(executor.attempts) == len({attempt.id for attempt in executor.attempts}) == 5
    assert len(released) == 1


def test_a_batch_that_loses_its_worker_each_time_fails_after_its_retries() -> None:
    with dispatching(lambda attempt: Lost(attempt.id, "Spark executor 1 is gone")) as (dispatcher, executor, _):
        future = submitted(dispatcher)
        with pytest.raises(RuntimeError, match=r"a batch of 3 tasks was lost 3 times, .*Spark executor 1 is gone; .*"):
            future.result(5)
    assert len(executor.attempts) == 3


def test_when_no_slot_is_left_every_batch_fails_at_once_and_so_do_later_ones() -> None:
    gone = SlotsLost("the Spark application has ended; results so far are kept: resume the sweep")
    with dispatching(lambda attempt: gone if attempt.payload == b"last" else None) as (dispatcher, _, released):
        futures = [submitted(dispatcher), submitted(dispatcher, b"last")]
        for future in futures:
            with pytest.raises(SlotsLost, match=r"^the Spark application has ended; the results .* repeat it$"):
                future.result(5)
        with pytest.raises(SlotsLost):
            submitted(dispatcher).result(5)
        assert len(released) == 3


def test_an_error_of_the_executor_itself_reaches_whoever_waits() -> None:
    def said(_: Attempt) -> Event:
        raise OSError("no space left")

    with dispatching(said) as (dispatcher, _, _), pytest.raises(ExecutorError, match="no space left"):
        submitted(dispatcher).result(5)


def test_abort_ends_what_runs_and_the_next_batch_is_executed() -> None:
    with dispatching(lambda attempt: None if attempt.payload == b"hang" else finished(attempt)) as (
        dispatcher,
        executor,
        _,
    ):
        hanging = submitted(dispatcher, b"hang")
        dispatcher.abort()
        with pytest.raises(ExecutorError, match="the batch was ended"):
            hanging.result(5)
        assert submitted(dispatcher).result(5) == b"ni"
    assert executor.stopped == [executor.attempts[0].id]


def test_close_ends_what_runs_and_answers_what_comes_late() -> None:
    with dispatching(lambda _: None) as (dispatcher, executor, _):
        hanging = submitted(dispatcher)
        dispatcher.close()
        with pytest.raises(ExecutorError):
            hanging.result(5)
    assert len(executor.stopped) == 1


def test_an_executor_that_cannot_be_opened_is_raised_to_the_caller() -> None:
    def opened() -> Executor:
        raise SetupError("no Java")

    with pytest.raises(SetupError, match="no Java"):
        Dispatcher(opened, Ends(2, RuntimeError, lambda _: None))
