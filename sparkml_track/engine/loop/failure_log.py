"""Why trials fail, logged once for each kind of failure while the sweep runs, not only in its report."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sparkml_track.engine.results.summary import Result
from sparkml_track.trial import State

__all__ = ["FailureLog"]

_log = logging.getLogger(__name__)
#: Kinds that are logged; more would bury the progress.
_MOST = 5


class FailureLog:
    """Logs the first failure of each kind: of one reason, and one type of error."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()
        self._unread = False

    def unread(self, number: int, metric: str, metrics: Iterable[str]) -> None:
        """Takes a report that the pruner can do nothing with."""
        if not self._unread:
            self._unread = True
            _log.warning(
                "trial %d reports no %r, only %s: the pruner cannot decide by that; report it too",
                number,
                metric,
                ", ".join(metrics)[:200] or "nothing",
            )

    def hear(self, result: Result) -> None:
        """Takes every accepted result."""
        if result.state is not State.FAILED:
            return
        line = result.message.partition("\n")[0]
        kind = (result.reason, line.partition(":")[0])
        if kind in self._logged or len(self._logged) >= _MOST:
            return
        self._logged.add(kind)
        _log.warning("trial %d failed (%s): %s", result.number, result.reason, line[:300])
