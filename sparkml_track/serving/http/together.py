"""Requests that come while threads are at work are answered together: asking a model for ten rows costs as one row."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from sparkml_track.serving._spec import Limits

__all__ = ["Together"]

Item = TypeVar("Item")
Given = TypeVar("Given")
_Pair: TypeAlias = "tuple[Item, asyncio.Future[Given]]"
#: Seconds that an item waits for the thread that is at work, before it gets one of its own.
PATIENCE = 0.01
#: Of items that are worked on together, but for a single one.
_MOST_SIZE = 65_536


class Together(Generic[Item, Given]):
    """Hands items to threads: the first one at once, those that come meanwhile together.

    Python has one thread at work at a time, so others are not used before the first one has kept an item waiting. That
    one lost in a model holds up the others for ``PATIENCE`` alone, as long as there are threads. All of it, but for
    ``work``, is of the loop's thread.

    Args:
        pool: of threads.
        work: called in one of them; gives one result for each item.
        size: of an item; large ones are worked on alone.
        limits: how many threads, and how many items together.
    """

    def __init__(
        self,
        pool: Executor,
        work: Callable[[Sequence[Item]], Sequence[Given]],
        size: Callable[[Item], int],
        limits: Limits,
    ) -> None:
        self._pool, self._work, self._size, self._limits = pool, work, size, limits
        self._waiting: deque[_Pair[Item, Given]] = deque()
        self._at_work = 0

    def add(self, item: Item) -> asyncio.Future[Given]:
        """Takes an item, and gives what will come of it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Given] = loop.create_future()
        self._waiting.append((item, future))
        if not self._at_work or self._limits.together == 1:
            self._begin()
        else:
            loop.call_later(PATIENCE, self._begin_for, future)
        return future

    def _begin_for(self, future: asyncio.Future[Given]) -> None:
        """Begins what still waits."""
        if any(each is future for _, each in self._waiting):
            self._begin()

    def _begin(self) -> None:
        if not self._waiting or self._at_work >= self._limits.threads:
            return
        taken = [self._waiting.popleft()]
        size = self._size(taken[0][0])
        while self._waiting and len(taken) < self._limits.together:
            size += self._size(self._waiting[0][0])
            if size > _MOST_SIZE:
                break
            taken.append(self._waiting.popleft())
        self._at_work += 1
        loop = asyncio.get_running_loop()
        try:
            work = loop.run_in_executor(self._pool, self._work, [item for item, _ in taken])
        except RuntimeError as error:  # the endpoint is closed
            self._at_work -= 1
            for _, future in taken:
                future.set_exception(error)
            return
        work.add_done_callback(partial(self._ended, [future for _, future in taken]))

    def _ended(self, futures: Sequence[asyncio.Future[Given]], work: asyncio.Future[Sequence[Given]]) -> None:
        self._at_work -= 1
        error = None if work.cancelled() else work.exception()
        for place, future in enumerate(futures):
            if future.done():
                continue
            if work.cancelled():
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(work.result()[place])
        self._begin()
