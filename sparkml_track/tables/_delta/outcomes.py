"""How a try to write ends: done, taken by another writer, or refused; and how it is tried again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deltalake.exceptions import CommitFailedError

from sparkml_track.errors import SparkmlError, TableError
from sparkml_track.tables._delta.locations import Location
from sparkml_track.tables._rows.errors import first_line, is_foreign

__all__ = ["Taken", "committed", "retried", "translated"]

_ATTEMPTS = 40
_PAUSE = 0.02  # seconds, times the attempt, times a random share: writers that met do not meet again
#: How delta-rs refuses a protocol that it cannot write.
_FEATURES = "Unsupported table features"


class Taken(Exception):
    """Another writer made this version first."""


@contextmanager
def translated(action: str, at: Location | None = None) -> Iterator[None]:
    """Translate what delta-rs, Arrow, the file system and object stores raise.

    Args:
        action: the subject of the sentence.
        at: where the table lies, None for a folder.

    Raises:
        Taken: the commit lost to another writer.
        TableError: anything else, with the first line of the cause.
    """
    try:
        yield
    except Exception as error:
        if not is_foreign(error):
            raise
        if at is not None and (known := at.failure(error)):
            raise type(known)(f"{action} failed: {known}") from None
        # Where features are in the way, another try would say the same.
        if isinstance(error, CommitFailedError) and _FEATURES not in str(error):
            raise Taken(str(error)) from error
        raise TableError(f"{action} failed: {first_line(error)}") from error


@contextmanager
def committed(action: str, at: Location, version: int, mark: str) -> Iterator[None]:
    """Translate what a commit raises. One that was made, and whose answer was lost on the way, was made.

    A client that asks again then finds its own commit in the way, and takes it for another writer's.

    Args:
        action: the subject of the sentence.
        at: where the table lies.
        version: that is made.
        mark: what the commit holds, and no other does.

    Raises:
        Taken: the commit lost to another writer.
        TableError: as ``translated``.
    """
    try:
        with translated(action, at):
            yield
    except (Taken, TableError):
        if at.certain or not _holds(at / "_delta_log" / f"{version:020d}.json", mark):
            raise


def _holds(file: Location, mark: str) -> bool:
    try:
        return mark in (file.text() or "")
    except SparkmlError:
        return False


def retried(action: str, attempt: Callable[[], int]) -> int:
    """Call ``attempt`` until no other writer is in the way.

    Raises:
        TableError: every attempt lost, which points at a disk that refuses writes rather than at other writers.
    """
    for number in range(_ATTEMPTS):
        try:
            return attempt()
        except Taken as lost:
            last = lost
            time.sleep(_PAUSE * min(number, 10) * random.random())
    raise TableError(
        f"{action} lost {_ATTEMPTS} times to other writers ({last}). Nothing was written: try again, and check that "
        "the table's folder can be written and its disk is not full"
    ) from last
