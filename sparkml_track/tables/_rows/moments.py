"""Versions of a table by time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sparkml_track.errors import TableError
from sparkml_track.tables._values import TableVersion


def version_at(name: str, history: Sequence[TableVersion], at: datetime) -> int:
    """Find the version that was the latest at a moment.

    Args:
        name: of the table.
        history: newest first.
        at: with a time zone.

    Raises:
        TableError: no time zone, or a moment before the first version that the history keeps.
    """
    if at.tzinfo is None:
        raise TableError(f"table {name}: the time {at.isoformat()} has no time zone; give it one, such as datetime.UTC")
    there = [one.version for one in history if one.time <= at.timestamp()]
    if not there:
        first = history[-1]
        raise TableError(
            f"table {name} had no version at {at.isoformat()}: its history begins with version {first.version} at "
            f"{datetime.fromtimestamp(first.time, UTC).isoformat()}"
        )
    return max(there)
