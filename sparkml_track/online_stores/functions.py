"""Functions that models carry: by name where they can be imported, with their code where that is allowed.

A name runs only what is installed here already, and the digest of its source says whether that is what the model was
trained with. Code that comes with a model runs whatever the model's files hold.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

import cloudpickle

from sparkml_track.carried import CarriedFunction
from sparkml_track.errors import DataError, SpecError
from sparkml_track.online_stores.on_demand import Computed

__all__ = ["carry", "loaded"]


def carry(function: Callable[..., Any], bindings: Mapping[str, str], output: str, kind: str) -> CarriedFunction:
    """Take a function along.

    Args:
        function: a plain Python function.
        bindings: parameter to column.
        output: the name of what it gives.
        kind: its type, in Spark's SQL.

    Raises:
        SpecError: it is not a plain function, or takes other parameters, or cannot be pickled.
    """
    if not inspect.isfunction(function):
        raise SpecError(f"the function of {output!r} must be a plain Python function, got {function!r:.80}: wrap it")
    try:
        inspect.signature(function).bind(**bindings)
    except TypeError as error:
        raise SpecError(
            f"{function.__qualname__} of {output!r} cannot be called with {', '.join(bindings) or 'nothing'} ({error})"
        ) from error
    reference = f"{function.__module__}:{function.__qualname__}"
    return CarriedFunction(output, kind, dict(bindings), reference, _digest(function), _pickled(function, output))


def loaded(carried: CarriedFunction, *, allow_code: bool = False) -> Computed:
    """Find a carried function here.

    Args:
        carried: by a model.
        allow_code: whether its own code may be run where the function cannot be imported, or is another one.

    Raises:
        DataError: it cannot be had.
    """
    found, problem = _imported(carried)
    if found is None and allow_code:
        # Asked for by whoever trusts all who can write to the registry.
        found, problem = cloudpickle.loads(base64.b64decode(carried.code)), ""
    if found is None:
        raise DataError(
            f"the function {carried.reference} of the feature {carried.output!r} {problem}: make it importable as it "
            "was when the model was logged; or, where you trust all who can write to the registry, let the code that "
            "came with the model run by allow_code=True"
        )
    return Computed(found, carried.bindings, carried.output)


def _imported(carried: CarriedFunction) -> tuple[Callable[..., Any] | None, str]:
    module, _, name = carried.reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        return None, f"cannot be imported here ({error})"
    if not inspect.isfunction(found) or _digest(found) != carried.digest:
        return None, "is another one here than when the model was logged"
    return found, ""


def _digest(function: Callable[..., Any]) -> str:
    """Of the source; "" where nobody has it, as at a prompt."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(source.encode()).hexdigest()


def _pickled(function: Callable[..., Any], output: str) -> str:
    module = sys.modules.get(function.__module__)
    try:
        with _by_value(module) if module and function.__module__ != "__main__" else nullcontext():
            return base64.b64encode(cloudpickle.dumps(function)).decode()
    # Whatever an object raises that cannot be taken apart.
    except Exception as error:
        raise SpecError(
            f"the function of {output!r} cannot be carried with a model ({type(error).__name__}: {error!s:.200}): it "
            "may use modules, plain values and other functions, not open files, locks or sessions"
        ) from error


@contextmanager
def _by_value(module: ModuleType) -> Iterator[None]:
    """While it lasts, what is defined in a module is pickled whole."""
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)
