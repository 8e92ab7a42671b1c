"""Publishing: child runs go to the tracking store on a thread of their own, in batches, until the store has them.

An outage delays and loses nothing: what is not published stays queued here and is in the journal. The thread is the
tracker's only user between ``start`` and ``close``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice

from sparkml_track.engine.storage.waiting import Hurry, never
from sparkml_track.errors import SparkmlError, TrackingError, TrackingUnavailable
from sparkml_track.trackers import ChildRun, Tracker

__all__ = ["Publisher"]

_log = logging.getLogger(__name__)
#: Seconds between batches; child runs that come meanwhile share a transaction.
_EVERY = 1.0
#: Seconds between tries while the store is away, at most.
_LONGEST = 30.0
#: Seconds for which a call that hangs is waited for at the end, beyond that.
_GRACE = 30.0
#: Seconds between looks at whether there is a hurry, and those that a round under way has then.
_LOOK, _LAST = 0.1, 3.0
_BATCH = 1000


class Publisher:
    """Takes child runs and publishes them in the background.

    Args:
        tracker: used by the publisher's thread alone from now on until ``close`` returns.
        run_id: of the parent.
        published: called on the publisher's thread with the numbers that the store now has as terminal.

    Attributes:
        trouble: what a person should know while the store is away, else empty.
        troubled: whether a call ever failed, so that its outcome was unknown for a while.
    """

    def __init__(self, tracker: Tracker, run_id: str, published: Callable[[Sequence[int]], None]) -> None:
        self._tracker = tracker
        self._run_id = run_id
        self._published = published
        self._queue: dict[int, ChildRun] = {}
        self._wake = threading.Condition()
        self._closing = False
        self._until = 0.0
        self._error: BaseException | None = None
        self.trouble = ""
        self.troubled = False
        self._thread = threading.Thread(target=self._serve, name="sparkml-publisher", daemon=True)
        self._thread.start()

    def put(self, child: ChildRun) -> None:
        """Queues a child run; a later state of the same trial replaces an earlier one."""
        with self._wake:
            self._queue[child.number] = child

    def check(self) -> None:
        """Raises what stopped the thread.

        Raises:
            TrackingError: the store refused for good; ``TrackingDenied`` if it was the credentials.
            SparkmlError: the thread died of anything else.
        """
        error = self._error
        if isinstance(error, TrackingError):
            raise error
        if error is not None or not (self._closing or self._thread.is_alive()):
            raise SparkmlError(
                f"the publisher's thread died: {type(error).__name__}: {error}; results so far are in the journal. "
                "This is a defect: please report it with the traceback"
            ) from error

    def close(self, longest_wait: float, hurry: Hurry = never) -> int:
        """Publishes what is queued, trying for at most ``longest_wait`` seconds.

        Args:
            longest_wait: in seconds.
            hurry: ends the waiting.

        Returns:
            How many child runs could not be published.
        """
        with self._wake:
            self._closing = True
            self._until = time.monotonic() + longest_wait
            self._wake.notify_all()
        until = self._until + _GRACE
        while self._thread.is_alive() and time.monotonic() < until and not hurry():
            self._thread.join(_LOOK)
        with self._wake:
            self._until = min(self._until, time.monotonic())
            self._wake.notify_all()
        self._thread.join(_LAST)
        with self._wake:
            return len(self._queue)

    def _serve(self) -> None:
        wait = _EVERY
        try:
            while True:
                closing = self._pause(wait)
                wait = self._publish_all(wait)
                if closing and (not self._queue or time.monotonic() >= self._until):
                    return
        except BaseException as error:  # noqa: BLE001 - raised by ``check`` on the loop's thread
            self._error = error

    def _pause(self, seconds: float) -> bool:
        """Waits for the next round; at the end only while the store is away."""
        with self._wake:
            if not self._closing:
                self._wake.wait(seconds)
            elif self.trouble:
                self._wake.wait(max(0.0, min(seconds, _EVERY * 2, self._until - time.monotonic())))
            return self._closing

    def _publish_all(self, wait: float) -> float:
        """One round; returns the seconds to the next."""
        try:
            while batch := self._take():
                self._tracker.publish(self._run_id, batch)
                self._drop(batch)
        except TrackingUnavailable as error:
            self.troubled = True
            self.trouble = f"tracking store cannot be reached, {len(self._queue)} child runs wait: {error}"
            _log.warning(self.trouble)
            return min(_LONGEST, wait * 2)
        self.trouble = ""
        return _EVERY

    def _take(self) -> list[ChildRun]:
        with self._wake:
            return list(islice(self._queue.values(), _BATCH))

    def _drop(self, batch: Sequence[ChildRun]) -> None:
        with self._wake:
            for child in batch:
                if self._queue.get(child.number) is child:
                    del self._queue[child.number]
        done = [child for child in batch if child.state.terminal]
        if done:
            self._published([child.number for child in done])
