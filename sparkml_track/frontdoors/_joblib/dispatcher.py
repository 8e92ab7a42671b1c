"""The thread that owns an executor: batches go in from any thread, futures are answered from this one."""

from __future__ import annotations

import atexit
import itertools
import queue
import random
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from sparkml_track.errors import DataError, ExecutorError
from sparkml_track.executors import Ended, Event, Executor, Lost, Reported
from sparkml_track.trial import Attempt, Outcome, State, Trial, Unit

__all__ = ["Batch", "Dispatcher", "Ends"]

#: Of all executors of this process: attempts of one call must not be taken for those of another.
_NUMBERS = itertools.count()
#: Seconds of a wait for events while batches may still come from other threads, and later.
_SHORT, _LONG = 0.001, 0.02
#: Seconds after a batch came from another thread in which the next may.
_SOON = 0.2
#: Seconds for attempts to end that were stopped.
_LAST = 1.0
_SEEDS = random.SystemRandom()
_ABORTED = ExecutorError("the batch was ended, since the call to Parallel that it belongs to was")
_OPEN: weakref.WeakSet[Dispatcher] = weakref.WeakSet()


@dataclass(eq=False)
class Batch:
    """Calls that are executed together.

    Attributes:
        payload: pickled.
        files: that must go with them.
        size: how many.
        future: answered with what the batch gave back, in bytes.
        losses: of attempts that had begun.
        error: why it cannot be executed.
    """

    payload: bytes
    files: dict[str, str]
    size: int
    future: Future[bytes] = field(default_factory=Future)
    losses: int = 0
    error: Exception | None = None


@dataclass(frozen=True)
class Ends:
    """How batches end that give nothing back.

    Attributes:
        retries: attempts that a batch gets beside the first where what it ran on was lost.
        terminated: makes the error for a batch whose process, or whose worker each time, was ended.
        released: called with a batch that has ended.
    """

    retries: int
    terminated: Callable[[str], Exception]
    released: Callable[[Batch], None]

    def error(self, outcome: Outcome, size: int) -> Exception:
        """Why there are no results."""
        what = f"a batch of {size} task{'s' if size > 1 else ''}"
        if outcome.reason in ("signal", "exit", "memory"):
            said = outcome.message.splitlines()[0]
            return self.terminated(
                f"the process that executed {what} in a slot on {outcome.host} ended before it had results: {said}; "
                "look for a crash in native code, or for too little memory on that host"
            )
        if outcome.message.startswith("gave a payload"):
            return DataError(f"the results of {what} are too large: a task {outcome.message}")
        return DataError(f"{what} gave no results: {outcome.message}")

    def lost(self, lost: Lost, batch: Batch) -> Exception:
        """Why a batch is not tried again."""
        return self.terminated(
            f"the worker that executed a batch of {batch.size} task{'s' if batch.size > 1 else ''} was lost "
            f"{batch.losses} times, the last time so: {lost.message}; if tasks need more memory than slots have, give "
            "slots more, or run fewer at one time (n_jobs)"
        )


class Dispatcher:
    """Executes batches on an executor that it opens, and closes.

    Threads: any may call; futures are answered, and their callbacks run, in the one thread that owns the executor.

    Args:
        opened: opens the executor.
        ends: what becomes of batches without results.

    Raises:
        SparkmlError: the executor could not be opened.
    """

    def __init__(self, opened: Callable[[], Executor], ends: Ends) -> None:
        self._ends = ends
        self._commands: queue.SimpleQueue[Batch | Callable[[], None]] = queue.SimpleQueue()
        self._running: dict[str, Batch] = {}
        self._ending: set[str] = set()
        self._error: Exception | None = None
        self._over = False
        self._soon = 0.0
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._own, args=(opened, ready), name="sparkml-joblib", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except BaseException:  # Ctrl-C, too: what is being opened closes again
            self._commands.put(self._finish)
            raise
        _OPEN.add(self)

    def submit(self, batch: Batch) -> None:
        """Takes a batch; never raises for it, since its future does, and never at once: joblib may be dispatching."""
        self._commands.put(batch)

    def abort(self) -> None:
        """Ends every batch that is there; whoever still waits for one learns that."""
        self._commands.put(self._abort)

    def close(self) -> None:
        """Ends everything, and waits until it is done."""
        self._commands.put(self._finish)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # -- the thread

    def _own(self, opened: Callable[[], Executor], ready: Future[None]) -> None:
        try:
            executor = self._executor = opened()
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            ready.set_exception(error)
            return
        ready.set_result(None)
        try:
            while not self._over:
                try:
                    self._turn(executor)
                except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for results
                    self._fail(error)
        finally:
            try:
                self._wind_up(executor)
            finally:
                self._drop(_ABORTED)

    def _wind_up(self, executor: Executor) -> None:
        """Closes; workers that have nothing to do can stay for the next call, so what was ended is waited for."""
        self._abort()
        until = time.monotonic() + _LAST
        try:
            while self._ending and time.monotonic() < until:
                for event in executor.events(_LONG):
                    self._hear(executor, event)
        finally:
            executor.close()

    def _turn(self, executor: Executor) -> None:
        self._take_commands(wait=not self._running)
        if self._running:
            wait = _SHORT if time.monotonic() < self._soon else _LONG
            for event in executor.events(wait):
                self._hear(executor, event)

    def _take_commands(self, *, wait: bool) -> None:
        with suppress(queue.Empty):
            while not self._over:
                command = self._commands.get(block=wait)
                wait = False
                if isinstance(command, Batch):
                    self._soon = time.monotonic() + _SOON
                    self._start(command)
                else:
                    command()

    def _start(self, batch: Batch) -> None:
        error = batch.error or self._error
        if error is not None:
            self._answer(batch, error)
            return
        number = next(_NUMBERS)
        trial = Trial(number, {}, seed=_SEEDS.randrange(1 << 31))
        attempt = Attempt(trial, Unit(number), payload=batch.payload, files=batch.files)
        self._running[attempt.id] = batch
        self._executor.submit(attempt)

    def _hear(self, executor: Executor, event: Event) -> None:
        if isinstance(event, Reported):
            executor.answer(event.attempt, event.index, stop=False)
        elif isinstance(event, Ended | Lost):
            self._ending.discard(event.attempt)
            batch = self._running.pop(event.attempt, None)
            if batch is None:
                return
            if isinstance(event, Lost):
                self._lost(batch, event)
            elif event.outcome.state is State.FINISHED:
                self._answer(batch, event.outcome.payload)
            else:
                self._answer(batch, self._ends.error(event.outcome, batch.size))

    def _lost(self, batch: Batch, lost: Lost) -> None:
        batch.losses += lost.charged
        if batch.losses > self._ends.retries:
            self._answer(batch, self._ends.lost(lost, batch))
        else:
            self._start(batch)

    def _answer(self, batch: Batch, said: bytes | Exception) -> None:
        self._ends.released(batch)
        if not batch.future.set_running_or_notify_cancel():
            return
        if isinstance(said, bytes):
            batch.future.set_result(said)
        else:
            batch.future.set_exception(said)

    def _fail(self, error: Exception) -> None:
        """Nothing can be executed any more."""
        # The rest is what sweeps can do, since they have a journal.
        said = str(error).partition("; results so far are kept")[0]
        kind = type(error) if isinstance(error, ExecutorError) else ExecutorError
        self._error = kind(f"{said}; the results of this call to Parallel are lost: repeat it")
        self._error.__cause__ = error
        self._drop(self._error)

    def _abort(self) -> None:
        for attempt in self._running:
            self._executor.stop(attempt, "cancelled")
        self._ending |= self._running.keys()
        self._drop(_ABORTED)

    def _drop(self, error: Exception) -> None:
        batches, self._running = list(self._running.values()), {}
        with suppress(queue.Empty):
            while self._over:
                command = self._commands.get_nowait()
                batches += [command] if isinstance(command, Batch) else []
        for batch in batches:
            self._answer(batch, error)

    def _finish(self) -> None:
        self._over = True


@atexit.register
def _close_all() -> None:
    """A generator of results that nobody has read to its end keeps its executor."""
    for dispatcher in list(_OPEN):
        dispatcher.close()
