"""The points in a sweep's life that others can hang on: tests that end the driver there, progress, lineage."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

__all__ = ["Lifecycle", "LifecycleListener", "unheard"]


class Lifecycle(StrEnum):
    """In the order in which a sweep passes them; those of trials and batches come again and again."""

    PLANNED = "planned"  # the journal has the sweep, under this driver's lease
    PARENT_CREATED = "parent created"  # the store has the parent run
    PARENT_RECORDED = "parent"  # the journal knows it
    ASKED = "asked"  # a trial exists
    SUBMITTED = "submitted"  # an attempt went to the executor
    RECEIVED = "received"  # its outcome came, and nothing has it yet
    ACCEPTED = "accepted"  # the journal has it, maybe not yet on disk
    FLUSHED = "flushed"  # what was accepted is on disk
    PUBLISHED = "published"  # child runs are in the store
    CLOSING = "closing"  # all trials have ended
    PARENT_ENDED = "parent ended"  # the store has the end of the parent run
    ENDED = "ended"  # the journal knows that


#: Called when the point was reached, on the thread that reached it.
LifecycleListener = Callable[[Lifecycle], None]


def unheard(_: Lifecycle) -> None:
    """Listens to nothing."""
