"""Spark's errors, as features tell them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sparkml_track.adapters.spark.errors import translated
from sparkml_track.errors import DataError


@contextmanager
def spark_door(action: str) -> Iterator[None]:
    """Translate what Spark raises while ``action`` is done.

    Raises:
        DataError: with the first line of Spark's message.
    """
    with translated(action, DataError):
        yield
