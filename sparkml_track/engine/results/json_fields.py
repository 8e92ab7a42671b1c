"""Fields of a JSON object, with their types checked. What is wrong is told by the name of the field."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "flag",
    "items",
    "mapping",
    "metrics",
    "number",
    "numbers",
    "optional_text",
    "optional_whole",
    "text",
    "texts",
    "whole",
    "wholes",
]

Body = Mapping[str, object]


def whole(body: Body, name: str) -> int:
    """A whole number."""
    return _whole(_value(body, name), name)


def number(body: Body, name: str) -> float:
    """A number; nan and infinite ones are allowed."""
    return _number(_value(body, name), name)


def text(body: Body, name: str) -> str:
    """Text."""
    return _text(_value(body, name), name)


def flag(body: Body, name: str) -> bool:
    """Yes or no."""
    value = _value(body, name)
    if isinstance(value, bool):
        return value
    raise _wrong(name, value, "true or false")


def mapping(body: Body, name: str) -> dict[str, object]:
    """An object of whatever is in it."""
    value = _value(body, name)
    if isinstance(value, dict):
        return value
    raise _wrong(name, value, "a mapping")


def metrics(body: Body, name: str) -> dict[str, float]:
    """Names to numbers."""
    return {key: _number(value, name) for key, value in mapping(body, name).items()}


def items(body: Body, name: str) -> list[object]:
    """A list of whatever is in it."""
    value = _value(body, name)
    if isinstance(value, list):
        return value
    raise _wrong(name, value, "a list")


def wholes(body: Body, name: str) -> tuple[int, ...]:
    """Whole numbers."""
    return tuple([_whole(value, name) for value in items(body, name)])


def numbers(body: Body, name: str) -> tuple[float, ...]:
    """Numbers."""
    return tuple([_number(value, name) for value in items(body, name)])


def texts(body: Body, name: str) -> tuple[str, ...]:
    """Several texts."""
    return tuple([_text(value, name) for value in items(body, name)])


def optional_whole(body: Body, name: str) -> int | None:
    """A whole number, None if there is none."""
    return None if body.get(name) is None else whole(body, name)


def optional_text(body: Body, name: str) -> str | None:
    """Text, None if there is none."""
    return None if body.get(name) is None else text(body, name)


def _value(body: Body, name: str) -> object:
    try:
        return body[name]
    except (KeyError, TypeError):  # what should be an object may be anything
        raise ValueError(f"{name} is missing") from None


def _whole(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _wrong(name, value, "a whole number")


def _number(value: object, name: str) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise _wrong(name, value, "a number")


def _text(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    raise _wrong(name, value, "text")


def _wrong(name: str, value: object, allowed: str) -> ValueError:
    return ValueError(f"{name} is {value!r:.40}; allowed is {allowed}")
