"""What is kept of the values in one window, so that each aggregate can be told at any moment. Sent by value.

Every part takes a value and gives it back exactly: nothing is left of what has gone. Sums are whole numbers: of doubles
in units of the smallest one, of decimals in units of their last digit.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from sparkml_track.features.aggregation.ranked import Ranked

__all__ = ["Distinct", "Latest", "Ordered", "Sums"]

#: The smallest double is two to the power of minus this.
_SMALLEST = 1074


class Sums:
    """Sum, mean and standard deviation.

    Args:
        kind: "whole", "floating" or "decimal".
        scale: digits behind the point of a decimal.
        squares: whether a standard deviation is wanted.
    """

    __slots__ = ("_count", "_inf", "_kind", "_nan", "_scale", "_squares", "_sum", "_unit", "_wants_squares")

    def __init__(self, kind: str, scale: int, squares: bool) -> None:
        self._kind, self._scale, self._wants_squares = kind, scale, squares
        self._unit = 1 << _SMALLEST if kind == "floating" else 10**scale
        self._count = self._sum = self._squares = self._nan = 0
        self._inf = [0, 0]

    def add(self, value: Any, order: object = None) -> None:  # noqa: ARG002
        """Takes a value."""
        self._change(value, 1)

    def remove(self, value: Any, order: object = None) -> None:  # noqa: ARG002
        """Takes it away again."""
        self._change(value, -1)

    def _change(self, value: Any, sign: int) -> None:
        self._count += sign
        if self._kind == "whole":
            number = int(value)
        elif self._kind == "decimal":
            above, below = value.as_integer_ratio()
            number = above * (self._unit // below)
        elif math.isfinite(value):
            above, below = value.as_integer_ratio()
            number = above << (_SMALLEST - below.bit_length() + 1)
        else:
            self._odd(value, sign)
            return
        self._sum += sign * number
        if self._wants_squares:
            self._squares += sign * number * number

    def _odd(self, value: float, sign: int) -> None:
        if math.isnan(value):
            self._nan += sign
        else:
            self._inf[value > 0] += sign

    @property
    def _limit(self) -> float | None:
        """What nan and infinities make of every sum."""
        if self._nan or all(self._inf):
            return math.nan
        return math.inf if self._inf[1] else -math.inf if self._inf[0] else None

    def total(self) -> Any:
        """The sum, None without a value."""
        if not self._count:
            return None
        if self._kind == "whole":
            return self._sum
        if self._kind == "decimal":
            return Decimal(f"{self._sum}E-{self._scale}")
        return _ratio(self._sum, self._unit) if self._limit is None else self._limit

    def mean(self) -> float | None:
        """None without a value."""
        if not self._count:
            return None
        return _ratio(self._sum, self._count * self._unit) if self._limit is None else self._limit

    def std(self) -> float | None:
        """Of a sample; None for less than two values."""
        if self._count < 2:
            return None
        if self._limit is not None:
            return math.nan
        above = self._count * self._squares - self._sum * self._sum
        return _root(above, self._count * (self._count - 1) * self._unit * self._unit)


def _ratio(above: int, below: int) -> float:
    """A fraction as the nearest double."""
    try:
        return above / below
    except OverflowError:
        return math.inf if above > 0 else -math.inf


def _root(above: int, below: int) -> float:
    """The square root of a fraction, which itself may be too large or too small for a double."""
    if not above:
        return 0.0
    half = (above.bit_length() - below.bit_length()) // 2
    moved = above / (below << 2 * half) if half > 0 else (above << -2 * half) / below
    try:
        return math.ldexp(math.sqrt(moved), half)
    except OverflowError:
        return math.inf


class Ordered:
    """Least, greatest and quantiles; nan is above all numbers."""

    __slots__ = ("_nan", "_ranked")

    def __init__(self) -> None:
        self._ranked = Ranked()
        self._nan = 0

    def add(self, value: Any, order: object = None) -> None:  # noqa: ARG002
        """Takes a value."""
        if value != value:
            self._nan += 1
        else:
            self._ranked.add(value)

    def remove(self, value: Any, order: object = None) -> None:  # noqa: ARG002
        """Takes it away again."""
        if value != value:
            self._nan -= 1
        else:
            self._ranked.remove(value)

    def at(self, number: int) -> Any:
        """The value at a place in the order, from the end where it is negative; None without a value."""
        size = self._ranked.size + self._nan
        if not size:
            return None
        number = number if number >= 0 else size + number
        return self._ranked[number] if number < self._ranked.size else math.nan

    def quantile(self, share: float) -> float | None:
        """Between the two nearest values; None without a value."""
        size = self._ranked.size + self._nan
        if not size:
            return None
        place = share * (size - 1)
        low, high = float(self.at(math.floor(place))), float(self.at(math.ceil(place)))
        part = place - math.floor(place)
        if low == high or not part:
            return low
        # From the nearer side, as numpy does: at the ends it is the value itself.
        return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part


class Distinct:
    """How many different values."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Any, int] = {}

    def add(self, value: Any, order: object = None) -> None:  # noqa: ARG002
        """Takes a value."""
        value = math.nan if value != value else value
        self._counts[value] = self._counts.get(value, 0) + 1

    def remove(self, value: Any, order: object = None) -> None:  # noqa: ARG002
        """Takes it away again."""
        value = math.nan if value != value else value
        left = self._counts[value] - 1
        if left:
            self._counts[value] = left
        else:
            del self._counts[value]

    def number(self) -> int:
        """How many there are."""
        return len(self._counts)


class Latest:
    """The value of the latest event."""

    __slots__ = ("_ranked",)

    def __init__(self) -> None:
        self._ranked = Ranked()

    def add(self, value: Any, order: tuple[int, int]) -> None:
        """Takes a value of an event that happened, and was known, at these times."""
        self._ranked.add(_placed(value, order))

    def remove(self, value: Any, order: tuple[int, int]) -> None:
        """Takes it away again."""
        self._ranked.remove(_placed(value, order))

    def value(self) -> Any:
        """None without a value."""
        if not self._ranked.size:
            return None
        *_, is_nan, value = self._ranked[self._ranked.size - 1]
        return math.nan if is_nan else value


def _placed(value: Any, order: tuple[int, int]) -> tuple[Any, ...]:
    is_nan = value != value
    return (*order, is_nan, 0.0 if is_nan else value)
