"""Which attempt a call of MLflow belongs to, in a process that several attempts and the driver share.

A run says whose it is. Where a call names none, its thread does: that of the attempt, or one that was not there when
the attempt began, as pools that an objective starts. Who was there before is the driver's, and keeps its own MLflow.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sparkml_track.adapters.mlflow.in_process.outside import Outside
from sparkml_track.slot.attempt.execute import closed
from sparkml_track.slot.attempt.run_log import Recorder, new_run_id
from sparkml_track.slot.host.paths import Places
from sparkml_track.slot.wire.messages import Done, Logged, Run

__all__ = ["InProcess", "TrialRuns", "in_trial", "outside", "owner_of", "owner_of_thread"]


@dataclass(eq=False)
class InProcess:
    """An attempt that executes here.

    Attributes:
        recorder: takes what it logs.
        nested: what becomes of runs inside its own: "keep", "merge" or "refuse".
        before: threads that were there when it began.
        store: MLflow's, once it was asked for.
    """

    recorder: Recorder
    nested: str
    before: weakref.WeakSet[threading.Thread] = field(default_factory=lambda: weakref.WeakSet(threading.enumerate()))
    store: Any = None

    def has(self, identity: str) -> bool:
        """Whether this is the id of a run or a model of its own."""
        if self.store is None:
            return identity == self.recorder.run_id
        return identity == self.recorder.run_id or self.store.has(identity)


class _Shared:
    """What MLflow is, and for whom. All executors of the process share it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users = 0
        self.outside: Outside | None = None
        self.running: list[InProcess] = []
        self.own = threading.local()


_shared = _Shared()


class TrialRuns:
    """``mlflow`` of the attempts of one executor. Threads: any.

    Args:
        host: folder of the executor.
        nested: see ``InProcess``.
        tracked: whether ``mlflow`` is the run of the trial; else it is left as it is.
    """

    def __init__(self, host: str, nested: str, *, tracked: bool) -> None:
        self._host, self._nested, self._tracked = host, nested, tracked
        self._opened = False

    def executed(self, run: Run, places: Places, send: Callable[[Logged], None], call: Callable[[], Done]) -> Done:
        """Executes an attempt on this thread; what it logged has been sent when this returns.

        Args:
            run: the attempt.
            places: for its artifacts.
            send: takes messages of what it logs.
            call: executes it.
        """
        if not self._tracked:
            return call()
        attempt = InProcess(Recorder(run, places, send, new_run_id()), self._nested)
        with self._bound(attempt):
            done = call()
            _forget_choices()  # what MLflow still has to end is to be ended here
            return closed(done, attempt.recorder.close)

    def close(self) -> None:
        """MLflow of this process is as it was before the first attempt. May be called twice."""
        with _shared.lock:
            if not self._opened:
                return
            self._opened = False
            _shared.users -= 1
            if _shared.users == 0 and _shared.outside is not None:
                _shared.outside.restore()
                _shared.outside = None

    @contextmanager
    def _bound(self, attempt: InProcess) -> Iterator[None]:
        with _shared.lock:
            self._open()
            _shared.running.append(attempt)
        before, _shared.own.attempt = getattr(_shared.own, "attempt", None), attempt
        try:
            yield
        finally:
            _shared.own.attempt = before
            with _shared.lock:
                _shared.running.remove(attempt)
            _forget_choices()

    def _open(self) -> None:
        if not self._opened:
            self._opened = True
            _shared.users += 1
            _shared.outside = _shared.outside or Outside.put_aside(self._host)


def _forget_choices() -> None:
    with _shared.lock:
        if _shared.outside is not None:
            _shared.outside.forget_choices()


def outside() -> Outside | None:
    """What MLflow was set to before; None while no attempt executes here."""
    return _shared.outside


def in_trial() -> bool:
    """Whether this is the thread of an attempt."""
    return getattr(_shared.own, "attempt", None) is not None


def owner_of(identity: str) -> InProcess | None:
    """The attempt whose run or model this is."""
    with _shared.lock:
        return next((one for one in _shared.running if one.has(identity)), None)


def owner_of_thread() -> InProcess | None:
    """The attempt that this thread works for; None if it is the driver's.

    Raises:
        LookupError: it was started by one of several attempts, and nothing says by which.
    """
    own: InProcess | None = getattr(_shared.own, "attempt", None)
    if own is not None:
        return own
    thread = threading.current_thread()
    with _shared.lock:
        found = [one for one in _shared.running if thread not in one.before]
    if len(found) > 1:
        raise LookupError(
            f"the thread {thread.name!r} was started by one of {len(found)} trials that execute in this process, and "
            "MLflow cannot know which: log from the trial's own thread, or give run_id=mlflow.active_run().info.run_id "
            "of that thread, or set parallelism=1"
        )
    return found[0] if found else None
