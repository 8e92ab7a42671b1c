"""Calls a function many times in a few processes that stay; one that fails, dies or hangs costs its own call only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = ["Failed", "results"]

_CONTEXT = get_context("spawn")
_LOOK = 0.5  # seconds between looks at the clock


@dataclass(frozen=True)
class Failed:
    """A call that gave no result.

    Attributes:
        why: in one line.
    """

    why: str


def results(
    call: Callable[[Any], Any], tasks: Iterable[Any], *, processes: int, longest: float, until: float
) -> Iterator[tuple[Any, Any]]:
    """Each task with its result or a ``Failed``, in the order they end.

    Args:
        call: of one task; both are sent by name and value, and so is what it returns.
        tasks: begun in this order.
        processes: how many calls at one time.
        longest: seconds, after which a call is ended.
        until: time by ``time.monotonic()`` from which on no call is begun.
    """
    waiting, workers = deque(tasks), [_Worker(call) for _ in range(processes)]
    try:
        while True:
            for worker in workers:
                if worker.idle and waiting and time.monotonic() < until:
                    worker.begin(waiting.popleft(), longest)
            busy = [worker for worker in workers if not worker.idle]
            if not busy:
                return
            wait([worker.link for worker in busy], _LOOK)
            yield from (worker.end() for worker in busy if worker.over)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """One process, made anew after it died or was ended."""

    def __init__(self, call: Callable[[Any], Any]) -> None:
        self._call = call
        self.idle = True
        self._start()

    def _start(self) -> None:
        self.link, there = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(self._call, there))
        self._process.start()
        there.close()
        self._greeted = False

    def begin(self, task: Any, longest: float) -> None:
        """Sends a task."""
        if not self._greeted:
            self.link.recv()  # what it takes to start is not counted
            self._greeted = True
        self._task, self._longest = task, longest
        self._end = time.monotonic() + longest
        self.idle = False
        self.link.send(task)

    @property
    def over(self) -> bool:
        """Whether the call has ended, or must."""
        return self.link.poll() or time.monotonic() > self._end

    def end(self) -> tuple[Any, Any]:
        """The task and what became of it."""
        self.idle = True
        try:
            if self.link.poll():
                return self._task, self.link.recv()
            found = Failed(f"took longer than {self._longest:g} s")
        except (EOFError, OSError):
            self._process.join()
            found = Failed(f"its process died with exit code {self._process.exitcode}")
        self.stop()
        self._start()
        return self._task, found

    def stop(self) -> None:
        """Ends the process."""
        self.link.close()
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(call: Callable[[Any], Any], link: Connection) -> None:
    link.send("here")
    while True:
        try:
            task = link.recv()
        except EOFError:
            return
        try:
            found = call(task)
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            found = Failed(f"{type(error).__name__}: {error}".splitlines()[0])
        link.send(found)
