"""A journal that was cut, torn or changed on disk: faults 42, 23 and 41."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkml_track.errors import JournalError
from sparkml_track.journals import Record, _lines, open_journal, read

FIRST, SECOND = "00000001-e0001.seg", "00000002-e0002.seg"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A journal of two drivers: groups of one to four records, some 2 KB in two segments."""
    home = tmp_path / "home"
    for driver in range(2):
        journal = open_journal(home, "sweep")
        for group in range(1, 5):
            journal.append([record(100 * driver + 10 * group + i) for i in range(group)])
            journal.flush()
        journal.close()
    return home


def record(number: int) -> Record:
    return Record("accepted", {"number": number, "value": number / 7, "text": "a\nb" * (number % 5)})


def segment(home: Path, name: str) -> Path:
    return home / "journal" / "sweep" / name


def ends(data: bytes) -> list[int]:
    """Where each line of a segment ends."""
    return [found.end() for found in re.finditer(b"\n", data)]


def opened(home: Path, *add: Record) -> tuple[list[Record], str | None]:
    """What a new driver finds and what it was told; it may add records."""
    journal = open_journal(home, "sweep")
    try:
        found = list(journal.replay())
        journal.append(add)
        return found, journal.repaired
    finally:
        journal.close()


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder for thousands of small files; in memory where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_cut_at_every_byte_it_opens_with_the_last_good_record_and_goes_on(home: Path, quick: Path) -> None:
    whole, path = list(read(home, "sweep")), segment(home, SECOND)
    data = path.read_bytes()
    first = len(whole) - (len(ends(data)) - 1)
    assert len(data) > 900
    other = quick / "home"
    for cut in range(len(data) + 1):
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(home, other)
        segment(other, SECOND).write_bytes(data[:cut])
        lines = sum(end <= cut for end in ends(data))
        expected = whole[: first + max(lines - 1, 0)]
        clean = cut in {0, *ends(data)}
        assert list(read(other, "sweep")) == expected, cut
        found, repaired = opened(other, record(999))
        assert found == expected, cut
        assert (repaired is None) == clean, cut
        # What this driver adds follows the last good record, for good; the torn end does not come back.
        assert opened(other) == ([*expected, record(999)], None), cut


def test_the_only_segment_cut_at_every_byte_opens_too(home: Path) -> None:
    whole, path = list(read(home, "sweep")), segment(home, FIRST)
    segment(home, SECOND).unlink()
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        lines = sum(end <= cut for end in ends(data))
        assert list(read(home, "sweep")) == whole[: max(lines - 1, 0)], cut


@pytest.mark.parametrize(
    "garbage", [b"x", b"\n", b"\0" * 5000, b"garbage\nmore\n\xff", b"deadbeef 9 9 []\n", b"\n" * 9]
)
def test_a_garbage_tail_is_left_out_with_a_warning(
    home: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    whole, path = list(read(home, "sweep")), segment(home, SECOND)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + garbage)
    with caplog.at_level(logging.WARNING, logger="sparkml_track.journals"):
        found, repaired = opened(home, record(999))
    assert found == whole
    assert repaired is not None
    assert f"the last {len(garbage)} bytes of {SECOND}, from byte {size}" in repaired
    assert [message for message in caplog.messages if repaired in message] == caplog.messages != []
    assert path.read_bytes().endswith(garbage)
    assert list(read(home, "sweep")) == [*whole, record(999)]


def test_every_flipped_byte_of_the_middle_is_found_with_file_and_offset(home: Path) -> None:
    path = segment(home, SECOND)
    data = path.read_bytes()
    *before, last = ends(data)
    for offset in range(before[-1] - 1):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        line = max((end for end in before if end <= offset), default=0)
        with pytest.raises(JournalError, match=rf"{SECOND} at byte {line} .*resume='never'"):
            read(home, "sweep")
    # Nothing good follows the last line, so that one counts as torn; without the newline before it, two lines do.
    for offset in range(before[-1] - 1, last):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        assert len(list(read(home, "sweep"))) == (19 if offset >= before[-1] else 18), offset


def test_a_flipped_byte_of_an_older_segment_is_found(home: Path) -> None:
    path = segment(home, FIRST)
    data = path.read_bytes()
    for offset in range(len(data)):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        line = max((end for end in ends(data) if end <= offset), default=0)
        with pytest.raises(JournalError, match=rf"sweep/{FIRST} at byte {line} "):
            list(read(home, "sweep"))


def test_a_damaged_journal_can_be_opened_once_it_is_brought_back(home: Path) -> None:
    path = segment(home, SECOND)
    data = path.read_bytes()
    path.write_bytes(b"x" + data[1:])
    for _ in range(2):
        with pytest.raises(JournalError, match="damaged"):
            open_journal(home, "sweep")
    path.write_bytes(data)
    assert len(opened(home)[0]) == 20


def test_a_line_that_is_missing_or_twice_there_is_found(home: Path) -> None:
    path = segment(home, SECOND)
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[:3] + lines[4:], lines[:4] + lines[3:], [*lines[:3], lines[4], lines[3], *lines[5:]]):
        path.write_bytes(b"".join(changed))
        with pytest.raises(JournalError, match=rf"{SECOND} at byte \d+ holds no good record"):
            read(home, "sweep")


def test_an_older_segment_that_is_missing_or_cut_is_found(home: Path) -> None:
    path = segment(home, FIRST)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(JournalError, match=rf"{FIRST} at byte {ends(data)[-2]} "):
        list(read(home, "sweep"))
    path.unlink()
    with pytest.raises(JournalError, match=rf"{FIRST} is missing. Bring it back"):
        read(home, "sweep")


def test_a_segment_under_another_name_is_refused(home: Path) -> None:
    segment(home, SECOND).rename(segment(home, "00000003-e0003.seg"))
    with pytest.raises(JournalError, match=r"says that it is 00000002-e0002\.seg of 'sweep': .*renamed"):
        read(home, "sweep")
    (home / "journal" / "sweep").rename(home / "journal" / "other")
    with pytest.raises(JournalError, match=r"of sweep 'other' says that it is .* of 'sweep'"):
        read(home, "other")


def test_a_hole_of_lost_power_in_the_last_group_is_left_out(home: Path) -> None:
    """Its later blocks came to disk and an earlier one did not: the group was never acknowledged."""
    journal = open_journal(home, "sweep")
    journal.append([record(300)])
    journal.flush()
    journal.append([Record("accepted", {"number": n, "text": "x" * 400}) for n in range(30)])
    journal.close()
    path = segment(home, "00000003-e0003.seg")
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(4096) + data[8192:])
    found, repaired = opened(home)
    assert repaired is not None
    assert record(300) in found
    assert 20 < len(found) - 1 < 30


def test_a_hole_before_an_acknowledged_group_is_damage(home: Path) -> None:
    journal = open_journal(home, "sweep")
    journal.append([Record("accepted", {"number": n, "text": "x" * 400}) for n in range(30)])
    journal.flush()
    for number in range(2):
        journal.append([record(number)])
        journal.flush()
    journal.close()
    path = segment(home, "00000003-e0003.seg")
    data = path.read_bytes()
    path.write_bytes(data[:4096] + bytes(4096) + data[8192:])
    with pytest.raises(JournalError, match="damaged"):
        open_journal(home, "sweep")


def test_the_format_is_the_documented_one() -> None:
    payload = _lines.encode("accepted", {"number": 3, "value": float("nan"), "é": [True, None]})
    assert payload == b'["accepted",{"number":3,"value":NaN,"\\u00e9":[true,null]}]'
    assert _lines.frame(7, 2, payload) == b"d14b6364 7 2 " + payload + b"\n"
