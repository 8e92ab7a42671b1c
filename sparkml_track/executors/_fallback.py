"""Resident workers, or jobs where slots turn out not to reach the driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from typing_extensions import override

from sparkml_track.executors._base import Capabilities, Ended, Event, Executor, Lost
from sparkml_track.executors._resident.worker_pool import Unreachable
from sparkml_track.trial import Attempt

__all__ = ["FallbackExecutor"]

_log = logging.getLogger(__name__)


class FallbackExecutor(Executor):
    """The first executor until it finds that slots cannot reach the driver, from then on the second.

    That is found before any attempt began, so those submitted are only moved. ``name`` and ``capabilities`` are those
    of the executor at work.

    Args:
        first: raises ``Unreachable`` from ``events``; owned from now on.
        second: opens the other one.
    """

    def __init__(self, first: Executor, second: Callable[[], Executor]) -> None:
        self._now = first
        self._second: Callable[[], Executor] | None = second
        self._open: dict[str, Attempt] = {}

    @property
    @override
    def name(self) -> str:  # type: ignore[override]  # of the one at work
        return self._now.name

    @property
    @override
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return self._now.capabilities

    @property
    @override
    def stale(self) -> int:  # type: ignore[override]
        return self._now.stale

    @property
    @override
    def slots(self) -> int:
        return self._now.slots

    @property
    @override
    def room(self) -> int:
        return self._now.room

    @override
    def submit(self, *attempts: Attempt) -> None:
        if self._second is not None:
            self._open.update((attempt.id, attempt) for attempt in attempts)
        self._now.submit(*attempts)

    @override
    def events(self, timeout: float | None = None) -> Sequence[Event]:
        try:
            events = self._now.events(timeout)
        except Unreachable as error:
            self._fall_back(error)
            return []
        if self._second is not None:
            for event in events:
                if isinstance(event, Ended | Lost):
                    self._open.pop(event.attempt, None)
        return events

    def _fall_back(self, error: Unreachable) -> None:
        if self._second is None:
            raise error
        _log.warning("executor: jobs instead of resident, reports arrive only with the outcome: %s", error)
        self._now.close()
        self._now, self._second = self._second(), None
        self._now.submit(*self._open.values())
        self._open.clear()

    @override
    def answer(self, attempt: str, index: int, stop: bool) -> None:
        self._now.answer(attempt, index, stop)

    @override
    def reply(self, attempt: str, number: int, body: str) -> None:
        self._now.reply(attempt, number, body)

    @override
    def stop(self, attempt: str, reason: str) -> None:
        self._now.stop(attempt, reason)

    @override
    def close(self) -> None:
        self._now.close()
