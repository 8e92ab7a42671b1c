"""The executor closes beside what is done meanwhile: workers leave while the parent run is ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sparkml_track.executors import Executor

__all__ = ["close", "leaving"]

_log = logging.getLogger(__name__)


@contextmanager
def leaving(executor: Executor) -> Iterator[None]:
    """Closes the executor on a thread of its own, and waits for it at the end: slots do not wait for a store."""
    thread = threading.Thread(target=close, args=(executor,), name="sparkml-leaving", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def close(executor: Executor) -> None:
    """What fails here has no part in the results: the sweep ends as they say."""
    try:
        executor.close()
    except Exception as error:  # noqa: BLE001 - members are anybody's, and the parent run must be ended
        _log.warning("the executor did not close in order (%s: %s); results are kept", type(error).__name__, error)
