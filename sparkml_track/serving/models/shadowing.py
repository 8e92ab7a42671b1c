"""Versions that score requests aside: what they do, how long they take and what they raise changes no answer."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sparkml_track.serving.models.predicting import Predicted, predict
from sparkml_track.serving.models.routing import Route
from sparkml_track.serving.protocol.bodies import Body
from sparkml_track.serving.protocol.refused import Refused

__all__ = ["Asked", "Shadows"]

_LOG = logging.getLogger(__name__)
_MOST_WAITING = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was answered, for a shadow.

    Attributes:
        request_id: of it.
        client_request_id: of it.
        timestamp_ms: when it came.
        body: what it says.
        route: of the shadow.
    """

    request_id: str
    client_request_id: str | None
    timestamp_ms: int
    body: Body
    route: Route


class Shadows:
    """One thread that asks shadows, one request after the other.

    Args:
        keep: gets what a shadow predicted, and the milliseconds it took.
        failed: called where a shadow raised.
    """

    def __init__(self, keep: Callable[[Asked, Predicted, float], None], failed: Callable[[], None]) -> None:
        self._keep, self._failed = keep, failed
        self._waiting: queue.Queue[Asked | None] = queue.Queue(_MOST_WAITING)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def offer(self, asked: Asked) -> bool:
        """Leaves a request to the shadow; False if too many wait."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(asked)
        except queue.Full:
            return False
        return True

    def close(self, seconds: float) -> None:
        """Lets what waits be scored, for some seconds at most."""
        if self._thread is None:
            return
        self._closing.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            try:
                asked = self._waiting.get(timeout=0.1)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            if asked is not None:
                self._score(asked)

    def _score(self, asked: Asked) -> None:
        started = time.perf_counter()
        try:
            predicted = predict(asked.route.model, asked.body)
            self._keep(asked, predicted, (time.perf_counter() - started) * 1000)
        except Refused as error:
            self._failed()
            _LOG.debug("the shadow %s does not take a request: %s", asked.route.alias, error.sentence)
        except Exception:  # noqa: BLE001 -- a shadow changes nothing
            self._failed()
            _LOG.debug("the shadow %s failed", asked.route.alias, exc_info=True)
