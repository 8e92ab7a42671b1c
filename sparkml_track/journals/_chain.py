"""The segments of a sweep that count, in order, and their records. Needs no lease."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sparkml_track.errors import JournalError
from sparkml_track.journals._base import Record
from sparkml_track.journals._lines import FORMAT, damaged, decode, good_length, good_lines, last_line
from sparkml_track.journals._store import SegmentName, Store

__all__ = ["Chain", "Link", "follows_of", "headed", "last_record", "newest", "records", "walk"]

# A header is smaller: its names are bounded.
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Link:
    """A segment and how many of its bytes count."""

    name: SegmentName
    length: int


@dataclass(frozen=True, slots=True)
class Chain:
    """What a journal holds.

    Attributes:
        links: oldest first.
        repaired: what was left out at the end, for a person; None for nothing.
    """

    links: Sequence[Link]
    repaired: str | None


def newest(store: Store) -> SegmentName:
    """The highest epoch and the highest number there are, not always of one segment; 0 and 0 when there is none."""
    names = store.names()
    return SegmentName(max((n.epoch for n in names), default=0), max((n.number for n in names), default=0))


def walk(store: Store, sweep: str) -> Chain:
    """Finds the last segment with a good header and goes back from it.

    A segment that nothing follows from counts only as the last one: others were written by a driver that had lost
    its lease, or hold nothing but a torn header.

    Raises:
        JournalError: a segment is damaged, missing, or of a newer format.
    """
    cut: list[str] = []
    for name in sorted(store.names(), reverse=True):
        data = store.read(name)
        follows = _follows(data, name, sweep)
        length = good_length(data, f"{store.place}/{name}")
        if length < len(data):
            cut.append(f"the last {len(data) - length} bytes of {name}, from byte {length}")
        if length:
            return Chain([*_before(store, sweep, name, follows), Link(name, length)], _repaired(cut))
    return Chain([], _repaired(cut))


def records(store: Store, links: Sequence[Link]) -> Iterator[Record]:
    """The records of these segments, one segment in memory at a time.

    Raises:
        JournalError: a segment is shorter than what counts of it, or damaged before that.
    """
    for link in links:
        data = store.read(link.name, link.length)
        end = 0
        for line in good_lines(data):
            end = line.end
            if line.number:
                yield Record(*decode(line.payload))
        if end != link.length:
            raise JournalError(damaged(f"{store.place}/{link.name}", end))


def last_record(store: Store, sweep: str) -> Record | None:
    """The newest record, at the cost of reading one segment; None if there is none.

    Raises:
        JournalError: as ``walk``, if the newest segment does not end in a good line.
    """
    names = store.names()
    line = last_line(store.read(max(names))) if names else None
    if line is not None and line.number:
        return Record(*decode(line.payload))
    return next(iter(deque(records(store, walk(store, sweep).links), maxlen=1)), None)


def headed(store: Store, name: SegmentName) -> bool:
    """Whether a segment begins with a good header, else it is torn and does not count."""
    return next(good_lines(store.read(name, _HEAD)), None) is not None


def follows_of(store: Store, name: SegmentName, sweep: str) -> Link | None:
    """Which segment comes before this one, whose header has to be good; None for the first.

    Raises:
        JournalError: it is of another sweep, of a newer format, damaged, or follows one that is newer.
    """
    data = store.read(name, _HEAD)
    before = _follows(data, name, sweep)
    if next(good_lines(data), None) is None:
        raise JournalError(damaged(f"{store.place}/{name}", 0))
    if before is not None and before.name >= name:
        raise JournalError(f"the journal is damaged: {name} says that it follows {before.name}, which is newer")
    return before


def _before(store: Store, sweep: str, last: SegmentName, follows: Link | None) -> list[Link]:
    """The links before the last one, oldest first."""
    links: list[Link] = []
    here = last
    while follows is not None:
        if follows.name >= here:
            raise JournalError(f"the journal is damaged: {here} says that it follows {follows.name}, which is newer")
        links.append(follows)
        here = follows.name
        follows = follows_of(store, here, sweep)
    return links[::-1]


def _follows(data: bytes, name: SegmentName, sweep: str) -> Link | None:
    """What the header says the segment follows; None for the first segment, and for a header that is not good."""
    line = next(good_lines(data), None)
    if line is None:
        return None
    _, header = decode(line.payload)
    _refuse_foreign(header, name, sweep)
    match header["follows"]:
        case [str(text), int(length)] if before := SegmentName.parse(text):
            return Link(before, length)
    return None


def _refuse_foreign(header: dict[str, object], name: SegmentName, sweep: str) -> None:
    found = header.get("format")
    if not isinstance(found, int) or found > FORMAT:
        raise JournalError(
            f"{name} of sweep {sweep!r} was written in journal format {found}; "
            f"this release reads formats up to {FORMAT}. "
            "Upgrade sparkml-track to the release that wrote it, or start the sweep anew with resume='never'"
        )
    if (header["sweep"], header["segment"]) != (sweep, str(name)):
        raise JournalError(
            f"{name} of sweep {sweep!r} says that it is {header['segment']} of {header['sweep']!r}: "
            "the file or its folder was renamed or copied from another sweep; give it its name back"
        )


def _repaired(cut: Sequence[str]) -> str | None:
    return "left out, as no good record is there: " + "; ".join(cut) if cut else None
