"""What an objective imports when it is called is imported in the template, once for each host and not in each process.

Only libraries that are known to survive a fork: others are imported by the trial, as ever.
"""

from __future__ import annotations

import dis
import importlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType

__all__ = ["preload", "safe_imports"]

_SAFE = frozenset({"lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "statsmodels", "xgboost"})


def preload(objective: object) -> None:
    """Imports what the objective will; what fails there is left to the trial, which says so."""
    for name in safe_imports(objective):
        with suppress(Exception):
            importlib.import_module(name)


def safe_imports(objective: object, *others: str) -> list[str]:
    """Names of modules that the objective imports when it is called, and ``others``, of the libraries that are safe."""
    names = dict.fromkeys([*others, *_imports(objective, set())])
    return [name for name in names if name.partition(".")[0] in _SAFE]


def _imports(function: object, seen: set[int]) -> Iterator[str]:
    """Names of modules, of a function and of functions of its module that it names."""
    while isinstance(function, partial):
        function = function.func
    if not isinstance(function, FunctionType):
        inner = getattr(function, "__wrapped__", None)  # what it calls for its user
        if inner is not None and id(function) not in seen:
            seen.add(id(function))
            yield from _imports(inner, seen)
        function = vars(type(function)).get("__call__")
    if not isinstance(function, FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    for code in _codes(function.__code__):
        yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME")
        for name in code.co_names:
            other = function.__globals__.get(name)
            if isinstance(other, FunctionType) and other.__module__ == function.__module__:
                yield from _imports(other, seen)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)
