"""Files of records: named by the first number they may hold, appended to by one process, read whole, then deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sparkml_track.serving.inference.records import Record, decoded

__all__ = ["first_number", "last_number", "new_segment", "records_of", "segments_of"]

_ENDING = ".log"


def segments_of(folder: Path) -> list[Path]:
    """The segments of a spool, oldest first."""
    return sorted(path for path in folder.glob(f"*{_ENDING}") if path.stem.isdigit())


def first_number(segment: Path) -> int:
    """The first number that a segment may hold."""
    return int(segment.stem)


def new_segment(folder: Path, number: int) -> int:
    """Makes a segment that survives a crash of the machine.

    Args:
        folder: of the spool.
        number: the first one that it may hold; it has no segment yet.

    Returns:
        A descriptor that appends.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    handle = os.open(folder / f"{number:020d}{_ENDING}", flags, 0o600)
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
    return handle


def records_of(segment: Path) -> Iterator[tuple[int, Record]]:
    """The records of a segment with their numbers; a line that a crash cut is passed over."""
    with segment.open("rb") as file:
        for line in file:
            found = decoded(line[:-1]) if line.endswith(b"\n") else None
            if found is not None:
                yield found


def last_number(folder: Path) -> int:
    """The highest number that a spool may have given; 0 for none."""
    segments = segments_of(folder)
    if not segments:
        return 0
    numbers = [number for number, _ in records_of(segments[-1])]
    return max([first_number(segments[-1]) - 1, *numbers])
