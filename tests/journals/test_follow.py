"""What who follows a journal is given where it is torn, damaged, cut back or changed: what ``read`` gives."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sparkml_track.errors import JournalError
from sparkml_track.journals import Appended, Place, Record, first, follow, open_journal, read

FIRST, SECOND = "00000001-e0001.seg", "00000002-e0002.seg"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A journal of two drivers, with 10 records each."""
    home = tmp_path / "home"
    for driver in range(2):
        add(home, *range(10 * driver, 10 * driver + 10))
    return home


def add(home: Path, *numbers: int) -> None:
    journal = open_journal(home, "sweep")
    for number in numbers:
        journal.append([Record("accepted", {"number": number, "text": "a\nb" * (number % 5)})])
        journal.flush()
    journal.close()


def segment(home: Path, name: str) -> Path:
    return home / "journal" / "sweep" / name


def numbers(found: list[Appended]) -> list[object]:
    return [body["number"] for one in found for _, body in one.records]  # type: ignore[index, call-overload]


def place(home: Path) -> Place:
    return list(follow(home, "sweep"))[-1].place


def by_read(home: Path) -> list[object] | str:
    try:
        return [one.body["number"] for one in read(home, "sweep")]
    except JournalError as error:
        return str(error)[:60]


def by_following(home: Path) -> list[object] | str:
    try:
        return numbers(list(follow(home, "sweep")))
    except JournalError as error:
        return str(error)[:60]


def test_what_is_torn_at_the_end_is_left_until_it_is_whole(home: Path) -> None:
    whole = segment(home, SECOND).read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    segment(home, SECOND).write_bytes(whole[: ends[5] + 7])
    found = list(follow(home, "sweep"))
    assert numbers(found) == [*range(15)]
    assert list(follow(home, "sweep", found[-1].place)) == []
    segment(home, SECOND).write_bytes(whole)
    (rest,) = follow(home, "sweep", found[-1].place)
    assert (numbers([rest]), rest.anew) == ([*range(15, 20)], False)


def test_any_bytes_that_are_changed_or_cut_are_found_as_reading_finds_them(home: Path) -> None:
    chance = random.Random(5)
    for _ in range(120):
        name = chance.choice((FIRST, SECOND))
        path = segment(home, name)
        before = path.read_bytes()
        at = chance.randrange(len(before))
        after = before[:at] + (bytes([before[at] ^ 1]) + before[at + 1 :] if chance.random() < 0.7 else b"")
        path.write_bytes(after)
        expected = by_read(home)
        if isinstance(expected, str):
            assert isinstance(by_following(home), str), (name, at)
        else:
            assert by_following(home) == expected, (name, at)
        path.write_bytes(before)


def test_damage_before_the_place_is_not_looked_for_again_but_the_last_line_is(home: Path) -> None:
    since = place(home)
    path = segment(home, SECOND)
    whole = path.read_bytes()
    path.write_bytes(whole[: since.offset])
    (anew,) = follow(home, "sweep", since)
    assert (numbers([anew]), anew.anew) == ([*range(19)], True)
    path.write_bytes(whole.replace(b'"number":17', b'"number":71'))
    assert list(follow(home, "sweep", since)) == []
    path.write_bytes(whole[:-3] + b"x}\n")
    (anew,) = follow(home, "sweep", since)
    assert (numbers([anew]), anew.anew) == ([*range(19)], True)


def test_damage_after_the_place_is_said(home: Path) -> None:
    since = place(home)
    path = segment(home, SECOND)
    with path.open("ab") as file:
        file.write(b"rubbish\n" + path.read_bytes()[since.offset :])
    with pytest.raises(JournalError, match=rf"{SECOND} at byte {since.end} holds no good record"):
        list(follow(home, "sweep", since))


def test_what_a_driver_that_was_written_off_added_is_given_no_longer(home: Path) -> None:
    """Its last line was read before the next driver, which did not see it, had begun."""
    path = segment(home, SECOND)
    whole = path.read_bytes()
    since = place(home)
    path.write_bytes(whole[: since.offset])
    add(home, 99)
    path.write_bytes(whole)
    (anew,) = follow(home, "sweep", since)
    assert (numbers([anew]), anew.anew) == ([*range(19), 99], True)


def test_a_journal_that_was_brought_back_from_a_copy_is_read_anew(home: Path) -> None:
    path, since = segment(home, SECOND), place(home)
    # The copy had half of it; a driver wrote other records of the same lengths behind, as many and more.
    other = home.parent / "other"
    for driver in range(2):
        add(other, *range(10 * driver, 10 * driver + (5 if driver else 10)), *(range(25, 40) if driver else ()))
    # Each has its own header, whose time has one digit more or less.
    lines, others = (each.read_bytes().splitlines(keepends=True) for each in (path, segment(other, SECOND)))
    path.write_bytes(b"".join(lines[:6] + others[6:]))
    (found,) = follow(home, "sweep", since)
    assert found.anew
    assert numbers([found]) == by_read(home)


def test_many_records_come_in_portions(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, "sweep")
    for start in range(0, 20_000, 2000):
        journal.append([Record("accepted", {"number": n, "text": "x" * 1000}) for n in range(start, start + 2000)])
        journal.flush()
    journal.close()
    found = list(follow(tmp_path, "sweep"))
    assert len(found) > 1
    assert [one.anew for one in found] == [True] + [False] * (len(found) - 1)
    assert numbers(found) == [*range(20_000)]
    assert numbers(list(follow(tmp_path, "sweep", found[0].place))) == numbers(found[1:])


def test_a_sweep_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal of sweep 'other'"):
        list(follow(tmp_path, "other"))


def test_the_first_record_is_found_alone(home: Path) -> None:
    assert (found := first(home, "sweep")) is not None
    assert found.body["number"] == 0
    path = segment(home, SECOND)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"number":17', b'"number":71'))
    assert first(home, "sweep") == found


def test_a_journal_without_records_has_no_first_one(tmp_path: Path) -> None:
    open_journal(tmp_path, "sweep").close()
    assert first(tmp_path, "sweep") is None
    large = Record("plan", {"text": "x" * 600_000})
    journal = open_journal(tmp_path, "other")
    journal.append([large])
    journal.close()
    assert first(tmp_path, "other") == large
