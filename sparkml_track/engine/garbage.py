"""Garbage collection while a sweep runs looks at what the sweep makes, not at every module that was ever imported.

A full collection over what Spark, MLflow and pandas bring along takes about 0.2 s, during which the driver neither
hands out attempts nor answers ``should_stop()``; a sweep of a few thousand trials has several.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collecting_new_only"]


@contextmanager
def collecting_new_only() -> Iterator[None]:
    """Leaves objects that exist now out of collections until the end; a process that does so itself is left alone."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
