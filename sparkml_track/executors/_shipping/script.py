"""Pickles what a user's script defines, so that slots have it as a forked process would: as the script's own names.

cloudpickle takes functions and classes of ``__main__`` apart. What it leaves out comes back as a name that slots do not
have: functions with a cache or with several implementations, and pickles that an objective makes itself of objects
whose class the script defines (``joblib.dump``, ``multiprocessing.Pool``).
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

import cloudpickle
from typing_extensions import override

__all__ = ["dumps_work"]

_Reduced = tuple[Callable[..., object], tuple[object, ...]]


def dumps_work(fields: dict[str, object]) -> bytes:
    """The pickle of ``fields`` and, under "main", of all names of the script that are reached from them."""
    buffer = io.BytesIO()
    pickler = _ScriptPickler(buffer)
    # Last: by then all that is reached has been seen.
    pickler.dump({**fields, "main": pickler.main})
    return buffer.getvalue()


class _ScriptPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Remembers what it takes apart of ``__main__``."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.main: dict[str, object] = {}

    @override
    def reducer_override(self, obj: Any) -> Any:
        reduced = _reduce_wrapper(obj)
        if reduced is None:
            reduced = super().reducer_override(obj)
        if reduced is not NotImplemented and getattr(obj, "__module__", "") == "__main__":
            name = getattr(obj, "__name__", "")
            if vars(sys.modules["__main__"]).get(name) is obj:
                self.main[name] = obj
        return reduced


def _reduce_wrapper(obj: Any) -> _Reduced | None:
    """How a function is made again that functools wraps; None for all else, and where slots can import it."""
    cached = isinstance(obj, functools._lru_cache_wrapper)  # noqa: SLF001  # the type has no public name
    if not cached and not (isinstance(obj, FunctionType) and {"registry", "dispatch", "register"} <= vars(obj).keys()):
        return None
    if _is_imported(obj):
        return None
    remade_cached, remade_dispatch = _makers()
    if cached:
        return remade_cached, (obj.__wrapped__, obj.cache_parameters())
    return remade_dispatch, (obj.registry[object], [each for each in obj.registry.items() if each[0] is not object])


def _is_imported(obj: Any) -> bool:
    """Whether slots find it by its name."""
    by_value, module = cloudpickle.list_registry_pickle_by_value(), str(obj.__module__)
    parents = {module[:end] for end, letter in enumerate(module + ".") if letter == "."}
    found: Any = sys.modules.get(module)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return module != "__main__" and not parents & by_value and found is obj


def _makers() -> tuple[Callable[..., object], Callable[..., object]]:
    # Nested: cloudpickle sends these whole, so slots need nothing of ours.
    def remade_cached(function: Callable[..., object], parameters: dict[str, Any]) -> object:
        import functools

        return functools.lru_cache(**parameters)(function)

    def remade_dispatch(function: Callable[..., object], others: list[tuple[type, Callable[..., object]]]) -> object:
        import functools

        made = functools.singledispatch(function)
        for kind, implementation in others:
            made.register(kind, implementation)
        return made

    return remade_cached, remade_dispatch
