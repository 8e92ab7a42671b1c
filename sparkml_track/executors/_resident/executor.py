"""The resident executor: workers that stay in their slots and pull attempts from a broker on the driver."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from sparkml_track.errors import PreflightError
from sparkml_track.executors._attempts.judge import Judge
from sparkml_track.executors._attempts.messages import not_loaded, other_python
from sparkml_track.executors._attempts.not_started import NotStarted
from sparkml_track.executors._attempts.outbox import Outbox
from sparkml_track.executors._attempts.package_versions import Packages
from sparkml_track.executors._attempts.payloads import Inputs, Payloads
from sparkml_track.executors._attempts.received import BadMessage
from sparkml_track.executors._attempts.said import Said
from sparkml_track.executors._base import (
    Capabilities,
    Event,
    Executor,
    Lost,
    SlotsChanged,
    Work,
)
from sparkml_track.executors._resident.assignment import Assignment
from sparkml_track.executors._resident.broker import Connection, Received
from sparkml_track.executors._resident.early_template import EarlyTemplate
from sparkml_track.executors._resident.fleet import Fleet, connection_of
from sparkml_track.executors._resident.slot import Slot
from sparkml_track.executors._resident.worker_pool import Size, WorkerPool
from sparkml_track.executors._shipping.artifacts import inbox_of, with_artifacts
from sparkml_track.executors._shipping.work import pack_work
from sparkml_track.executors._shipping.worker_config import for_others_too, worker_config
from sparkml_track.slot.wire import messages as wire
from sparkml_track.trial import Attempt

__all__ = ["ResidentExecutor"]

_log = logging.getLogger(__name__)


class ResidentExecutor(Executor):
    """See the module and ``Executor``.

    Args:
        work: what all attempts share.
        fleet: the workers; owned from now on.
    """

    name = "resident"
    capabilities = Capabilities(kills=True, streams=True, isolates=True, gangs=True)

    def __init__(self, work: Work, fleet: Fleet) -> None:
        self.stale, self._fleet = 0, fleet
        self._limits, self._broker, self._host = fleet.limits, fleet.broker, fleet.host
        self._out, self._not_started = Outbox(), NotStarted()
        self._inputs = Inputs(self._host.folder)
        self._assignment = self._assigned()
        self._by_connection: dict[Connection, Slot] = {}
        self._apart: set[str] = set()
        self._judge = Judge(tuple(work.metric), Payloads(work.payload_limit))
        self._packages = Packages()
        self._closed = False
        with contextlib.ExitStack() as undo:
            undo.callback(fleet.close)
            self._open(work, undo)
            undo.pop_all()

    def _assigned(self) -> Assignment:
        return Assignment(self._send, self._out, self._inputs)

    def _open(self, work: Work, undo: contextlib.ExitStack) -> None:
        """Makes all that must be undone if a part of it fails; ``undo`` goes from the last to the first."""
        fleet, shared = self._fleet, self._fleet.launcher.shared_host
        packed = pack_work(work, self._host.folder, remote=not shared)
        config = worker_config(
            work, packed, fleet.token, shared_host=shared, address=self._broker.address, secret=fleet.secret
        )
        config = replace(config, certificate=fleet.certificate)
        if fleet.stay is not None:
            config = for_others_too(config, packed.imports, shared_host=shared)
        self._spool = inbox_of(work, self._host.folder)
        self._known, self._checked = set(packed.digests), time.monotonic()
        # Before any worker can ask for it: what it inherits is the driver's, as the key of ``config`` says.
        begins = shared and (fleet.config is None or fleet.config.key != config.key)
        self._template = EarlyTemplate(self._host, config if begins else None)
        undo.callback(self._template.leave)
        fleet.take_over(config, work.parallelism)
        self._by_connection = {connection_of(slot): slot for slot in fleet.at_work}
        size = Size(work.parallelism, work.gang)
        self._pool = WorkerPool(fleet.launcher, config, self._limits, fleet.slots, size, self._dismiss)
        early, fleet.early = fleet.early, []
        for received in early:
            self._out.keep(self._take, received)

    @property
    @override
    def slots(self) -> int:
        return self._pool.expected

    @property
    def room(self) -> int:
        """See ``Executor``; attempts wait at the slots only while trials are so short that the way would show."""
        return self._assignment.room(self.slots) - len(self._not_started)

    @override
    def submit(self, *attempts: Attempt) -> None:
        self._assignment.add(attempts)
        self._assignment.give(self._pool.slots)

    def events(self, timeout: float | None = None) -> Sequence[Event]:
        """See ``Executor``.

        Raises:
            PreflightError: slots cannot execute the objective.
            SlotsLost: no worker is left and none came back in time.
            ExecutorError: the hosts have no process for an attempt.

        What was collected before an error is returned; the error is raised by the next call.
        """
        return self._out.collect(self._turn, self._hear_all, timeout, self._limits.check)

    def _turn(self, wait: float) -> None:
        self._hear_all(self._not_started.wait(wait))
        self._out.events += self._not_started.due()
        now = time.monotonic()
        if now - self._checked >= self._limits.check:
            self._checked = now
            self._check(now)
        self._assignment.give(self._pool.slots)

    def _hear_all(self, wait: float = 0.0) -> None:
        for received in self._broker.poll(wait):
            self._out.keep(self._take, received)

    @override
    def answer(self, attempt: str, index: int, stop: bool) -> None:
        self.pass_on(attempt, wire.Answer(attempt, index, stop))

    @override
    def reply(self, attempt: str, number: int, body: str) -> None:
        self.pass_on(attempt, wire.Reply(attempt, number, body))

    @override
    def stop(self, attempt: str, reason: str) -> None:
        if not self.pass_on(attempt, wire.Stop(attempt, reason)):
            self._assignment.take_back(attempt, reason)

    def pass_on(self, attempt: str, message: wire.Message, blob: bytes = b"") -> bool:
        """Sends a message to the slot that has an attempt; whether one has."""
        slot = self._assignment.at(attempt)
        if slot is not None:
            self._send(slot, [(message, blob)])
        return slot is not None

    def _send(self, slot: Slot, messages: Sequence[tuple[wire.Message, bytes]]) -> None:
        if slot.connection is not None:
            self._broker.send_all(slot.connection, messages)

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._template.leave()
        self._pool.close()
        fleet = self._fleet
        fleet.fit = fleet.fit and self._out.error is None
        try:
            if fleet.stay is not None and fleet.park():
                fleet.stay(fleet)
                return
        except BaseException:  # Ctrl-C too: nobody else would end the workers
            fleet.close()
            raise
        fleet.close()

    # -- messages

    def _take(self, received: Received) -> None:
        slot = self._by_connection.get(received.connection)
        message = received.message
        if isinstance(message, wire.Hello):
            self._hello(received.connection, message)
        elif slot is None:
            if message is not None:
                self._refuse(received.connection, message)
        elif message is None:
            self._lose(slot, received.why)
        else:
            self._hear(slot, message, received.blob)

    def _refuse(self, connection: Connection, message: wire.Message) -> None:
        """A worker that was given up is back: what it says of its attempt is stale, and it is sent away."""
        self.stale += isinstance(message, wire.Report | wire.Done)
        self._broker.send(connection, wire.Bye())

    def _hear(self, slot: Slot, message: wire.Message, blob: bytes) -> None:
        match message:
            case wire.Report() | wire.Logged() | wire.Question() | wire.Part() | wire.Done() | wire.Unbegun():
                self._hear_of(slot, message, blob)
            case wire.Get():
                self._give(slot, message)
            case wire.File():
                self._file(slot, message, blob)
            case wire.Ready():
                self._ready(slot)
                self._packages.hear(slot.host, message.versions)
            case wire.Parted():
                self._part(slot)
            case wire.Broken():
                raise PreflightError(not_loaded(slot.host, message.message, message.cloudpickle))
            case wire.Warn():
                _log.warning("%s: %s", slot.host, message.message)

    def _hear_of(self, slot: Slot, message: Said | wire.Done | wire.Unbegun, blob: bytes) -> None:
        if self._assignment.at(message.attempt) is not slot:
            self.stale += 1
        elif isinstance(message, wire.Done):
            self._done(slot, message, blob)
        elif isinstance(message, wire.Unbegun):
            self._not_begun(slot, message)
        else:
            self._said(slot, message, blob)

    def _hello(self, connection: Connection, hello: wire.Hello) -> None:
        text = other_python(hello.python, hello.host)
        if text:
            self._broker.send(connection, wire.Refuse(text))
            raise PreflightError(text)
        if not 0 <= hello.slot < len(self._pool.slots):
            self._broker.drop(connection)
            return
        slot = self._pool.slots[hello.slot]
        if slot.connection is None:
            self._welcome(slot, connection, hello.host)
        else:  # Spark started a copy of a slow or lost task: it takes over when the first is gone
            slot.standby = connection, hello.host
            _log.info("a copy of the worker of slot %d waits on %s", slot.number, hello.host)

    def _welcome(self, slot: Slot, connection: Connection, host: str) -> None:
        slot.connection, slot.host, slot.standby = connection, host, None
        connection.heard = time.monotonic()
        self._by_connection[connection] = slot
        self._fleet.welcome(slot)

    def _ready(self, slot: Slot) -> None:
        self._pool.came(slot)
        self._template.leave()
        self._out.events.append(SlotsChanged(self._pool.ready))
        self._assignment.give(self._pool.slots)

    def _give(self, slot: Slot, wanted: wire.Get) -> None:
        assert slot.connection is not None
        if (wanted.digest in self._known or wanted.digest in self._inputs) and wanted.offset >= 0:
            path = self._host.blob_path(wanted.digest)
            self._broker.send_piece(slot.connection, wanted.digest, path, wanted.offset)
        else:
            self._broker.drop(slot.connection)

    def _said(self, slot: Slot, message: Said, blob: bytes) -> None:
        try:
            self._out.events += self._judge.hear(message, blob)
        except BadMessage as error:
            self._refuse_attempt(slot, message.attempt, error)

    def _refuse_attempt(self, slot: Slot, attempt: str, error: BadMessage) -> None:
        """It said what cannot be: it is ended in its slot, which says so; how it ended is known here."""
        self._judge.refuse(attempt, error, slot.host)
        self.pass_on(attempt, wire.Stop(attempt, "result"))

    def _done(self, slot: Slot, done: wire.Done, blob: bytes) -> None:
        outcome = with_artifacts(self._spool, done.attempt, self._judge.outcome(done, blob, slot.host))
        self._not_started.began()
        self._assignment.ended(slot, done.attempt, outcome)
        self._freed(slot)

    def _not_begun(self, slot: Slot, unbegun: wire.Unbegun) -> None:
        self._assignment.off(slot, unbegun.attempt)
        self._freed(slot)
        self._not_started.lost(unbegun.attempt, f"worker on {slot.host}: {unbegun.message}")

    def _freed(self, slot: Slot) -> None:
        if not slot.ahead:
            self._pool.freed(slot)

    def _file(self, slot: Slot, file: wire.File, blob: bytes) -> None:
        if self._assignment.at(file.attempt) is slot:
            self._spool.take(file.attempt, file.path, file.at, blob)

    # -- losses

    def _lose(self, slot: Slot, why: str, *, silent: bool = False) -> None:
        """The worker is gone: what it ran is lost, what only waited there is not charged. A silent one may speak.

        Raises:
            SlotsLost: it went with everything; no attempt is charged.
        """
        self._fleet.launcher.check()
        if slot.connection is not None:
            self._by_connection.pop(slot.connection, None)
            if not silent:
                self._broker.drop(slot.connection)
        was_ready, slot.ready, slot.leaving, slot.connection = slot.ready, False, False, None
        for place, attempt in enumerate(self._assignment.lost(slot)):
            self._spool.forget(attempt.id)
            self._judge.forget(attempt.id)
            charged = place == 0 and not slot.moving
            self._out.events.append(Lost(attempt.id, f"worker on {slot.host}: {why}", charged))
        if was_ready:
            _log.warning("lost the worker of slot %d on %s: %s", slot.number, slot.host, why)
            self._out.events.append(SlotsChanged(self._pool.ready))
        if slot.stands_by and slot.standby is not None:
            self._welcome(slot, *slot.standby)

    def _part(self, slot: Slot) -> None:
        """The template of its host died, and with it all that ran there: of several, nobody knows who did it.

        Each worker has a template of its own from then on, so an attempt that does it again is alone and charged.
        """
        beside = (each for each in self._pool.slots if each is not slot and each.host == slot.host and each.ahead)
        self._fleet.fit = False
        if slot.host in self._apart or next(beside, None) is not None:
            self._apart.add(slot.host)
            slot.moving = True

    def _check(self, now: float) -> None:
        for slot in self._pool.slots:
            # One that is not ready may wait for another one to fetch data, or for a long import.
            bound = self._limits.silent if slot.ready else self._limits.load
            if slot.connection is not None and now - slot.connection.heard > bound:
                stands_by = slot.stands_by
                self._lose(slot, f"no sign of life for {bound:g} s", silent=True)
                if not stands_by:
                    self._pool.lost(slot)
        self._pool.check(now, self._assignment.waiting)

    def _dismiss(self, slot: Slot) -> None:
        if slot.connection is not None:
            self._by_connection.pop(slot.connection, None)
        self._fleet.dismiss(slot)
        self._out.events.append(SlotsChanged(self._pool.ready))
