"""Numbers, times and values as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

__all__ = ["clock_time", "duration", "number", "short_text", "told_apart"]


def duration(seconds: float) -> str:
    """Such as "4.2 s", "3 min 5 s" or "2 h 10 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def clock_time(seconds: float) -> str:
    """A time since the epoch, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def number(value: float) -> str:
    """Six digits of it."""
    return f"{value:.6g}"


def short_text(value: object, most: int = 80) -> str:
    """A value in at most so many characters."""
    text = number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def told_apart(texts: Iterable[str]) -> list[str]:
    """The texts, those that are alike numbered: figures take two places of one name for one place."""
    found: dict[str, None] = {}
    for text in texts:
        count, name = 1, text
        while name in found:
            count += 1
            name = f"{text} ({count})"
        found[name] = None
    return list(found)
