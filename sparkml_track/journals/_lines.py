r"""The format of records, version 1: text lines with a checksum each.

A segment is a sequence of lines. One line is

    <crc> <number> <group> <payload>\n

- ``crc``: crc32 (zlib's) of everything between the first blank and the newline, 8 lower-case hex digits.
- ``number``: counts the lines of the segment from 0, decimal; a line that is missing or twice there is found by it.
- ``group``: counts the flushes of the segment from 0, decimal. A line of group g is written only after every line of
  group g - 1 was made durable.
- ``payload``: ``["kind",{body}]`` in ASCII JSON without blanks. ``NaN``, ``Infinity`` and ``-Infinity`` are allowed.
  JSON escapes control characters, so neither a newline nor a NUL byte is ever part of a line.

Line 0 is the header, of kind ``segment``: ``format`` (this version, an integer), ``sweep``, ``segment`` (the file's own
name), ``epoch``, ``time``, and ``follows``: null for the first segment, else ``[name, length]``: the segment before and
how many bytes of it count. A driver that opens a sweep writes there how much it had found good, so bytes that are torn,
or that a driver written off as dead adds later, never come back, and no file has to be cut.
This paragraph and the framing of line 0 hold in every future version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zlib import crc32

from sparkml_track.errors import JournalError
from sparkml_track.slot.wire.json_text import json_writer

__all__ = [
    "FORMAT",
    "Line",
    "damaged",
    "decode",
    "encode",
    "frame",
    "good_length",
    "good_lines",
    "last_line",
    "only_torn",
]

FORMAT = 1

_written = json_writer(ascii_only=True)

# A block that was never written reads as zeros. Lost power leaves such holes in the last group, in any order.
_HOLE = bytes(512)


@dataclass(frozen=True, slots=True)
class Line:
    """A good line: where it begins in its segment, where the next one does, and what it says."""

    offset: int
    end: int
    number: int
    group: int
    payload: bytes


def encode(kind: str, body: Mapping[str, object]) -> bytes:
    """The payload of one record."""
    try:
        return _written([kind, body]).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(
            f"a record of kind {kind!r} cannot be written as JSON: {error}; "
            "allowed are text, numbers, booleans, None, lists and mappings with text keys"
        ) from error


def decode(payload: bytes) -> tuple[str, dict[str, object]]:
    """Kind and body of a payload whose checksum held."""
    kind, body = json.loads(payload)
    return kind, body


def frame(number: int, group: int, payload: bytes) -> bytes:
    """The whole line."""
    rest = b"%d %d %b" % (number, group, payload)
    return b"%08x %b\n" % (crc32(rest), rest)


def good_lines(data: bytes) -> Iterator[Line]:
    """The lines from the start to the first one that is not good."""
    offset = expected = 0
    while (end := data.find(b"\n", offset)) >= 0:
        line = _line(data[offset:end], offset)
        if line is None or line.number != expected:
            return
        yield line
        offset, expected = line.end, expected + 1


def good_length(data: bytes, path: str) -> int:
    """How many bytes from the start are good lines; what follows is a torn tail.

    Raises:
        JournalError: good lines follow the bad ones, so the damage is not a torn tail.
    """
    offset, last = 0, -1
    for line in good_lines(data):
        offset, last = line.end, line.group
    later = _later(data, offset)
    if later and not _lost_power(data[offset : later[0].offset], later, last):
        raise JournalError(damaged(path, offset) + f" (good records follow at byte {later[0].offset})")
    return offset


def only_torn(rest: bytes, last: int) -> bool:
    """Whether what follows the good lines is what a killed driver leaves, or one that writes.

    Args:
        rest: from the first byte that is not of a good line.
        last: the group of the last good line, -1 for none.
    """
    later = _later(rest, 0)
    return not later or _lost_power(rest[: later[0].offset], later, last)


def last_line(data: bytes) -> Line | None:
    """The last line, if it is whole and good by itself; nothing before it is looked at."""
    if not data.endswith(b"\n"):
        return None
    start = data.rfind(b"\n", 0, len(data) - 1) + 1
    return _line(data[start:-1], start)


def damaged(path: str, offset: int) -> str:
    """The message for damage that cannot be cut back."""
    return (
        f"the journal is damaged: {path} at byte {offset} holds no good record, "
        "and it is not the torn end that a killed driver leaves. "
        "Bring the file back from a copy, or start the sweep anew with resume='never'"
    )


def _line(text: bytes, offset: int) -> Line | None:
    rest = text[9:]
    if text[:9] != b"%08x " % crc32(rest):
        return None
    number, group, payload = rest.split(b" ", 2)
    return Line(offset, offset + len(text) + 1, int(number), int(group), payload)


def _later(data: bytes, offset: int) -> list[Line]:
    """Lines from ``offset`` on that are good by themselves; also those that are out of sequence."""
    found: list[Line] = []
    while (end := data.find(b"\n", offset)) >= 0:
        line = _line(data[offset:end], offset)
        found += [line] if line else []
        offset = end + 1
    return found


def _lost_power(bad: bytes, later: list[Line], last: int) -> bool:
    """Whether what is bad is a hole in the last group; it was never acknowledged, or the disk would have all of it."""
    return _HOLE in bad and {line.group for line in later} in ({last}, {last + 1})
