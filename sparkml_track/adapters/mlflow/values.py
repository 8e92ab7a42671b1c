"""Metrics, params and tags as MLflow's own store keeps them."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from sparkml_track.adapters.mlflow.names import stored_name
from sparkml_track.errors import TrackingError
from sparkml_track.governance.principals import user

__all__ = ["MAX_PARAM", "MAX_TAG", "Point", "clipped", "millis", "origin_tags", "point", "quoted"]

# MLflow's own limits: mlflow/utils/validation.py. It cuts longer values without a word.
MAX_PARAM = 6000
MAX_TAG = 8000

# Floats that SQL cannot hold are written as MLflow's own store does it (sanitize_metric_value).
_LARGEST = 1.7976931348623157e308


class Point(NamedTuple):
    """One value of a metric, as stored: ``value`` is 0 where ``is_nan``; ``timestamp`` in milliseconds."""

    key: str
    value: float
    timestamp: int
    step: int
    is_nan: bool

    @property
    def number(self) -> float:
        """The value, nan included."""
        return math.nan if self.is_nan else self.value


def point(name: str, value: float, timestamp: int, step: int) -> Point:
    """One value of a metric; inf becomes the largest number and nan a flag."""
    if math.isnan(value):
        return Point(stored_name(name), 0.0, timestamp, step, True)
    return Point(stored_name(name), max(-_LARGEST, min(_LARGEST, float(value))), timestamp, step, False)


def clipped(value: object, limit: int) -> str:
    """The value as text, cut as MLflow cuts it; what no encoding takes, as of a file's name, is escaped."""
    text = str(value)
    if "\0" in text:
        text = text.replace("\0", "\\x00")  # which PostgreSQL's text does not hold
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text[:limit]


def millis(seconds: float) -> int:
    """Milliseconds since the epoch, never negative."""
    return max(0, int(seconds * 1000))


def quoted(value: str) -> str:
    """A value in a search.

    Raises:
        TrackingError: MLflow's searches cannot say it.
    """
    if "'" in value and '"' in value:
        raise TrackingError(f"MLflow cannot search for {value!r}: it has both kinds of quotes. Use another name.")
    return f'"{value}"' if "'" in value else f"'{value}'"


def origin_tags(name: str) -> dict[str, str]:
    """The tags by which MLflow's UI shows a run's name, and who made it with what."""
    return {
        "mlflow.runName": name,
        "mlflow.user": user(),
        "mlflow.source.name": sys.argv[0],
        "mlflow.source.type": "LOCAL",
    }
