"""Fields of a JSON object, with their types checked. Errors name the field that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "flag",
    "items",
    "mapping",
    "metrics",
    "number",
    "numbers",
    "optional_number",
    "optional_text",
    "optional_whole",
    "row",
    "text",
    "texts",
    "whole",
    "wholes",
]

Body = Mapping[str, object]

# Those of many records first ask for the type that is nearly always there.


def whole(body: Body, name: str) -> int:
    """A whole number."""
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(body, name, "a whole number")


def number(body: Body, name: str) -> float:
    """A number; nan and infinite ones are allowed."""
    value = body.get(name)
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise _wrong(body, name, "a number")


def text(body: Body, name: str) -> str:
    """Text."""
    value = body.get(name)
    if isinstance(value, str):
        return value
    raise _wrong(body, name, "text")


def flag(body: Body, name: str) -> bool:
    """Yes or no."""
    value = body.get(name)
    if isinstance(value, bool):
        return value
    raise _wrong(body, name, "true or false")


def mapping(body: Body, name: str) -> dict[str, object]:
    """An object of whatever is in it."""
    value = body.get(name)
    if isinstance(value, dict):
        return value
    raise _wrong(body, name, "a mapping")


def items(body: Body, name: str) -> list[object]:
    """A list of whatever is in it."""
    value = body.get(name)
    if isinstance(value, list):
        return value
    raise _wrong(body, name, "a list")


def metrics(body: Body, name: str) -> dict[str, float]:
    """Names to numbers."""
    inside = mapping(body, name)
    return {each: number(inside, each) for each in inside}


def wholes(body: Body, name: str) -> tuple[int, ...]:
    """Whole numbers."""
    return tuple([whole({name: value}, name) for value in items(body, name)])


def numbers(body: Body, name: str) -> tuple[float, ...]:
    """Numbers."""
    return tuple([number({name: value}, name) for value in items(body, name)])


def texts(body: Body, name: str) -> tuple[str, ...]:
    """Several texts."""
    return tuple([text({name: value}, name) for value in items(body, name)])


def row(value: object, name: str, kinds: Sequence[type]) -> list[Any]:
    """A list of values of these types; a whole number is a float, too."""
    if not isinstance(value, list) or len(value) != len(kinds):
        raise ValueError(f"{name} has {value!r:.40}; allowed is a list of {len(kinds)} values")
    for one, kind in zip(value, kinds, strict=True):
        if isinstance(one, bool) or not isinstance(one, (float, int) if kind is float else kind):
            raise ValueError(f"{name} has {one!r:.40}; allowed is a {kind.__name__}")
    return [float(one) if kind is float else one for one, kind in zip(value, kinds, strict=True)]


def optional_whole(body: Body, name: str) -> int | None:
    """A whole number, None if there is none."""
    return None if body.get(name) is None else whole(body, name)


def optional_number(body: Body, name: str) -> float | None:
    """A number, None if there is none."""
    return None if body.get(name) is None else number(body, name)


def optional_text(body: Body, name: str) -> str | None:
    """Text, None if there is none."""
    return None if body.get(name) is None else text(body, name)


def _wrong(body: Body, name: str, allowed: str) -> ValueError:
    if name not in body:
        return ValueError(f"{name} is missing")
    return ValueError(f"{name} is {body[name]!r:.40}; allowed is {allowed}")
