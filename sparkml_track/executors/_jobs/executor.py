"""The jobs executor: one Spark job for each attempt, where slots cannot keep a connection to the driver.

What an attempt reports arrives with its outcome, so nothing can be pruned; the rest is as with resident workers.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from sparkml_track.errors import ExecutorError, PreflightError, SlotsLost
from sparkml_track.executors._attempts.messages import not_loaded, run_message, take_back
from sparkml_track.executors._attempts.not_started import NotStarted
from sparkml_track.executors._attempts.outbox import Outbox
from sparkml_track.executors._attempts.package_versions import Packages
from sparkml_track.executors._attempts.payloads import Inputs, Payloads
from sparkml_track.executors._attempts.received import BadMessage, not_an_outcome
from sparkml_track.executors._base import (
    Capabilities,
    Ended,
    Event,
    Executor,
    Logged,
    Lost,
    Reported,
    SlotsChanged,
    Started,
    Work,
    refuse_gangs,
)
from sparkml_track.executors._jobs.answer import Said
from sparkml_track.executors._jobs.submitter import JobFailed, Request, Submitter
from sparkml_track.executors._shipping.artifacts import inbox_of, with_artifacts
from sparkml_track.executors._shipping.work import pack_work
from sparkml_track.executors._shipping.worker_config import worker_config
from sparkml_track.slot.host.folder import Host
from sparkml_track.slot.host.paths import HostPaths
from sparkml_track.slot.once import LINGER
from sparkml_track.slot.wire.frames import WireError
from sparkml_track.slot.wire.messages import Broken, Unbegun
from sparkml_track.slot.worker import Config
from sparkml_track.trial import Attempt, Outcome, State

__all__ = ["JobsExecutor"]

_log = logging.getLogger(__name__)
#: Seconds between looks at jobs that were cancelled and at what runs them.
_CHECK = 0.5


class JobsExecutor(Executor):
    """See the module and ``Executor``.

    Started is reported when the job is submitted; with more attempts than free slots it still waits in Spark's queue.

    Args:
        work: what all attempts share.
        submitter: runs the jobs.
        token: names this instance on all hosts.
    """

    name = "jobs"
    capabilities = Capabilities(kills=True, streams=False, isolates=True)

    def __init__(self, work: Work, submitter: Submitter, token: str) -> None:
        refuse_gangs(self.name, work)
        self.stale = 0
        self._submitter = submitter
        self._token = token
        self._host = Host(token, home=True)
        self._inputs = Inputs(self._host.folder)
        self._spool = inbox_of(work, self._host.folder)
        self._metric = tuple(work.metric)
        self._pending: deque[Attempt] = deque()
        self._running: dict[str, Attempt] = {}
        self._stopped: dict[str, str] = {}
        self._out = Outbox()
        self._answers: queue.SimpleQueue[tuple[str, list[bytes] | BaseException]] = queue.SimpleQueue()
        self._checked = time.monotonic()
        self._not_started = NotStarted()
        self._packages = Packages()
        self._closed = False
        try:
            self._config = self._pack(work)
            there = submitter.slots()
        except BaseException:
            self._host.remove()
            raise
        self._slots = max(1, there if work.parallelism is None else min(work.parallelism, there))
        self._out.events.append(SlotsChanged(self._slots))

    def _pack(self, work: Work) -> Config:
        shared = self._submitter.shared_host
        packed = pack_work(work, self._host.folder, remote=not shared)
        self._submitter.ship({digest: self._host.blob_path(digest) for digest in packed.digests})
        return replace(worker_config(work, packed, self._token, shared_host=shared), fresh=False, linger=LINGER)

    @property
    @override
    def slots(self) -> int:
        return self._slots

    @property
    @override
    def room(self) -> int:
        return self._slots - len(self._running) - len(self._not_started) - len(self._pending)

    @override
    def submit(self, *attempts: Attempt) -> None:
        self._pending += attempts
        self._fill()

    def _fill(self) -> None:
        while self._pending and len(self._running) + len(self._not_started) < self._slots:
            attempt = self._pending.popleft()
            self._running[attempt.id] = attempt
            self._ship(attempt)
            self._out.events.append(Started(attempt.id, "", time.time()))
            # A daemon: the client of Spark may wait long for a server that is gone, and nobody can interrupt it.
            threading.Thread(target=self._run, args=(attempt,), name=f"sparkml-job-{attempt.id}", daemon=True).start()

    def _ship(self, attempt: Attempt) -> None:
        """Sends the files that no attempt before it had."""
        new = [name for name in map(HostPaths.file, attempt.files) if name not in self._inputs]
        self._inputs.place(attempt)
        if new:
            self._submitter.ship({name: self._host.blob_path(name) for name in new})

    def _run(self, attempt: Attempt) -> None:
        run = run_message(attempt)._replace(blobs=list(map(HostPaths.file, attempt.files)))
        try:
            answer: list[bytes] | BaseException = self._submitter.run(
                self._key(attempt.id), Request(self._config, run, attempt.payload)
            )
        except BaseException as error:
            answer = error
        self._answers.put((attempt.id, answer))

    def _key(self, attempt: str) -> str:
        return f"sparkml-{self._token}-{attempt}"

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        """See ``Executor``.

        Raises:
            PreflightError: slots cannot execute the objective.
            SlotsLost: what runs the jobs is gone.

        What was collected before an error is returned; the error is raised by the next call.
        """
        return self._out.collect(self._wait, self._take_all, timeout, _CHECK)

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._take(*self._answers.get(timeout=self._not_started.wait(seconds)))
        if due := self._not_started.due():
            self._out.events += due
            self._fill()
        self._take_all()
        now = time.monotonic()
        if now - self._checked >= _CHECK:
            self._checked = now
            for attempt in self._stopped:  # Spark may not have known the job when it was cancelled
                self._submitter.cancel(self._key(attempt))
            if self._running:
                self._submitter.check()

    def _take_all(self) -> None:
        while not self._answers.empty():
            self._out.keep(self._take, *self._answers.get())

    def _take(self, attempt: str, answer: list[bytes] | BaseException) -> None:
        self._running.pop(attempt)
        reason = self._stopped.pop(attempt, None)
        if isinstance(answer, list):
            self._answered(attempt, answer)
        elif reason is not None:
            self._spool.forget(attempt)
            outcome = Outcome(State.KILLED, reason=reason, message=f"ended: {reason}")
            self._out.events.append(Ended(attempt, outcome))
        elif isinstance(answer, SlotsLost):
            raise answer
        elif not isinstance(answer, JobFailed):
            raise ExecutorError(f"a Spark job could not be run: {type(answer).__name__}: {answer}") from answer
        elif answer.hopeless:
            raise PreflightError(str(answer))
        else:
            self._submitter.check()  # with everything else: no attempt is charged
            self._spool.forget(attempt)
            self._out.events.append(Lost(attempt, f"its Spark job failed: {answer}", answer.charged))
        self._fill()

    def _answered(self, attempt: str, answer: list[bytes]) -> None:
        payloads = Payloads(self._config.payload_limit)
        said = Said(self._metric, lambda file, blob: self._spool.take(attempt, file.path, file.at, blob), payloads)
        try:
            end = said.read(answer)
        except (BadMessage, WireError) as error:
            self._spool.forget(attempt)
            end = not_an_outcome(error, said.host or "a host that it did not name")
        if isinstance(end, Unbegun):
            self._lost(attempt, end.message, end.charged)
            return
        self._not_started.began()
        self._packages.hear(said.host, said.versions)
        for text in said.warnings:
            _log.warning("%s: %s", said.host, text)
        if isinstance(end, Broken):
            raise PreflightError(not_loaded(said.host, end.message, end.cloudpickle))
        self._out.events += [Reported(attempt, number, report) for number, report in enumerate(said.reports)]
        self._out.events += [Logged(attempt, log) for log in said.logged]
        self._out.events.append(Ended(attempt, with_artifacts(self._spool, attempt, end)))

    def _lost(self, attempt: str, why: str, charged: bool) -> None:
        if charged:
            self._not_started.began()
            self._spool.forget(attempt)
            self._out.events.append(Lost(attempt, why, charged))
        else:
            self._not_started.lost(attempt, why)

    def answer(self, attempt: str, index: int, stop: bool) -> None:
        """See ``Executor``; the attempt has ended when its reports are seen."""

    @override
    def stop(self, attempt: str, reason: str) -> None:
        if attempt in self._running:
            self._stopped.setdefault(attempt, reason)
            self._submitter.cancel(self._key(attempt))
            return
        self._out.events += take_back(self._pending, attempt, reason)

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._pending.clear()
        until = time.monotonic() + 5.0
        while self._running and time.monotonic() < until:
            for attempt in self._running:
                self._submitter.cancel(self._key(attempt))
            try:
                self._running.pop(self._answers.get(timeout=0.2)[0], None)
            except queue.Empty:
                continue
        self._submitter.close()
        self._host.remove()
