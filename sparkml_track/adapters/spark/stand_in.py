"""A stand-in for all of Spark, for finding out what code asks without a JVM: it answers everything with itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

__all__ = ["StandIn", "without_session"]


class StandIn:
    """Takes every call, attribute, item, comparison and sum, and gives itself; it has no items and is true."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return self

    def _itself(self, *_: object, **__: object) -> Any:
        return self

    __call__ = __getitem__ = _itself
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __mod__ = _itself
    __and__ = __rand__ = __or__ = __ror__ = __invert__ = __neg__ = _itself
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _itself
    __enter__ = _itself

    def __exit__(self, *_: object) -> None:
        """Lets errors through."""

    def __hash__(self) -> int:
        return id(self)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __contains__(self, _: object) -> bool:
        return True

    def __int__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0

    def __index__(self) -> int:
        return 0


@contextmanager
def without_session(stand_in: StandIn) -> Iterator[None]:
    """Lets pyspark's functions make columns where there is no session: they ask the stand-in instead of a JVM."""
    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession, functions
    from pyspark.sql.udf import UserDefinedFunction

    # Called on the class, as in reduce(DataFrame.unionByName, frames), they look for a frame of Spark.
    places: list[tuple[Any, str, Any]] = [(DataFrame, name, _either(getattr(DataFrame, name))) for name in _REDUCED]
    if SparkContext._active_spark_context is None:
        # pyspark's functions look nowhere else. A session is made of a context that is there, and a function that
        # was called keeps what the JVM made of it.
        places += [
            (SparkContext, "_active_spark_context", stand_in),
            (SparkSession, "_instantiatedSession", None),
            (SparkSession, "_activeSession", None),
            (UserDefinedFunction, "__call__", stand_in._itself),
            # It imports pandas, which takes longer than all else.
            (functions, "lit", stand_in._itself),
        ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    try:
        _set(places)
        yield
    finally:
        _set(before)


_REDUCED = ("union", "unionAll", "unionByName", "join", "intersect", "subtract")


def _either(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of data frames that takes a stand-in as well."""

    @wraps(method)
    def called(frame: Any, *args: Any, **kwargs: Any) -> Any:
        return frame if isinstance(frame, StandIn) else method(frame, *args, **kwargs)

    return called


def _set(places: list[tuple[Any, str, Any]]) -> None:
    for owner, name, value in places:
        setattr(owner, name, value)
