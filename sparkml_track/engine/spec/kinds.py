"""What kind of value an argument is; numpy's count like Python's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

__all__ = ["as_names", "is_finite", "is_unicode", "is_whole"]


def is_unicode(text: str) -> bool:
    """Whether it can be stored: bytes of a file name that are not UTF-8 become halves of characters in Python."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_whole(value: object, least: int) -> bool:
    """Whether it is a whole number, numpy's too; bool is none."""
    return type(value) is not bool and isinstance(value, Integral) and int(value) >= least


def is_finite(value: object) -> bool:
    """Whether it is a finite real number; bool is none."""
    return type(value) is not bool and isinstance(value, Real) and math.isfinite(value)


def as_names(value: object) -> tuple[str, ...]:
    """One name or several; none of what is neither."""
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, Sequence) else ()
