"""The workers of one Spark application and what they are reached by: of one executor after another."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable

from sparkml_track.executors._resident.broker import Connection, Received
from sparkml_track.executors._resident.launcher import Launcher
from sparkml_track.executors._resident.slot import Limits, ListenAddress, Slot, open_broker
from sparkml_track.slot.config import Config
from sparkml_track.slot.host.folder import Host
from sparkml_track.slot.wire.messages import Bye, Hello, Park, Parked, Welcome, Work

__all__ = ["Fleet", "connection_of"]

#: Seconds for workers to say that nothing of the sweep before is left.
_TIDY = 0.2
#: Seconds for workers to come that had not when their executor was done.
_COMING = 3.0


class Fleet:
    """See the module.

    Ownership: of the executor that uses it, which closes it or hands it to ``stay``. Threads: one at a time.

    Args:
        launcher: starts the workers.
        token: names the fleet on all hosts.
        limits: bounds of waiting; the usual ones if None.
        listen: where to listen; None for a Unix socket on a shared host, else any port of this host.
        stay: takes the fleet when its executor is done with it, for the next one; None where workers leave then.

    Attributes:
        slots: places of workers.
        hosts: all that workers were on.
        config: of the sweep that all workers were given last; None before the first.
        again: they were started for an earlier one.
        fit: another executor may have them.
        early: what workers said that came between two executors.
    """

    def __init__(
        self,
        launcher: Launcher,
        token: str,
        limits: Limits | None = None,
        listen: ListenAddress | None = None,
        stay: Callable[[Fleet], None] | None = None,
    ) -> None:
        self.launcher, self.token, self.stay = launcher, token, stay
        self.limits = limits or Limits()
        self.secret = secrets.token_bytes(32)
        self.slots: list[Slot] = []
        self.hosts: set[str] = set()
        self.config: Config | None = None
        self.again = False
        self.fit = True
        self._closed = False
        self.early: list[Received] = []
        self._tidying: set[Connection] = set()
        self._awaited_until = 0.0
        with contextlib.ExitStack() as undo:
            undo.callback(launcher.close, self.limits.leave)
            self.host = Host(token, home=True)
            undo.callback(self.host.remove)
            shared = launcher.shared_host
            self.broker, self.certificate = open_broker(
                self.secret, listen, shared_host=shared, folder=self.host.folder
            )
            undo.pop_all()

    @property
    def at_work(self) -> list[Slot]:
        """Slots with a worker."""
        return [slot for slot in self.slots if slot.connection is not None]

    def take_over(self, config: Config, most: int | None) -> None:
        """An executor begins: workers that are there, ``most`` of them, load its work and say so."""
        self.config = config
        if most is not None:
            leaving, self.slots[most:] = self.slots[most:], []
            for slot in leaving:
                over = slot.host not in {other.host for other in self.at_work}
                self.dismiss(slot, over=over)
                if over:
                    self.hosts.discard(slot.host)
        for slot in self.slots:
            slot.begin()
            if slot.connection is not None:
                self.broker.send(slot.connection, Work(config.fields()))

    def welcome(self, slot: Slot) -> None:
        """Gives a worker its place. One that was started for an earlier executor learns of this one's work first."""
        assert self.config is not None
        self.hosts.add(slot.host)
        if self.again:
            self.broker.send(connection_of(slot), Work(self.config.fields()))
        self.broker.send(connection_of(slot), Welcome())

    # -- between two executors

    def park(self) -> bool:
        """Lets workers stay that have nothing to do, and the others go.

        Returns:
            Whether the next executor may have them. If not, ``close`` is to follow: no worker is left, an attempt may
            still write, or there are files of this sweep on a host that none is on.
        """
        staying = [slot for slot in self.at_work if slot.takes and not (slot.moving or slot.standby)]
        busy = any(slot.ahead for slot in self.slots)
        if busy or not (self.fit and staying) or {slot.host for slot in staying} != self.hosts:
            return False
        for slot in self.slots:
            if slot in staying:
                self._tidying.add(connection_of(slot))
                self.broker.send(connection_of(slot), Park())
            elif slot.connection is not None:
                self.dismiss(slot)
        if self.config is not None:
            self.host.keep(self.config.digests)
        self.host.tidy()
        self.again, self._awaited_until = True, time.monotonic() + _COMING
        self.look_after()
        return True

    def _cancel_absent(self) -> None:
        """Workers that do not come would keep Spark asking for executors."""
        came = {received.message.slot for received in self.early if isinstance(received.message, Hello)}
        for slot in self.slots:
            if slot.connection is None and slot.number not in came and self.launcher.coming(slot.number):
                self.launcher.cancel(slot.number)

    def look_after(self) -> None:
        """Hears of workers that were parked or are coming, and takes those for lost that are silent."""
        self._hear()
        if time.monotonic() > self._awaited_until:
            self._cancel_absent()
        silent = time.monotonic() - self.limits.silent / 2
        for slot in self.at_work:
            if connection_of(slot).heard < silent:
                self.broker.drop(connection_of(slot))
                self._tidying.discard(connection_of(slot))
                slot.connection, slot.ready = None, False
                self.launcher.cancel(slot.number)

    def _hear(self) -> None:
        for received in self.broker.poll(0):
            if isinstance(received.message, Parked):
                self._tidying.discard(received.connection)
            elif received.message is None:
                for slot in self.slots:
                    if slot.connection is received.connection:
                        slot.connection, slot.ready = None, False
                self._tidying.discard(received.connection)
                self.early = [other for other in self.early if other.connection is not received.connection]
            elif isinstance(received.message, Hello):
                self.early.append(received)
            elif received.connection not in [slot.connection for slot in self.slots]:
                self.broker.drop(received.connection)

    def wake(self) -> bool:
        """Whether all workers are ready for the next executor."""
        until = time.monotonic() + _TIDY
        while self._tidying and time.monotonic() < until:
            self._hear()
            time.sleep(0.001)
        self.look_after()
        return not self._tidying and bool(self.at_work)

    # -- the end

    def dismiss(self, slot: Slot, *, over: bool = False) -> None:
        """Lets a worker go that has nothing to do; one that rests may never be called again.

        Args:
            slot: of the worker.
            over: nobody comes to its host again.
        """
        if slot.connection is not None:
            self.broker.send(slot.connection, Bye(over=over, rests=slot.rests))
            self.broker.drop(slot.connection)
        slot.ready, slot.leaving, slot.connection = False, False, None
        slot.ahead.clear()

    def close(self) -> None:
        """Ends all workers and removes their folder. May be called twice."""
        if self._closed:
            return
        self._closed = True
        for slot in self.at_work:
            self.broker.send(connection_of(slot), Bye(over=True))
        self.broker.poll(0)
        self.broker.close()  # workers that connect from now on find nobody and leave
        try:
            self.launcher.close(self.limits.leave)
        finally:
            self.host.remove()


def connection_of(slot: Slot) -> Connection:
    """Of a slot that has a worker."""
    assert slot.connection is not None
    return slot.connection
