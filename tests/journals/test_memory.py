from __future__ import annotations

from collections.abc import Iterator

import pytest

from sparkml_track.errors import JournalError, SpecError
from sparkml_track.journals import Appended, Journal, Place, Record, open_journal
from sparkml_track.journals._memory import MemoryHome, follow_memory, open_memory
from sparkml_track.testing.journals import JournalCase


class TestMemoryJournal(JournalCase):
    @pytest.fixture(autouse=True)
    def home(self) -> None:
        self._home = MemoryHome()

    def open(self, sweep: str) -> Journal:
        return open_memory(sweep, self._home)

    def follow(self, sweep: str, since: Place | None) -> Iterator[Appended]:
        return follow_memory(sweep, self._home, since)

    def abandon(self, journal: Journal) -> None:
        self._home.abandon(journal.sweep)

    def test_each_flush_is_one_whole_object_with_a_header(self) -> None:
        journal = self.open("sweep")
        for number in range(3):
            journal.append([Record("accepted", {"number": number})])
            journal.flush()
        segments = self._home.sweeps["sweep"].segments
        assert [str(name) for name in segments] == [f"0000000{n}-e0001.seg" for n in (1, 2, 3)]
        assert [data.count(b"\n") for data in segments.values()] == [2, 2, 2]


def test_without_a_home_each_journal_is_alone() -> None:
    first, second = open_journal(None, "sweep"), open_journal(None, "sweep")
    first.append([Record("plan", {})])
    first.flush()
    assert (first.epoch, second.epoch, list(second.replay()), first.durable) == (1, 1, [], False)


def test_a_bad_id_is_refused_without_a_home_too() -> None:
    with pytest.raises(SpecError):
        open_journal(None, "a/b")


def test_after_an_interrupted_flush_nothing_is_written_over_what_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_memory("sweep", home := MemoryHome())
    journal.append([Record("plan", {})])

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(journal._lease, "check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.flush()
    journal.append([Record("plan", {})])
    with pytest.raises(JournalError, match="was interrupted while it wrote"):
        journal.flush()
    assert len(home.sweeps["sweep"].segments) == 1
