"""The resident executor: workers that stay in their slots and pull attempts from a broker on the driver."""

from __future__ import annotations

import contextlib
import logging
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from sparkml_track.errors import PreflightError
from sparkml_track.executors._attempts.messages import not_loaded, other_python
from sparkml_track.executors._attempts.not_started import Unbegun
from sparkml_track.executors._attempts.outbox import Outbox
from sparkml_track.executors._attempts.package_versions import Packages
from sparkml_track.executors._attempts.received import Judge
from sparkml_track.executors._base import (
    Capabilities,
    Event,
    Executor,
    Lost,
    SlotsChanged,
    Work,
)
from sparkml_track.executors._resident.assignment import Board
from sparkml_track.executors._resident.broker import Connection, Received
from sparkml_track.executors._resident.early_template import EarlyTemplate
from sparkml_track.executors._resident.launcher import Launcher
from sparkml_track.executors._resident.slot import Door, Limits, Slot, open_broker, slot_env
from sparkml_track.executors._resident.worker_pool import Staff
from sparkml_track.executors._shipping.artifacts import inbox_of, with_artifacts
from sparkml_track.executors._shipping.work import pack_work
from sparkml_track.slot.host.folder import Host
from sparkml_track.slot.wire.frames import Message
from sparkml_track.slot.worker import Config
from sparkml_track.trial import Attempt

__all__ = ["Limits", "ResidentExecutor"]

_log = logging.getLogger(__name__)


class ResidentExecutor(Executor):
    """See the module and ``Executor``.

    Args:
        work: what all attempts share.
        launcher: starts the workers.
        token: names this instance on all hosts.
        limits: bounds of waiting; the usual ones if None.
        door: where to listen; None for a Unix socket on a shared host, else any port of this host.
    """

    name = "resident"
    capabilities = Capabilities(kills=True, streams=True, isolates=True)

    def __init__(
        self,
        work: Work,
        launcher: Launcher,
        token: str,
        limits: Limits | None = None,
        door: Door | None = None,
    ) -> None:
        self.stale, self._launcher = 0, launcher
        self._limits = limits or Limits()
        self._host = Host(token, home=True)
        self._out, self._unbegun = Outbox(), Unbegun()
        self._board = Board(self._send, self._out)
        self._by_connection: dict[Connection, Slot] = {}
        self._apart: set[str] = set()
        self._judge = Judge(tuple(work.metric))
        self._packages = Packages()
        self._closed = False
        with contextlib.ExitStack() as undo:
            undo.callback(self._host.remove)
            self._open(work, token, door, undo)
            undo.pop_all()

    def _open(self, work: Work, token: str, door: Door | None, undo: contextlib.ExitStack) -> None:
        """Makes all that must be undone if a part of it fails; ``undo`` goes from the last to the first."""
        launcher, secret = self._launcher, secrets.token_bytes(32)
        packed = pack_work(work, self._host.folder, remote=not launcher.shared_host)
        self._broker, certificate = open_broker(
            secret, door, shared_host=launcher.shared_host, folder=self._host.folder
        )
        undo.callback(launcher.close, self._limits.leave)
        undo.callback(self._broker.close)
        path = tuple(dict.fromkeys([*work.code, *sys.path])) if launcher.shared_host else ()
        config = Config(
            self._broker.address, secret, token, packed.work, packed.data, path, slot_env(work.resources.cpus)
        )
        config = replace(config, fresh=work.isolation == "fresh", code=packed.code, certificate=certificate)
        self._spool = inbox_of(work, self._host.folder)
        self._known, self._checked = set(packed.digests), time.monotonic()
        self._template = EarlyTemplate(self._host, config if launcher.shared_host else None)
        undo.callback(self._template.leave)
        self._staff = Staff(launcher, config, self._limits, work.parallelism, self._dismiss)

    @property
    def slots(self) -> int:
        """See ``Executor``."""
        return self._staff.expected

    @property
    def room(self) -> int:
        """See ``Executor``; attempts wait at the slots only while trials are so short that the way would show."""
        return self._board.room(self.slots) - len(self._unbegun)

    def submit(self, attempt: Attempt) -> None:
        """See ``Executor``."""
        self._board.add(attempt)
        self._board.give(self._staff.slots)

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
        self._hear_all(self._unbegun.wait(wait))
        self._out.events += self._unbegun.due()
        now = time.monotonic()
        if now - self._checked >= self._limits.check:
            self._checked = now
            self._check(now)
        self._board.give(self._staff.slots)

    def _hear_all(self, wait: float = 0.0) -> None:
        for received in self._broker.poll(wait):
            self._out.keep(self._take, received)

    def answer(self, attempt: str, index: int, stop: bool) -> None:
        """See ``Executor``."""
        slot = self._board.at(attempt)
        if slot is not None:
            self._send(slot, {"op": "answer", "attempt": attempt, "index": index, "stop": stop})

    def stop(self, attempt: str, reason: str) -> None:
        """See ``Executor``."""
        slot = self._board.at(attempt)
        if slot is not None:
            self._send(slot, {"op": "stop", "attempt": attempt, "reason": reason})
        else:
            self._board.take_back(attempt, reason)

    def _send(self, slot: Slot, message: Message) -> None:
        if slot.connection is not None:
            self._broker.send(slot.connection, message)

    def close(self) -> None:
        """See ``Executor``."""
        if self._closed:
            return
        self._closed = True
        self._template.leave()
        for slot in self._staff.slots:
            self._send(slot, {"op": "bye", "over": True})
        self._broker.poll(0)
        self._broker.close()  # workers that connect from now on find nobody and leave
        try:
            self._launcher.close(self._limits.leave)
        finally:
            self._host.remove()

    # -- messages

    def _take(self, received: Received) -> None:
        slot = self._by_connection.get(received.connection)
        message = received.message
        if message is None:
            if slot is not None:
                self._lose(slot, "its connection ended")
            return
        try:
            if message.get("op") == "hello":
                self._hello(received.connection, message)
            elif slot is None:
                self._refuse(received.connection, message)
            else:
                self._hear(slot, message, received.blob)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            self._not_spoken(received.connection, slot, error)

    def _not_spoken(self, connection: Connection, slot: Slot | None, error: Exception) -> None:
        """What came is no message of this protocol: who sent it is given up, and nothing else."""
        if slot is None:
            self._broker.drop(connection)
        else:
            self._lose(slot, f"it sent what is no message ({type(error).__name__}: {error})"[:300])

    def _refuse(self, connection: Connection, message: Message) -> None:
        """A worker that was given up is back: what it says of its attempt is stale, and it is told to go."""
        self.stale += message.get("op") in ("report", "done")
        self._broker.send(connection, {"op": "bye"})

    def _hear(self, slot: Slot, message: Message, blob: bytes) -> None:
        op = message.get("op")
        if op in ("done", "report", "unbegun"):
            self._hear_of(slot, str(message["attempt"]), message)
        elif op == "get":
            self._give(slot, message)
        elif op == "file":
            self._file(slot, message, blob)
        elif op == "ready":
            self._ready(slot)
            self._packages.hear(slot.host, message.get("versions"))
        elif op == "parted":
            self._part(slot)
        elif op == "broken":
            raise PreflightError(not_loaded(slot.host, str(message["message"]), str(message.get("cloudpickle", ""))))
        elif op == "warning":
            _log.warning("%s: %s", slot.host, message["message"])

    def _hear_of(self, slot: Slot, attempt: str, message: Message) -> None:
        if self._board.at(attempt) is not slot:
            self.stale += 1
        elif message["op"] == "report":
            self._report(slot, attempt, message)
        elif message["op"] == "done":
            self._done(slot, attempt, message)
        else:
            self._not_begun(slot, attempt, message)

    def _hello(self, connection: Connection, message: Message) -> None:
        host, text = str(message["host"]), other_python(str(message["python"]), str(message["host"]))
        if text:
            self._broker.send(connection, {"op": "refuse", "message": text})
            raise PreflightError(text)
        slot = self._staff.slots[int(message["slot"])]  # type: ignore[call-overload]
        if slot.connection is None:
            self._welcome(slot, connection, host)
        else:  # Spark started a copy of a slow or lost task: it takes over when the first is gone
            slot.standby = connection, host
            _log.info("a copy of the worker of slot %d waits on %s", slot.number, host)

    def _welcome(self, slot: Slot, connection: Connection, host: str) -> None:
        slot.connection, slot.host, slot.standby = connection, host, None
        connection.heard = time.monotonic()
        self._by_connection[connection] = slot
        self._broker.send(connection, {"op": "welcome"})

    def _ready(self, slot: Slot) -> None:
        self._staff.came(slot)
        self._template.leave()
        self._out.events.append(SlotsChanged(self._staff.ready))
        self._board.give(self._staff.slots)

    def _give(self, slot: Slot, message: Message) -> None:
        digest, offset = str(message["digest"]), int(message["offset"])  # type: ignore[call-overload]
        assert slot.connection is not None
        if digest in self._known:
            self._broker.send_piece(slot.connection, digest, self._host.blob_path(digest), offset)
        else:
            self._broker.drop(slot.connection)

    def _report(self, slot: Slot, attempt: str, message: Message) -> None:
        reported = self._judge.report(attempt, message, slot.host)
        if reported is None:
            # The attempt is ended in its slot, which says so; how it ended is known here.
            self._send(slot, {"op": "stop", "attempt": attempt, "reason": "result"})
        else:
            self._out.events.append(reported)

    def _done(self, slot: Slot, attempt: str, message: Message) -> None:
        outcome = with_artifacts(self._spool, attempt, self._judge.outcome(attempt, message, slot.host))
        self._unbegun.began()
        self._board.ended(slot, attempt, outcome)
        self._freed(slot)

    def _not_begun(self, slot: Slot, attempt: str, message: Message) -> None:
        self._board.off(slot, attempt)
        self._freed(slot)
        self._unbegun.lost(attempt, f"worker on {slot.host}: {message['message']}")

    def _freed(self, slot: Slot) -> None:
        if not slot.ahead:
            self._staff.freed(slot)

    def _file(self, slot: Slot, message: Message, blob: bytes) -> None:
        attempt = str(message["attempt"])
        if self._board.at(attempt) is slot:
            self._spool.take(attempt, str(message["path"]), int(message["at"]), blob)  # type: ignore[call-overload]

    # -- losses

    def _lose(self, slot: Slot, why: str, *, silent: bool = False) -> None:
        """The worker is gone: what it ran is lost, what only waited there is not charged. A silent one may speak.

        Raises:
            SlotsLost: it went with everything; no attempt is charged.
        """
        self._launcher.check()
        if slot.connection is not None:
            self._by_connection.pop(slot.connection, None)
            if not silent:
                self._broker.drop(slot.connection)
        was_ready, slot.ready, slot.leaving, slot.connection = slot.ready, False, False, None
        for place, attempt in enumerate(self._board.lost(slot)):
            self._spool.forget(attempt.id)
            self._judge.forget(attempt.id)
            charged = place == 0 and not slot.moving
            self._out.events.append(Lost(attempt.id, f"worker on {slot.host}: {why}", charged))
        if was_ready:
            _log.warning("lost the worker of slot %d on %s: %s", slot.number, slot.host, why)
            self._out.events.append(SlotsChanged(self._staff.ready))
        if slot.stands_by and slot.standby is not None:
            self._welcome(slot, *slot.standby)

    def _part(self, slot: Slot) -> None:
        """The template of its host died, and with it all that ran there: of several, nobody knows who did it.

        Each worker has a template of its own from then on, so an attempt that does it again is alone and charged.
        """
        beside = (each for each in self._staff.slots if each is not slot and each.host == slot.host and each.ahead)
        if slot.host in self._apart or next(beside, None) is not None:
            self._apart.add(slot.host)
            slot.moving = True

    def _check(self, now: float) -> None:
        for slot in self._staff.slots:
            # One that is not ready may wait for another one to fetch data, or for a long import.
            bound = self._limits.silent if slot.ready else self._limits.load
            if slot.connection is not None and now - slot.connection.heard > bound:
                stands_by = slot.stands_by
                self._lose(slot, f"no sign of life for {bound:g} s", silent=True)
                if not stands_by:
                    self._staff.lost(slot)
        self._staff.check(now, self._board.waiting)

    def _dismiss(self, slot: Slot) -> None:
        """Lets a worker go that has nothing to do; one that rests may never be called again."""
        if slot.connection is not None:
            self._send(slot, {"op": "bye", "rests": slot.rests})
            self._by_connection.pop(slot.connection, None)
            self._broker.drop(slot.connection)
        slot.ready, slot.leaving, slot.connection = False, False, None
        self._out.events.append(SlotsChanged(self._staff.ready))
