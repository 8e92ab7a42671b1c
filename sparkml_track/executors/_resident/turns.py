"""Gangs of several sweeps in one Spark application: one after the other takes slots until it has all of its own.

Else each of two sweeps could hold half of what both need, for ever. An application has one driver, so that its sweeps
find each other in this process.
"""

from __future__ import annotations

import threading

__all__ = ["TURNS", "Turns"]


class Turns:
    """Who has its slots, and who waits, in each place. Threads: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[object]] = {}
        self._holding: dict[str, list[object]] = {}

    def wait(self, place: str, who: object) -> bool:
        """Waits for slots; whether it is the turn of this one, since it has waited longest.

        Args:
            place: where the slots are; "" where nobody else can want them.
            who: wants them.
        """
        with self._lock:
            _leave(self._holding, place, who)
            waiting = self._waiting.setdefault(place, [])
            if who not in waiting:
                waiting.append(who)
            return not place or waiting[0] is who

    def hold(self, place: str, who: object) -> None:
        """It has all the slots that it needs."""
        with self._lock:
            _leave(self._waiting, place, who)
            holding = self._holding.setdefault(place, [])
            if who not in holding:
                holding.append(who)

    def leave(self, place: str, who: object) -> None:
        """It wants none any more. May be called again and again."""
        with self._lock:
            _leave(self._waiting, place, who)
            _leave(self._holding, place, who)

    def waits(self, place: str, who: object) -> bool:
        """Whether another one waits for slots."""
        return self._has_others(self._waiting, place, who)

    def holds(self, place: str, who: object) -> bool:
        """Whether another one has slots that it keeps."""
        return self._has_others(self._holding, place, who)

    def _has_others(self, groups: dict[str, list[object]], place: str, who: object) -> bool:
        with self._lock:
            return bool(place) and any(each is not who for each in groups.get(place, ()))


def _leave(groups: dict[str, list[object]], place: str, who: object) -> None:
    group = groups.get(place, [])
    if who in group:
        group.remove(who)
    if not group:
        groups.pop(place, None)


#: Of this process.
TURNS = Turns()
