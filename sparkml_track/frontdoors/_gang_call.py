"""What calls the user's function in each rank of a gang, and what it gives back.

Slots import this module or get it by value: at the top it imports the standard library alone.
"""

from __future__ import annotations

import inspect
import os
import pickle
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial, update_wrapper
from numbers import Real
from typing import Any

__all__ = ["SECONDS", "VALUE", "Call", "takes_trial"]

#: Metrics of a call: how long the first rank took, and what it returned, if that is a number.
SECONDS, VALUE = "seconds", "value"
#: Metrics that are taken of a mapping, characters of their names, and of a traceback.
_METRICS, _NAME, _TRACE = 500, 250, 20_000


class Call:
    """An objective: calls a function with its arguments. It has the function's name and source.

    Args:
        fn: the user's; one with a parameter ``trial`` gets the trial by that name.
        args: for it.
    """

    def __init__(self, fn: Callable[..., Any], args: Sequence[object]) -> None:
        self._fn, self._args, self._wants = fn, tuple(args), takes_trial(fn)
        update_wrapper(self, _inner(fn), updated=())
        parameter = inspect.Parameter("trial", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.__signature__ = inspect.Signature([parameter])

    def __call__(self, trial: Any) -> dict[str, float]:
        began = time.perf_counter()
        try:
            with _alone() if trial.world_size == 1 else nullcontext():
                value = self._fn(*self._args, **({"trial": trial} if self._wants else {}))
        except Exception as error:
            trial.give(_raised(error))
            raise
        if trial.rank == 0:
            trial.give(_pickled(value))
        return {**_metrics(value), SECONDS: time.perf_counter() - began}


@contextmanager
def _alone() -> Iterator[None]:
    """The environment of the only rank there is: that of a gang comes from its executor."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        mine = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    mine |= dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK"), "0")
    mine |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE"), "1")
    before = {name: os.environ.get(name) for name in mine}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def takes_trial(fn: Callable[..., Any]) -> bool:
    """Whether a function wants the trial."""
    try:
        found = inspect.signature(fn).parameters.get("trial")
    except (TypeError, ValueError):  # built in C, without a signature
        return False
    return found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


def _inner(fn: Callable[..., Any]) -> Callable[..., Any]:
    return _inner(fn.func) if isinstance(fn, partial) else fn


def _metrics(value: object) -> dict[str, float]:
    """What of it is a number under a name that a tracking store takes."""
    named = value if isinstance(value, Mapping) else {VALUE: value}
    numbers = {name: number for name, one in named.items() if _is_name(name) and (number := _number(one)) is not None}
    return dict(list(numbers.items())[:_METRICS])


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _NAME and name.isprintable()


def _number(value: Any) -> float | None:
    """None of what is not one; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _pickled(value: object) -> bytes:
    import cloudpickle

    data: bytes = cloudpickle.dumps(("returned", value))
    return data


def _raised(error: Exception) -> bytes:
    """The exception and its traceback; the latter alone where the exception does not survive."""
    text = "".join(traceback.format_exception(error))[-_TRACE:]
    try:
        import cloudpickle

        data: bytes = cloudpickle.dumps(("raised", error.with_traceback(None), text))
        pickle.loads(data)  # noqa: S301 - it was made here
    except Exception:  # noqa: BLE001 - it is of the user's classes
        return pickle.dumps(("raised", None, text))
    return data
