"""Requests to a store that may be away for a while: they are made again, and the journal waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sparkml_track.adapters.objects.client import ObjectClient
from sparkml_track.adapters.objects.errors import may_pass
from sparkml_track.adapters.objects.settings import ObjectSettings
from sparkml_track.errors import JournalError

__all__ = ["Patience", "client_of", "patiently"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a journal waits for its store.

    Attributes:
        longest: seconds; then the sweep ends, and can be resumed.
        between: seconds between two tries.
        sleep: waits for some seconds.
    """

    longest: float = 300.0
    between: float = 1.0
    sleep: Callable[[float], None] = time.sleep


def client_of(bucket: str) -> ObjectClient:
    """A client whose requests end soon, as it is the journal that has patience."""
    found = ObjectSettings.find()
    return ObjectClient(bucket, JournalError, found.hurried())


def patiently(call: Callable[[], T], patience: Patience) -> T:
    """Makes a call until the store is there; the call does the same when it is made twice.

    Raises:
        JournalError: the store refuses, or was away for too long.
    """
    until, logged = time.monotonic() + patience.longest, False
    while True:
        try:
            found = call()
        except JournalError as error:
            if not may_pass(error) or time.monotonic() >= until:
                raise
            if not logged:
                _log.warning("the journal waits up to %.0f s for its store: %s", patience.longest, error)
            logged = True
            patience.sleep(patience.between)
        else:
            if logged:
                _log.warning("the journal's store is back")
            return found
