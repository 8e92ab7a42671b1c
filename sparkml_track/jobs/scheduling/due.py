"""Which scheduled times are run now, and which are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sparkml_track.adapters.cron import Cron

__all__ = ["MOST", "Due", "due", "passed"]

#: A time that is older was missed.
_FRESH = timedelta(minutes=1)
#: Missed times are looked for in so much of the past, and so many are kept.
_HORIZON = timedelta(days=366)
MOST = 1000


@dataclass(frozen=True)
class Due:
    """What becomes of times that have passed.

    Attributes:
        run: one after the other, oldest first.
        skipped: because a run is under way; recorded.
        missed: nobody was there, and the rule leaves them.
    """

    run: tuple[datetime, ...] = ()
    skipped: tuple[datetime, ...] = ()
    missed: int = 0


def passed(cron: Cron, handled: datetime, now: datetime) -> tuple[datetime, ...]:
    """The times since the one that was handled last, up to now."""
    return cron.between(max(handled, now - _HORIZON), now, MOST)


def due(times: Sequence[datetime], now: datetime, catch_up: str, busy: bool) -> Due:
    """What becomes of times that have passed.

    Args:
        times: oldest first.
        now: at or after the last.
        catch_up: the rule for those that were missed: "none", "last" or "all".
        busy: whether a run of the job is under way.
    """
    if not times or catch_up == "all":
        return Due(tuple(times))
    latest = times[-1]
    if catch_up == "none" and now - latest > _FRESH:
        return Due(missed=len(times))
    if busy:
        return Due(skipped=(latest,), missed=len(times) - 1)
    return Due((latest,), missed=len(times) - 1)
