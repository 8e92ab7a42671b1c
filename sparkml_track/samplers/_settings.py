"""Checks of samplers' options."""

from __future__ import annotations

from sparkml_track.errors import SpecError

__all__ = ["whole"]


def whole(sampler: str, option: str, value: object, low: int) -> int:
    """A whole number of at least ``low``, or a ``SpecError`` that names the option."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= low:
        return value
    raise SpecError(f"option {option!r} of sampler {sampler!r} is {value!r}; allowed: whole numbers from {low}")
