"""The records of a sweep to and from journals, which know kinds and bodies alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sparkml_track.engine.records.codec import decode, encode
from sparkml_track.engine.records.types import JournalRecord, Plan
from sparkml_track.errors import JournalError
from sparkml_track.journals import Record

__all__ = ["plan_of", "read_record", "read_records", "unreadable", "written"]


def written(record: JournalRecord) -> Record:
    """A record as journals take it."""
    return Record(*encode(record))


def read_record(record: Record) -> JournalRecord | None:
    """A record that a journal gave; None for kinds of later releases.

    Raises:
        JournalError: it is of a known kind and cannot be read.
    """
    try:
        return decode(record.kind, record.body)
    except ValueError as error:
        raise unreadable(str(error)) from error


def read_records(records: Iterable[Record]) -> Iterator[JournalRecord]:
    """The records that a journal gave, without kinds of later releases.

    Raises:
        JournalError: one is of a known kind and cannot be read.
    """
    for each in records:
        record = read_record(each)
        if record is not None:
            yield record


def plan_of(records: Iterable[Record]) -> Plan | None:
    """The plan that a journal begins with; None if its first driver died before it was durable.

    Raises:
        JournalError: it cannot be read.
    """
    for first in records:
        record = read_record(first)
        return record if isinstance(record, Plan) else None
    return None


def unreadable(what: str) -> JournalError:
    """Says what cannot be read, and what a person can do."""
    return JournalError(f"{what}; open the sweep with the release that wrote it, or start anew with resume='never'")
