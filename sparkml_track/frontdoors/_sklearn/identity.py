"""What an estimator and a scoring are, the same in each process: names, parameters and arrays, without addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["described"]


def described(value: Any) -> object:
    """Plain values, and arrays, of what this is made of."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, Mapping):
        return {str(name): described(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [described(each) for each in value]
    if hasattr(value, "get_params") and not isinstance(value, type):
        return [_name(type(value)), {name: described(each) for name, each in value.get_params(deep=False).items()}]
    if type(value).__module__.partition(".")[0] in ("numpy", "scipy", "pandas"):
        return value
    return _name(value if hasattr(value, "__qualname__") else type(value))


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{value.__qualname__}"
