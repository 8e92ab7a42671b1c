"""Windows over events: over what stretch of time a feature is taken, and how its column is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from sparkml_track.features.rolling import parse_window

__all__ = ["ExpandingWindow", "RollingWindow", "SlidingWindow", "TumblingWindow", "Window", "read_window"]


@dataclass(frozen=True, slots=True)
class _Lasting:
    """A window of a length."""

    length: str

    @property
    def long(self) -> timedelta:
        """The length.

        Raises:
            DataError: the text is not one.
        """
        return parse_window(self.length)


@dataclass(frozen=True, slots=True)
class RollingWindow(_Lasting):
    """What happened in (t - length, t]; it moves with every instant t.

    Attributes:
        length: elapsed time, like "7d", "12h", "30m", "45s".
    """

    @property
    def label(self) -> str:
        """What stands behind the name of a feature."""
        return self.length


@dataclass(frozen=True, slots=True)
class SlidingWindow(_Lasting):
    """What happened in [end - length, end), where ``end`` is the last multiple of ``every`` before or at t.

    Attributes:
        length: elapsed time, like "7d".
        every: how far apart the ends are, like "1d". Ends are counted from the beginning of 1970 in UTC.
        offset: moves the ends: five hours for days that end at midnight five hours west of Greenwich.
    """

    every: str
    offset: timedelta = timedelta()

    @property
    def label(self) -> str:
        """What stands behind the name of a feature."""
        return f"{self.length}_every_{self.every}"

    @property
    def step(self) -> timedelta:
        """How far apart the ends are.

        Raises:
            DataError: the text is not a length.
        """
        return parse_window(self.every)


@dataclass(frozen=True, slots=True)
class TumblingWindow(_Lasting):
    """The last whole stretch that has ended: a sliding window whose ends are as far apart as it is long.

    Attributes:
        length: elapsed time, like "1d".
        offset: as for ``SlidingWindow``.
    """

    offset: timedelta = timedelta()

    @property
    def label(self) -> str:
        """What stands behind the name of a feature."""
        return f"last_{self.length}"

    @property
    def step(self) -> timedelta:
        """How far apart the ends are."""
        return self.long


@dataclass(frozen=True, slots=True)
class ExpandingWindow:
    """Everything until t."""

    @property
    def label(self) -> str:
        """What stands behind the name of a feature."""
        return "ever"


Window: TypeAlias = RollingWindow | SlidingWindow | TumblingWindow | ExpandingWindow


def read_window(given: Window | str) -> Window:
    """A window; a text like "7d" is the length of a rolling one.

    Raises:
        DataError: a length that is not one.
    """
    window = RollingWindow(given) if isinstance(given, str) else given
    if not isinstance(window, ExpandingWindow):
        parse_window(window.length)
    if isinstance(window, SlidingWindow):
        parse_window(window.every)
    return window
