"""The worker: lives in a Spark task, takes attempts from the broker and watches the process that executes them.

One attempt runs at a time; those beyond it wait here, which hides the way to the driver for short trials. The process
executes a user's code, so what it says is not believed where it can be seen from here, and nothing waits for it.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable

from .answers import Answers
from .attempt.artifacts import drop, pieces
from .attempt.endings import Begun, ended, killed, too_large
from .children import Child, Children, TemplateLost
from .config import Config
from .driver_link import DriverLink, Goodbye
from .host.folder import Host
from .joining import join
from .meeting import Meeting, at_its_devices
from .strays import LONGEST_WAIT
from .wire.messages import (
    Answer,
    Ask,
    Beat,
    Bye,
    Done,
    Gather,
    Gathered,
    Logged,
    Meet,
    Message,
    NoFork,
    Park,
    Parked,
    Part,
    Parted,
    Question,
    Reply,
    Report,
    Run,
    Stale,
    Stop,
    Unbegun,
    Warn,
    Work,
    decode,
    encode,
)

__all__ = ["Config", "Worker"]

#: Seconds between signs of life.
BEAT = 2.0
#: Seconds of work after which a recycled child is replaced.
RECYCLE_AFTER = 1.0


class Worker:
    """See the module. ``run`` returns when the broker says goodbye or is gone."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._driver = DriverLink(config)
        self._host: Host | None = None
        self._queue: deque[Run] = deque()
        self._given: dict[str, bytes] = {}
        self._current: Begun | None = None
        self._deadline: float | None = None
        self._answers, self._meeting = Answers(), Meeting()
        self._children: Children | None = None
        self._child: Child | None = None
        self._spare: Child | None = None
        self._shortage = ""
        self._poll = select.poll()
        self._sources: dict[int, Callable[[], None]] = {}

    def run(self) -> None:
        """Takes and executes attempts until goodbye.

        Raises:
            RuntimeError: the driver refused this slot, or the template died; the Spark task fails with it.
        """
        host = self._host = Host(self._config.token)
        host.share.belongs_to(self._config.address)
        shared = True
        try:
            self._driver.introduce(self._config.slot, host.share.over)
            shared = not host.apart
            self._begin_sweep()
            while True:
                self._take_inbox()
                self._next()
                self._wait()
        except Goodbye as bye:
            if bye.over:
                host.share.over()
            elif bye.rests and self._children is not None:
                self._children.rests()
            return
        except TemplateLost:
            if shared:  # who killed it is unknown: the next time, only the attempt that did it is hit
                host.part()
                self._driver.send(Parted())
            raise
        finally:
            self._driver.close()
            if self._children is not None:
                self._children.close()
            host.leave()

    # -- the beginning

    def _join_template(self) -> Children:
        assert self._host is not None
        template = join(self._host, self._config, self._driver.fetch)
        folder = self._host.folder
        children = Children(template, folder, self._poll, self._sources, self._child_said, self._child_ended)
        self._sources[template.fileno()] = self._read_template
        self._poll.register(template.fileno(), select.POLLIN)
        return children

    # -- from one sweep to the next

    def _begin_sweep(self) -> None:
        """Joins the template, with nothing of an earlier one; what the driver said of the work meanwhile counts."""
        for work in self._driver.taken(Work):
            self._config = self._config.taken_over(work.fields)
        if self._children is not None:
            self._children.close()
        self._child = self._spare = None
        self._poll, self._sources, self._shortage = select.poll(), {self._driver.fileno(): self._driver.read}, ""
        self._poll.register(self._driver.fileno(), select.POLLIN)
        self._children = self._join_template()

    def _change_sweep(self, message: Work | Park) -> None:
        if isinstance(message, Work):
            self._take_over(message)
        else:
            self._park()

    def _take_over(self, work: Work) -> None:
        """Another sweep begins: with the same template, if it is made of the same."""
        key, self._config = self._config.key, self._config.taken_over(work.fields)
        assert self._children is not None
        if self._config.key == key:
            self._shortage = ""
            self._children.renew()
        else:
            self._begin_sweep()

    def _park(self) -> None:
        """The sweep is over: another one finds a new process and none of its files."""
        assert self._host is not None and self._children is not None
        if self._child is not None and not self._config.kept:
            self._children.retire(self._child)
            self._child = None
        self._spare = self._spare or self._children.new()  # one that nothing was executed in
        staying = [child for child in (self._child, self._spare) if child is not None]
        until = time.monotonic() + LONGEST_WAIT  # one that is traced may stay
        while self._children.waits_for_others(staying, until - time.monotonic()):
            self._read_template()
        self._host.keep(self._config.digests)
        self._host.tidy()
        self._driver.send(Parked())

    # -- the driver's side

    def _take_inbox(self) -> None:
        while self._driver.inbox:
            message, blob = self._driver.inbox.popleft()
            match message:
                case Run():
                    self._queue.append(message)
                    self._given[message.attempt] = blob
                case Answer() | Reply() | Gathered() if self._runs(message.attempt):
                    self._answers.came(message, self._child, blob)
                case Meet():
                    self._driver.send(self._meeting.offer(message.attempt, self._driver.own_address))
                case Stop():
                    self._stop(message)
                case Work() | Park():
                    self._change_sweep(message)
                case Bye():
                    raise Goodbye(message.over, message.rests)

    @property
    def _rank(self) -> int:
        """Of the current attempt, in its gang."""
        return 0 if self._current is None else self._current.run.rank

    def _runs(self, attempt: str) -> bool:
        return self._current is not None and self._current.run.attempt == attempt

    def _stop(self, stop: Stop) -> None:
        if self._runs(stop.attempt):
            self._kill(stop.reason)
        for waiting in [run for run in self._queue if run.attempt == stop.attempt]:
            self._queue.remove(waiting)
            del self._given[waiting.attempt]
            self._driver.send(killed(Begun.now(waiting), stop.reason))

    # -- attempts

    def _next(self) -> None:
        """Starts the next attempt if none runs; a spare child is asked for as soon as this one is at work."""
        if self._current is not None or not self._queue or self._children is None:
            return
        assert self._host is not None
        if lacks := self._host.fetch(self._queue[0], self._driver.fetch):
            self._end_with(Unbegun(self._queue.popleft().attempt, lacks))
            return
        if self._child is None:
            self._child, self._spare = self._spare or self._children.new(), None
        self._meeting.free()
        run = at_its_devices(self._queue.popleft()._replace(key=os.urandom(8).hex()), self._config.gpus)
        self._current = Begun.now(run)
        self._answers = Answers()
        self._deadline = None if run.timeout is None else self._current.tick + run.timeout
        self._child.send(run, self._given[run.attempt])
        if self._spare is None:
            self._spare = self._children.new()

    def _child_said(self, child: Child, message: Message, body: bytes) -> None:
        if child is not self._child:
            return
        match message:
            case Report() | Logged() if self._rank:  # those of the first rank count
                pass
            case Report() | Logged() | Question() | Gather():
                if self._runs(message.attempt):
                    self._driver.keep_body(body)
            case Ask():
                if self._runs(message.attempt):
                    self._answers.wanted(message.number, child)
            case Part() | Done():
                self._take_end(child, message, body)

    def _take_end(self, child: Child, message: Part | Done, body: bytes) -> None:
        """The end of the attempt, or what it gives back, if the child is at work on it."""
        begun = self._current
        if begun is None or (begun.run.attempt, begun.run.key) != (message.attempt, message.key):
            self._replace(child)
        elif isinstance(message, Done):
            self._done(child, message, body, begun)
        elif message.at < self._config.payload_limit:
            self._driver.send_body(body)
        elif self._children is not None:  # its process should have refused it
            self._children.refuse(child, too_large(self._config.payload_limit))

    def _replace(self, child: Child) -> None:
        """The child ended what it is not at work on: it had said so before, or executes more than one attempt.

        What it was given after that may never begin there, or be answered by the attempt before it: it begins anew.
        """
        assert self._children is not None
        self._children.kill(child)
        self._child = None
        if self._current is not None:
            self._queue.appendleft(self._current.run)
            self._current, self._deadline = None, None
            self._next()

    def _done(self, child: Child, done: Done, body: bytes, begun: Begun) -> None:
        assert self._children is not None
        child.drain()
        child.worked += begun.took
        log = child.log.text()
        # Of a gang each attempt has new processes: libraries that connect them are not made to do it twice.
        may = begun.run.world == 1 and not self._config.fresh and (self._config.kept or child.worked <= RECYCLE_AFTER)
        if may and done.clean and done.state != "failed" and child.is_as_born(done.threads):
            child.log.clear()
        else:
            self._children.retire(child)
            self._child = None
        self._end_with(done, encode(done._replace(log=log), decode(body)[1]) if log else body)

    def _end_with(self, end: Done | Unbegun, body: bytes = b"") -> None:
        if self._current is not None and self._current.run.payload and self._host is not None:
            self._host.forget_blob(self._current.run.payload)
        rank = self._rank
        self._current, self._deadline = None, None
        self._given.pop(end.attempt, None)
        self._next()  # before the news goes out: the slot works while the driver reads
        assert self._host is not None
        if rank:
            drop(self._host.folder, end.attempt)
        for head, piece in pieces(self._host.folder, end.attempt, self._config.artifacts):
            self._driver.send(head, piece)
        self._driver.send_body(body or encode(end))

    def _kill(self, reason: str) -> None:
        """Ends the current attempt by force; its slot is free at once, a spare takes over."""
        child, begun = self._child, self._current
        assert child is not None and begun is not None and self._children is not None
        child.drain()
        self._children.kill(child)
        self._child = None
        self._end_with(killed(begun, reason, child.log.text()))

    def _child_ended(self, child: Child) -> None:
        if child is self._spare:
            self._spare = None
        if child is not self._child:
            return
        self._child = None
        if self._current is not None:
            end = ended(self._current, child.garbled, child.status, child.log.text())
            # Never born: the attempt did not begin.
            why = f"no process for an attempt: {self._shortage or 'it ended at once'}"
            self._end_with(end if child.garbled or child.pid else Unbegun(end.attempt, why))

    def _read_template(self) -> None:
        assert self._children is not None
        for message in self._children.read_template():
            if isinstance(message, NoFork):  # the child that was asked for ends without a birth
                if not self._shortage:
                    self._driver.send(Warn(f"no process to spare: {message.message}"))
                self._shortage = message.message
            elif isinstance(message, Stale):
                self._begin_sweep()
                return
            else:
                self._driver.send(message)  # Ready, Broken, Warn

    # -- waiting

    def _wait(self) -> None:
        self._driver.flush()
        if self._driver.inbox:
            return
        until = self._driver.sent + BEAT
        if self._deadline is not None:
            until = min(until, self._deadline)
        poll = self._poll
        for fd, _ in poll.poll(max(0.0, (until - time.monotonic()) * 1000.0)):
            if self._poll is not poll:  # another template was joined: these descriptors are gone
                break
            ready = self._sources.get(fd)
            if ready is not None:
                ready()
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            self._kill("timeout")
        if now >= self._driver.sent + BEAT:
            self._driver.send(Beat())
