"""What the loop has to do with the tracking store while trials run."""

from __future__ import annotations

from collections.abc import Iterable

from sparkml_track.engine.loop.ports import Queue
from sparkml_track.engine.loop.running_trial import RunningTrial
from sparkml_track.errors import TrackingError

__all__ = ["StoreWatch"]

#: Seconds after which a trial shows as RUNNING in the tracking store.
SHOWN_AFTER = 5.0


class StoreWatch:
    """Looks now and then.

    Args:
        publisher: None where no child runs are published.

    Attributes:
        refused: the store's refusal for good.
    """

    def __init__(self, publisher: Queue | None) -> None:
        self._publisher = publisher
        self.refused: TrackingError | None = None

    @property
    def trouble(self) -> str:
        """What keeps child runs from the store now, for a person; else empty."""
        return "" if self._publisher is None else self._publisher.trouble

    def look(self, live: Iterable[RunningTrial], now: float) -> str:
        """Shows trials that run for long; why no new ones may start, empty if they may."""
        if self._publisher is None:
            return ""
        self._show_running(self._publisher, live, now)
        try:
            self._publisher.check()
        except TrackingError as error:
            self.refused = self.refused or error
            return f"no new trials: {error}"
        return ""

    def _show_running(self, publisher: Queue, live: Iterable[RunningTrial], now: float) -> None:
        for each in live:
            if each.since and not each.shown and now - each.since > SHOWN_AFTER:
                each.shown = True
                publisher.put(each.running_run())
