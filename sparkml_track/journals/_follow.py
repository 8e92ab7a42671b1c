"""What was appended to a journal since the last look: for who looks again and again, and has to be quick.

A place in a journal is the last line that was read. The next look begins there: it reads that line once more, so that a
journal that was cut back or brought back from a copy is noticed, and what comes after it. What counts is what ``read``
would give; where that no longer begins with what was read before, the reader starts over.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from zlib import crc32

from sparkml_track.errors import JournalError
from sparkml_track.journals._base import Record
from sparkml_track.journals._chain import Link, follows_of, headed
from sparkml_track.journals._lines import damaged, decode, good_length, good_lines, only_torn
from sparkml_track.journals._store import SegmentName, Store

__all__ = ["Appended", "Place", "first_record", "follow"]

# Records are given so many bytes at a time at least, where there are more.
_BATCH = 8 << 20
# The first record is a plan, which is smaller.
_PLAN = 256 << 10


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a journal was read. Opaque, and only good for the sweep that it is of.

    Attributes:
        segment: in which the last line that was read lies.
        offset: where that line begins.
        end: where it ends.
        number: of the line.
        line: its checksum; of another journal under the same name it is another one.
    """

    segment: SegmentName
    offset: int
    end: int
    number: int
    line: int = 0


@dataclass(frozen=True, slots=True)
class Appended:
    """Records that were appended.

    Attributes:
        records: kind and body of each, oldest first, as they were decoded: a pair in a list each.
        place: after them, to go on from.
        anew: they are the first of the journal; whatever was read before does not count.
    """

    records: Sequence[Sequence[object]]
    place: Place
    anew: bool


def follow(store: Store, sweep: str, since: Place | None) -> Iterator[Appended]:
    """What was appended after a place, in portions.

    Args:
        store: of the journal.
        sweep: its sweep.
        since: where the last look ended; None for the beginning.

    Raises:
        JournalError: a segment is damaged, missing, or of a newer format.
    """
    links = _links(store, sweep, since)
    if since is not None and (not links or not _goes_on(store, links[0], since)):
        since, links = None, _links(store, sweep, None)
    anew, found, size = since is None, list[Sequence[object]](), 0
    last = links[-1] if links else None
    for link in links:
        portion, place = _portion(store, link, since, is_last=link is last)
        found, size, since = found + portion, size + place.end, place
        if size >= _BATCH or link is last:
            if found or anew:
                yield Appended(found, place, anew)
            anew, found, size = False, [], 0


def first_record(store: Store, sweep: str) -> Record | None:
    """The oldest record, at the cost of reading some headers; None if there is none.

    Raises:
        JournalError: as ``follow``, as far as it looks.
    """
    for link in _links(store, sweep, None):
        length = None if link.length < 0 else link.length
        for limit in (min(length or _PLAN, _PLAN), length):
            good = islice(good_lines(store.read(link.name, limit)), 1, 2)
            if line := next(good, None):
                return Record(*decode(line.payload))
    return None


def _links(store: Store, sweep: str, since: Place | None) -> list[Link]:
    """The segments that count from a place on, oldest first; none if its segment is not among them."""
    for name in sorted(store.names(), reverse=True):
        if since is not None and name == since.segment:
            return [Link(name, -1)]
        if headed(store, name):
            return _back(store, sweep, name, since)
        good_length(store.read(name), f"{store.place}/{name}")
    return []


def _back(store: Store, sweep: str, last: SegmentName, since: Place | None) -> list[Link]:
    links = [Link(last, -1)]
    while (before := follows_of(store, links[-1].name, sweep)) is not None:
        links.append(before)
        if since is not None and before.name == since.segment:
            return links[::-1]
    return links[::-1] if since is None else []


def _goes_on(store: Store, link: Link, since: Place) -> bool:
    """Whether the line that was read last is still there, and counts."""
    if link.name != since.segment or 0 <= link.length < since.end:
        return False
    line = store.read(link.name, since.end - since.offset, since.offset)
    is_same = len(line) == since.end - since.offset and crc32(line) == since.line
    return is_same and _payload(line[:-1], since.number) is not None


def _portion(store: Store, link: Link, since: Place | None, *, is_last: bool) -> tuple[list[Sequence[object]], Place]:
    """The records of one segment after a place."""
    if since is None or since.segment != link.name:
        since = Place(link.name, 0, 0, -1)
    data = store.read(link.name, None if link.length < 0 else link.length - since.end, since.end)
    payloads, place = _good(data, since)
    rest = data[place.end - since.end :]
    if rest and (not is_last or not only_torn(rest, _group(store, place))):
        _refuse(store, link.name, place)
    if 0 <= link.length != place.end:
        raise JournalError(damaged(f"{store.place}/{link.name}", place.end))
    if since.number < 0:
        del payloads[:1]  # the header
    return _decoded(payloads), place


def _decoded(payloads: Sequence[bytes]) -> list[Sequence[object]]:
    """All at once, in a third of the time: to look for circles of objects that are just being made finds none."""
    collects = gc.isenabled()
    gc.disable()  # no other thread runs meanwhile
    try:
        found: list[Sequence[object]] = json.loads(b"[%b]" % b",".join(payloads))
    finally:
        if collects:
            gc.enable()
    return found


def _good(data: bytes, since: Place) -> tuple[list[bytes], Place]:
    """The payloads of the lines from the start to the first one that is not good, and where that is."""
    payloads: list[bytes] = []
    number, offset, end, last = since.number, since.offset, since.end, b""
    lines = data.split(b"\n")
    lines.pop()  # torn, or empty
    for line in lines:
        payload = _payload(line, number + 1)
        if payload is None:
            break
        payloads.append(payload)
        number, offset, end, last = number + 1, end, end + len(line) + 1, line
    return payloads, Place(since.segment, offset, end, number, crc32(last + b"\n") if last else since.line)


def _payload(line: bytes, number: int) -> bytes | None:
    """What a line says, if it is good and of this number."""
    rest = line[9:]
    if line[:9] != b"%08x " % crc32(rest):
        return None
    count, _, payload = rest.split(b" ", 2)
    return payload if int(count) == number else None


def _group(store: Store, place: Place) -> int:
    """The group of the last line that was read."""
    line = store.read(place.segment, place.end - place.offset, place.offset)
    return int(line.split(b" ", 3)[2]) if line else -1


def _refuse(store: Store, name: SegmentName, place: Place) -> None:
    """Raises as ``read`` does, which looks at all of the segment."""
    path = f"{store.place}/{name}"
    good_length(store.read(name), path)
    raise JournalError(damaged(path, place.end))
