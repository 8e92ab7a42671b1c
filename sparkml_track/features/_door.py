"""Spark's errors, as features tell them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from sparkml_track.errors import DataError


@contextmanager
def spark_door(action: str) -> Iterator[None]:
    """Translate what Spark raises while ``action`` is done.

    Raises:
        DataError: with the first line of Spark's message.
    """
    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{action} failed in Spark: {text[0][:500]}") from error
