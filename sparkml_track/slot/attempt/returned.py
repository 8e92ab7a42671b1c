"""What an objective may return, and how its failure is described in a few bounded words."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

__all__ = [
    "MESSAGE_LIMIT",
    "METRICS_LIMIT",
    "NAME_LIMIT",
    "BadResult",
    "clip",
    "describe_error",
    "metrics_of",
    "named_numbers",
    "number_of",
    "show",
    "whole_number",
]

MESSAGE_LIMIT = 4096
#: Metrics of one report, or returned, and characters of a name; more than a tracking store takes.
METRICS_LIMIT = 1000
NAME_LIMIT = 250
_HERE = os.path.dirname(__file__)


class BadResult(Exception):
    """The objective returned, or reported, something that is not a metric."""


def metrics_of(value: object, metric: Sequence[str]) -> dict[str, float]:
    """Turns what an objective returned into metrics.

    Args:
        value: a number, which is the value of ``metric[0]``, or a mapping of names to numbers that holds all of
            ``metric``.
        metric: the names the sweep optimises.

    Raises:
        BadResult: it is neither; names the key, what came and what is allowed.
    """
    if isinstance(value, Mapping):
        return _mapping(value, metric)
    if len(metric) > 1:
        raise BadResult(f"objective returned {show(value)}; allowed is a mapping with the metrics {', '.join(metric)}")
    return {metric[0]: number_of(value, "what the objective returned")}


def _mapping(value: Mapping[object, object], metric: Sequence[str]) -> dict[str, float]:
    missing = [name for name in metric if name not in value]
    if missing:
        got = ", ".join(map(str, list(value)[:20])) or "an empty mapping"
        way_out = "return it too, or give the sweep the metric you return"
        raise BadResult(f"objective returned no metric {missing[0]!r}, only: {got}; {way_out}")
    return named_numbers(value, "objective returned")


def named_numbers(value: Mapping[Any, object], who: str) -> dict[str, float]:
    """Metrics that a tracking store can take.

    Args:
        value: names to numbers.
        who: begins the message.

    Raises:
        BadResult: there are too many, or a name or a number is none; names the limit.
    """
    if len(value) > METRICS_LIMIT:
        raise BadResult(f"{who} {len(value)} metrics; allowed are {METRICS_LIMIT}")
    for name in value:
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT or not _is_unicode(name):
            raise BadResult(f"{who} a metric named {show(name)}; allowed are 1 to {NAME_LIMIT} characters of text")
    return {str(name): number_of(number, f"metric {name!r}") for name, number in value.items()}


def whole_number(value: object, what: str) -> int:
    """An int of 64 bits; a float that is whole will do.

    Raises:
        BadResult: it is none.
    """
    number = number_of(value, what)
    exact: object = value
    plain = int(exact) if isinstance(exact, Integral) else int(number) if number.is_integer() else None
    if plain is None or abs(plain) >= 2**63:
        raise BadResult(f"{what} is {show(value)}; allowed is a whole number of 64 bits")
    return plain


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def number_of(value: object, what: str) -> float:
    """A float of a Python, numpy or decimal number, or of an array or tensor with one element; bool is none.

    Raises:
        BadResult: it is not a number.
    """
    if type(value) is float:
        return value
    item = getattr(value, "item", None)
    plain: object = item() if callable(item) and _has_one(getattr(value, "shape", None)) else value
    if not isinstance(plain, bool) and isinstance(plain, Real | Decimal):
        try:
            return float(plain)
        except (OverflowError, ValueError):
            raise BadResult(f"{what} is too large; allowed is a number that fits a float") from None
    raise BadResult(f"{what} is {show(value)}; allowed is a number, or a mapping of metric names to numbers")


def _has_one(shape: object) -> bool:
    """Whether an array of this shape has one element."""
    return isinstance(shape, tuple) and all(size == 1 for size in shape)


def describe_error(error: BaseException) -> str:
    """The error and where it was raised, at most 4 KB, whatever the error's own methods do."""
    try:
        frames = traceback.extract_tb(error.__traceback__)
        while len(frames) > 1 and os.path.dirname(frames[0].filename) == _HERE:
            del frames[0]  # ours: how the objective came to be called
        lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line or ''}" for frame in frames[-8:]]
    except Exception:
        lines = []
    try:
        said = str(error)
    except BaseException as second:
        said = f"<no message: its __str__ raised {type(second).__name__}>"
    return clip(f"{type(error).__name__}: {clip(said, 2048)}\n" + "\n".join(lines))


def clip(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """At most ``limit`` bytes of UTF-8."""
    data = text[:limit].encode("utf-8", "replace")
    return data.decode() if len(data) <= limit else data[:limit].decode("utf-8", "ignore")


def show(value: object) -> str:
    """A short value and its type, or the type alone."""
    try:
        shown = ascii(value)[:80] if isinstance(value, str | bool | int | float | type(None)) else ""
    except Exception:
        shown = ""
    return f"{shown} ({type(value).__name__})" if shown else f"a {type(value).__name__}"
