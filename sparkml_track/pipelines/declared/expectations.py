"""Rules that rows must meet, above or below the decorator of their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sparkml_track.errors import InvalidInput
from sparkml_track.pipelines.declared.registry import add_rules, place_of_caller
from sparkml_track.pipelines.declared.values import Action, Expectation

__all__ = [
    "expect",
    "expect_all",
    "expect_all_or_drop",
    "expect_all_or_fail",
    "expect_all_or_quarantine",
    "expect_or_drop",
    "expect_or_fail",
    "expect_or_quarantine",
]

Function = TypeVar("Function", bound=Callable[[], Any])
_Decorator = Callable[[Function], Function]


def expect(name: str, condition: str) -> _Decorator[Any]:
    """Counts the rows that do not meet a condition; they stay.

    Args:
        name: of the rule.
        condition: in Spark's SQL; a row for which it is false or null does not meet it.
    """
    return _decorator({name: condition}, "warn")


def expect_or_drop(name: str, condition: str) -> _Decorator[Any]:
    """Leaves rows out that do not meet a condition; arguments as of ``expect``."""
    return _decorator({name: condition}, "drop")


def expect_or_fail(name: str, condition: str) -> _Decorator[Any]:
    """Writes nothing if a row does not meet a condition; arguments as of ``expect``."""
    return _decorator({name: condition}, "fail")


def expect_or_quarantine(name: str, condition: str) -> _Decorator[Any]:
    """Puts rows that do not meet a condition into ``<table>_quarantine``; arguments as of ``expect``."""
    return _decorator({name: condition}, "quarantine")


def expect_all(expectations: Mapping[str, str]) -> _Decorator[Any]:
    """``expect`` for each condition, by name."""
    return _decorator(expectations, "warn")


def expect_all_or_drop(expectations: Mapping[str, str]) -> _Decorator[Any]:
    """``expect_or_drop`` for each condition, by name."""
    return _decorator(expectations, "drop")


def expect_all_or_fail(expectations: Mapping[str, str]) -> _Decorator[Any]:
    """``expect_or_fail`` for each condition, by name."""
    return _decorator(expectations, "fail")


def expect_all_or_quarantine(expectations: Mapping[str, str]) -> _Decorator[Any]:
    """``expect_or_quarantine`` for each condition, by name."""
    return _decorator(expectations, "quarantine")


def _decorator(given: object, action: Action) -> _Decorator[Any]:
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{place_of_caller()}: expectations are a mapping of names to conditions, not {given!r}")
    rules = [Expectation(name, condition, action) for name, condition in given.items()]
    for rule in rules:
        texts: tuple[object, ...] = (rule.name, rule.condition)
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise InvalidInput(
                f"{place_of_caller()}: an expectation is a name and a condition in SQL, such as 'positive' and "
                f"'amount > 0'; this one is {rule.name!r}, {rule.condition!r}"
            )

    def decorate(function: Function) -> Function:
        add_rules(function, rules)
        return function

    return decorate
