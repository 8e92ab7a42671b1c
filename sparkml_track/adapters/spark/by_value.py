"""Functions that go to Spark's Python workers themselves, so that workers need nothing of ours installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

__all__ = ["sent_by_value"]


@contextmanager
def sent_by_value(module: ModuleType) -> Iterator[None]:
    """While it lasts, Spark pickles what is defined in ``module`` whole; that module may refer to no other of ours."""
    from pyspark import cloudpickle  # takes a while, which tables without a session need not wait

    cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)  # type: ignore[no-untyped-call]
