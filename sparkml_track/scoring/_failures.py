"""What a failed job says: the words of the Python worker, not Spark's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pyspark.errors import PySparkException

from sparkml_track.adapters.spark.errors import is_spark_error
from sparkml_track.errors import DataError, TableError
from sparkml_track.scoring import _worker

__all__ = ["said_of", "translated"]


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Says what the Python workers said, also where the tables wrapped it.

    Raises:
        DataError: a Spark job failed.
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__ if isinstance(error, TableError) else error
        if cause is None or not is_spark_error(cause):
            raise
        said = said_of(str(cause)) if isinstance(cause, PySparkException) else _said_by_java(str(cause))
        raise DataError(f"{what} failed: {said:.500}") from error


def _said_by_java(text: str) -> str:
    """The first of all causes, without the name of its class: what the others wrapped."""
    causes = [line for line in text.splitlines() if line.startswith("Caused by: ")]
    return causes[-1].partition(": ")[2].partition(": ")[2] if causes else said_of(text)


def said_of(text: str) -> str:
    """What a worker said of its own failure; else the last line of its traceback, or the first of anything."""
    for part in reversed(text.split(_worker.FAILED)[1:]):
        with suppress(ValueError):
            found = json.JSONDecoder().raw_decode(part)[0]
            return f"{found['error']}: {' '.join(found['message'].split())}"
    lines = text.splitlines()
    # Code is indented in a traceback, what was raised is not.
    raised = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception")) and line[:1].strip()]
    return (raised[-1:] or [line.strip() for line in lines] or ["no message"])[0]
