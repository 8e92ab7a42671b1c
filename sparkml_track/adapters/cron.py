"""Cron expressions, by cronsim; what a schedule means when clocks change is what Debian's cron makes of it.

A job at 02:30 runs once in a night whose clocks are turned, whether there are two half past twos or none (then at
03:00); one of every hour or every ten minutes runs as time passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from zoneinfo import ZoneInfo

from sparkml_track.errors import InvalidInput, SetupError

__all__ = ["Cron", "schedule_problem", "zone_of"]

_FIELDS = "minute hour day-of-month month day-of-week"


class Cron:
    """A schedule.

    Args:
        expression: five fields.
        zone: the time zone it is read in.

    Raises:
        InvalidInput: it cannot be read, or it never comes.
        SetupError: cronsim is not installed.
    """

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        if not _installed():
            raise SetupError("schedules need the package cronsim: pip install 'sparkml-track[jobs]'")
        if problem := schedule_problem(expression):
            raise InvalidInput(f"the schedule {expression!r} must be {problem}")
        self.expression = expression
        self.zone = zone_of(zone)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times after a moment, in UTC and in order; an end is only where a schedule stops coming."""
        from cronsim import CronSim

        for found in CronSim(self.expression, moment.astimezone(self.zone)):
            yield found.astimezone(UTC)

    def between(self, after: datetime, until: datetime, most: int) -> tuple[datetime, ...]:
        """The times after one moment up to another, in UTC: the last ``most`` of them."""
        return tuple(deque(takewhile(lambda found: found <= until, self.after(after)), maxlen=most))

    def next(self, moment: datetime) -> datetime:
        """The first time after a moment, in UTC."""
        return next(self.after(moment))


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone of the IANA database, such as UTC or Europe/Berlin") from None


@cache
def schedule_problem(expression: str) -> str:
    """What a schedule must be, if this is not one; empty if it is, and where cronsim is not installed."""
    if not _installed():
        return ""
    from cronsim import CronSim, CronSimError

    if len(expression.split()) != 5:
        return f"five fields of cron ({_FIELDS}), such as '0 3 * * *'"
    try:
        next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        return f"a cron expression ({_FIELDS}) of days that there are, such as '0 3 * * *' ({str(error).lower()})"
    except StopIteration:
        return "a cron expression of days that there are; this one does not come in 50 years"
    return ""


@cache
def _installed() -> bool:
    return find_spec("cronsim") is not None
