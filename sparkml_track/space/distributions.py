"""What one number may be.

Bounds are the values themselves, as in scipy and Ray, not their logarithms as in hyperopt. A distribution is a plain
value: making a wrong one raises nothing, ``problems()`` lists what is wrong, and ``space.parse`` gathers all of it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass
from decimal import Decimal
from functools import lru_cache
from numbers import Integral, Real
from statistics import NormalDist
from typing import TypeGuard

__all__ = [
    "Distribution",
    "LogNormal",
    "LogUniform",
    "Normal",
    "QLogUniform",
    "QUniform",
    "RandInt",
    "Uniform",
    "lognormal",
    "loguniform",
    "normal",
    "qloguniform",
    "quniform",
    "randint",
    "uniform",
]

_STANDARD = NormalDist()
_TINY = 2.0**-54  # the inverse of the normal distribution has no value at 0 and 1
_MAX_INT = 2**63  # numpy's integers end here
_MAX_LOG = 700.0  # exp() of more overflows
_REACH = 9.0  # no quantile of a double lies more standard deviations away


def number(value: object) -> object:
    """Makes a plain int or float of any real number, numpy's too; anything else is handed back as it came."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a finite real number; a bool is none."""
    return isinstance(value, int | float | Real) and not isinstance(value, bool) and math.isfinite(float(value))


@dataclass(frozen=True)
class Distribution(ABC):
    """A distribution over numbers, with its inverse, through which any source of uniform numbers samples it."""

    @property
    def size(self) -> int | None:
        """How many values there are; None if they are not countable."""
        return None

    @abstractmethod
    def quantile(self, u: float) -> float:
        """The inverse of the cumulative distribution, for ``u`` in [0, 1); an int where the values are ints."""

    @abstractmethod
    def contains(self, value: object) -> bool:
        """Whether this value can come out."""

    @abstractmethod
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the arguments, one phrase each; empty if nothing is."""

    def at(self, index: int) -> float:
        """The value at ``index`` of ``size``, in rising order."""
        raise IndexError(f"{self} has no countable values, so none at {index}")

    def coerce(self, value: float) -> float:
        """The value as this distribution itself would give it: 3.0 becomes 3 where ints come out."""
        return float(value)

    @property
    def arguments(self) -> tuple[object, ...]:
        """What its function takes."""
        return astuple(self)

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True)
class Uniform(Distribution):
    """Evenly between ``low`` and ``high``."""

    low: float
    high: float

    def quantile(self, u: float) -> float:
        """Linear."""
        return min(self.low + u * (self.high - self.low), float(self.high))

    def contains(self, value: object) -> bool:
        """Both bounds included."""
        return is_number(value) and self.low <= value <= self.high

    def problems(self) -> tuple[str, ...]:
        """Bounds must be finite and in order."""
        return _bounds(self.low, self.high)


@dataclass(frozen=True)
class LogUniform(Uniform):
    """Evenly in the logarithm, between ``low`` and ``high``, both above 0."""

    def quantile(self, u: float) -> float:
        """Linear in the logarithm."""
        low, high = math.log(self.low), math.log(self.high)
        return min(max(math.exp(low + u * (high - low)), float(self.low)), float(self.high))

    def problems(self) -> tuple[str, ...]:
        """Bounds must be above 0, finite and in order."""
        return _bounds(self.low, self.high, log=True)


@dataclass(frozen=True)
class QUniform(Distribution):
    """``round(uniform(low, high) / q) * q``, kept inside the bounds: the multiples of ``q`` from low to high.

    Ints come out if ``q`` is an int. As in hyperopt, a bound that is itself a multiple has half the weight.
    """

    low: float
    high: float
    q: float

    @property
    def size(self) -> int:
        """How many multiples of q lie inside the bounds."""
        first, last = _steps(self.low, self.high, self.q)
        return last - first + 1

    def quantile(self, u: float) -> float:
        """The rounded quantile of the distribution without q."""
        return self.coerce(self._smooth().quantile(u))

    def contains(self, value: object) -> bool:
        """A multiple of q, to nine digits, inside the bounds."""
        if not is_number(value):
            return False
        near = round(value / self.q)
        first, last = _steps(self.low, self.high, self.q)
        return first <= near <= last and abs(value - near * self.q) <= 1e-9 * max(abs(value), self.q)

    def at(self, index: int) -> float:
        """The multiple at ``index``."""
        return self._multiple(_steps(self.low, self.high, self.q)[0] + index)

    def coerce(self, value: float) -> float:
        """The nearest multiple of q inside the bounds."""
        first, last = _steps(self.low, self.high, self.q)
        return self._multiple(min(max(round(value / self.q), first), last))

    def problems(self) -> tuple[str, ...]:
        """Bounds as without q; q above 0, and at least one multiple of it between the bounds."""
        found = self._smooth().problems()
        if not is_number(self.q) or self.q <= 0:
            return (*found, f"q is {self.q!r} and must be a number above 0")
        if not found and self.size < 1:
            return (f"no multiple of q = {self.q!r} lies between {self.low!r} and {self.high!r}",)
        return found

    def _smooth(self) -> Uniform:
        return Uniform(self.low, self.high)

    def _multiple(self, steps: int) -> float:
        # Decimal, so that three times 0.1 is 0.3.
        return self.q * steps if isinstance(self.q, int) else float(Decimal(repr(self.q)) * steps)


@dataclass(frozen=True)
class QLogUniform(QUniform):
    """``round(loguniform(low, high) / q) * q``, kept inside the bounds. Ints come out if ``q`` is an int."""

    def _smooth(self) -> Uniform:
        return LogUniform(self.low, self.high)


@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution; unbounded."""

    mean: float
    std: float

    def quantile(self, u: float) -> float:
        """By ``statistics.NormalDist`` (Wichura's AS241)."""
        return self.mean + self.std * _STANDARD.inv_cdf(min(max(u, _TINY), 1 - 2 * _TINY))

    def contains(self, value: object) -> bool:
        """Any finite number."""
        return is_number(value)

    def problems(self) -> tuple[str, ...]:
        """Both finite, std above 0."""
        found = () if is_number(self.mean) else (f"mean is {self.mean!r} and must be a finite number",)
        if not is_number(self.std) or self.std <= 0:
            return (*found, f"std is {self.std!r} and must be a number above 0")
        if not found and not math.isfinite(abs(self.mean) + _REACH * self.std):
            return (f"mean {self.mean!r} and std {self.std!r} overflow; give smaller ones",)
        return found


@dataclass(frozen=True)
class LogNormal(Normal):
    """``exp(normal(mean, std))``: mean and std are those **of the logarithm**, as in hyperopt and numpy."""

    def quantile(self, u: float) -> float:
        """The exponential of the normal quantile."""
        return math.exp(super().quantile(u))

    def contains(self, value: object) -> bool:
        """Any number above 0."""
        return is_number(value) and value > 0

    def problems(self) -> tuple[str, ...]:
        """As for the normal distribution, and the exponential must not overflow."""
        found = super().problems()
        if not found and abs(self.mean) + _REACH * self.std > _MAX_LOG:
            return (f"mean {self.mean!r} and std {self.std!r} are of the logarithm, and their exponential overflows",)
        return found


@dataclass(frozen=True)
class RandInt(Distribution):
    """The whole numbers from ``low`` to ``high``, high excluded, all equally likely."""

    low: int
    high: int

    @property
    def size(self) -> int:
        """``high - low``."""
        return self.high - self.low

    def quantile(self, u: float) -> int:
        """Even steps."""
        return self.at(int(u * self.size))

    def contains(self, value: object) -> bool:
        """A whole number, also as a float, inside the bounds."""
        return is_number(value) and value == int(value) and self.low <= value < self.high

    def at(self, index: int) -> int:
        """``low + index``."""
        return min(self.low + index, self.high - 1)

    def coerce(self, value: float) -> int:
        """As an int."""
        return int(value)

    def problems(self) -> tuple[str, ...]:
        """Whole numbers of at most 63 bits, in order."""
        names = (("low", self.low), ("high", self.high))
        found = tuple(f"{name} is {value!r} and must be a whole number" for name, value in names if not _whole(value))
        if found:
            return found
        found = tuple(
            f"{name} is {value!r} and needs more than 63 bits" for name, value in names if abs(value) > _MAX_INT
        )
        return found or _bounds(self.low, self.high)


def uniform(low: float, high: float) -> Uniform:
    """A float, evenly between ``low`` and ``high``."""
    return Uniform(number(low), number(high))  # type: ignore[arg-type]


def loguniform(low: float, high: float) -> LogUniform:
    """A float, evenly in its logarithm; the bounds are the values themselves and lie above 0."""
    return LogUniform(number(low), number(high))  # type: ignore[arg-type]


def quniform(low: float, high: float, q: float) -> QUniform:
    """A multiple of ``q``, evenly between ``low`` and ``high``; an int if ``q`` is an int."""
    return QUniform(number(low), number(high), number(q))  # type: ignore[arg-type]


def qloguniform(low: float, high: float, q: float) -> QLogUniform:
    """A multiple of ``q``, evenly in its logarithm between ``low`` and ``high``; an int if ``q`` is an int."""
    return QLogUniform(number(low), number(high), number(q))  # type: ignore[arg-type]


def normal(mean: float, std: float) -> Normal:
    """A float, normally distributed."""
    return Normal(number(mean), number(std))  # type: ignore[arg-type]


def lognormal(mean: float, std: float) -> LogNormal:
    """A float whose logarithm is normally distributed with this mean and standard deviation."""
    return LogNormal(number(mean), number(std))  # type: ignore[arg-type]


def randint(low: int, high: int) -> RandInt:
    """A whole number from ``low`` to ``high``, high excluded."""
    return RandInt(_to_whole(low), _to_whole(high))  # type: ignore[arg-type]


def _bounds(low: object, high: object, *, log: bool = False) -> tuple[str, ...]:
    names = (("low", low), ("high", high))
    found = tuple(f"{name} is {value!r} and must be a finite number" for name, value in names if not is_number(value))
    if found:
        return found
    assert is_number(low)
    assert is_number(high)
    if log and low <= 0:
        found = (f"low is {low!r} and must be above 0 on a logarithmic scale",)
    if not low < high:
        return (*found, f"low {low!r} must be below high {high!r}; for a single value write the value itself")
    return found if math.isfinite(high - low) else (*found, f"high - low overflows for {low!r} and {high!r}")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _to_whole(value: object) -> object:
    plain = number(value)
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


@lru_cache(maxsize=1024)
def _steps(low: float, high: float, q: float) -> tuple[int, int]:
    """The first and the last n with ``low <= n * q <= high``, exact for decimal input."""
    step = Decimal(repr(q))
    return math.ceil(Decimal(repr(low)) / step), math.floor(Decimal(repr(high)) / step)
