"""What every journal must do. Subclass ``JournalCase`` with the ways to open one and to lose its driver."""

from __future__ import annotations

import logging
import math
import os
import socket
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator

import pytest

from sparkml_track import schema
from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.journals import Appended, Journal, Place, Record

__all__ = ["JournalCase"]


def _record(number: int, **body: object) -> Record:
    return Record("accepted", {"number": number, **body})


class JournalCase(ABC):
    """The cases. Each test starts with a new home; ``open`` opens journals in that home, also several times."""

    @abstractmethod
    def open(self, sweep: str) -> Journal:
        """Opens a journal in the home of the test."""

    @abstractmethod
    def abandon(self, journal: Journal) -> None:
        """Lets the journal's driver look dead, without closing it."""

    @abstractmethod
    def follow(self, sweep: str, since: Place | None) -> Iterator[Appended]:
        """What was appended to a journal after a place, as ``journals.follow`` gives it."""

    @pytest.fixture
    def journal(self) -> Iterator[Journal]:
        """A new journal, closed at the end."""
        journal = self.open("sweep")
        yield journal
        journal.close()

    def written(self, *records: Record) -> None:
        """Opens, appends, closes."""
        journal = self.open("sweep")
        journal.append(records)
        journal.close()

    def replayed(self) -> list[Record]:
        """Opens, replays, closes."""
        journal = self.open("sweep")
        found = list(journal.replay())
        journal.close()
        return found

    def test_a_new_journal_is_empty(self, journal: Journal) -> None:
        """Epoch 1, nothing to replay, nothing repaired."""
        assert (journal.sweep, journal.epoch, journal.repaired) == ("sweep", 1, None)
        assert list(journal.replay()) == []

    def test_records_come_back_in_order_over_many_flushes_and_drivers(self) -> None:
        """Whatever the groups were."""
        expected: list[Record] = []
        for driver in range(3):
            journal = self.open("sweep")
            assert list(journal.replay()) == expected
            for group in range(4):
                records = [_record(len(expected) + i, driver=driver) for i in range(group)]
                expected += records
                journal.append(records)
                journal.flush()
            journal.close()
        assert self.replayed() == expected

    def test_replay_gives_what_was_there_at_opening_as_often_as_asked(self) -> None:
        """Not what this driver added."""
        self.written(_record(0))
        journal = self.open("sweep")
        journal.append([_record(1)])
        journal.flush()
        assert list(journal.replay()) == list(journal.replay()) == [_record(0)]
        journal.close()

    @pytest.mark.parametrize("kind", sorted(schema.RECORDS))
    def test_every_kind_of_record_is_taken(self, kind: str) -> None:
        """Of those that the schema names."""
        self.written(Record(kind, {}))
        assert self.replayed() == [Record(kind, {})]

    def test_values_come_back_as_they_were(self) -> None:
        """Text of any kind, big and small numbers, nesting; tuples as lists."""
        body = {
            "text": 'a "b"\n\r\0\u2028é😀\ud800',
            "int": 2**80,
            "float": 5e-324,
            "none": None,
            "yes": True,
            "": {"a": [1]},
        }
        self.written(_record(0, **body, pair=(1, (2, 3))))
        assert self.replayed() == [_record(0, **body, pair=[1, [2, 3]])]

    def test_numbers_that_json_lacks_come_back(self) -> None:
        """The infinities and nan."""
        self.written(_record(0, a=math.inf, b=-math.inf, c=math.nan))
        (record,) = self.replayed()
        assert (record.body["a"], record.body["b"]) == (math.inf, -math.inf)
        assert math.isnan(record.body["c"])  # type: ignore[arg-type]

    def test_what_is_no_json_is_refused_and_adds_nothing(self, journal: Journal) -> None:
        """Also the good records beside it; the journal goes on."""
        with pytest.raises(JournalError, match=r"'accepted'.*type object.*allowed are text, numbers"):
            journal.append([_record(0), _record(1, value=object())])
        journal.append([_record(2)])
        journal.close()
        assert self.replayed() == [_record(2)]

    def test_an_unknown_kind_is_refused(self, journal: Journal) -> None:
        """By name."""
        with pytest.raises(JournalError, match=r"'acepted' is not a kind of record.*accepted"):
            journal.append([Record("acepted", {})])

    def test_flushed_records_outlive_a_dead_driver_and_buffered_ones_do_not(self) -> None:
        """The next driver has the next epoch."""
        journal = self.open("sweep")
        journal.append([_record(0)])
        journal.flush()
        journal.append([_record(1)])
        self.abandon(journal)
        after = self.open("sweep")
        assert (after.epoch, after.repaired, list(after.replay())) == (2, None, [_record(0)])
        after.close()

    def test_a_large_group_needs_no_flush_to_bound_the_memory(self) -> None:
        """Six megabytes in one go are there although nobody asked, and come back."""
        records = [_record(number, text="x" * 1000) for number in range(6000)]
        journal = self.open("sweep")
        journal.append(records)
        self.abandon(journal)
        assert self.replayed() == records

    def test_close_flushes(self) -> None:
        """And may be called twice; then nothing is taken any more."""
        journal = self.open("sweep")
        journal.append([_record(0)])
        journal.close()
        journal.close()
        with pytest.raises(JournalError, match="closed"):
            journal.append([_record(1)])
        with pytest.raises(JournalError, match="closed"):
            journal.flush()
        assert self.replayed() == [_record(0)]

    def test_a_second_driver_is_refused_by_host_and_pid(self, journal: Journal) -> None:
        """And the first one goes on."""
        with pytest.raises(
            LeaseHeld, match=rf"'sweep'.*pid {os.getpid()} on host {socket.gethostname()}.*resume='never'"
        ):
            self.open("sweep")
        journal.append([_record(0)])
        journal.close()
        assert self.replayed() == [_record(0)]

    def test_sweeps_do_not_disturb_each_other(self, journal: Journal) -> None:
        """Two are open at one time, each with its own records."""
        other = self.open("other")
        other.append([_record(7)])
        other.close()
        journal.append([_record(0)])
        journal.close()
        assert self.replayed() == [_record(0)]

    def test_each_driver_has_the_next_epoch(self) -> None:
        """Also when it writes nothing."""
        epochs = []
        for _ in range(3):
            journal = self.open("sweep")
            epochs.append(journal.epoch)
            journal.close()
        assert epochs == [1, 2, 3]

    def test_a_driver_written_off_as_dead_learns_it_and_adds_nothing(self) -> None:
        """What it writes after its successor did is not in the history, and it gets an error."""
        first = self.open("sweep")
        first.append([_record(0)])
        first.flush()
        self.abandon(first)
        second = self.open("sweep")
        second.append([_record(1)])
        second.flush()
        first.append([_record(99)])
        with pytest.raises(LeaseHeld, match="driver 2 of this sweep"):
            first.flush()
        with pytest.raises(LeaseHeld):
            first.append([_record(100)])
        first.close()
        second.append([_record(2)])
        second.close()
        assert self.replayed() == [_record(0), _record(1), _record(2)]

    def test_a_fork_may_not_write_and_does_not_give_the_lease_back(self, journal: Journal) -> None:
        """The driver goes on."""
        journal.append([_record(0)])
        assert _in_a_fork(journal) == b"JournalError"
        with pytest.raises(LeaseHeld):
            self.open("sweep")
        journal.close()
        assert self.replayed() == [_record(0)]

    def test_an_undamaged_journal_opens_without_a_word(self, caplog: pytest.LogCaptureFixture) -> None:
        """Nothing is logged."""
        self.written(_record(0))
        with caplog.at_level(logging.WARNING):
            assert self.replayed() == [_record(0)]
        assert caplog.records == []

    def test_who_follows_gets_each_record_once_over_many_flushes_and_drivers(self) -> None:
        """Also several flushes at one look, and nothing where nothing was appended."""
        place: Place | None = None
        written = 0
        for driver in range(3):
            journal = self.open("sweep")
            for groups in ((1,), (2, 3)):
                expected = [*range(written, written + sum(groups))]
                for group in groups:
                    journal.append([_record(written + i, driver=driver) for i in range(group)])
                    journal.flush()
                    written += group
                found, place, anew = self.looked(place)
                assert (found, anew) == (expected, expected[0] == 0)
                assert self.looked(place) == ([], place, False)
            journal.close()
        assert self.looked(None)[0] == [*range(written)]

    def test_who_follows_goes_on_with_the_next_driver(self) -> None:
        """After one that died."""
        first = self.open("sweep")
        first.append([_record(0)])
        first.flush()
        self.abandon(first)
        second = self.open("sweep")
        found, place, _ = self.looked(None)
        assert found == [0]
        second.append([_record(1)])
        second.close()
        assert self.looked(place)[::2] == ([1], False)

    def looked(self, since: Place | None) -> tuple[list[object], Place | None, bool]:
        """Numbers that were appended, the place after them, and whether they are from the beginning."""
        portions = list(self.follow("sweep", since))
        numbers = [body["number"] for one in portions for _, body in one.records]  # type: ignore[index]
        return numbers, portions[-1].place if portions else since, any(one.anew for one in portions)


def _in_a_fork(journal: Journal) -> bytes:
    """What flush raises in a forked child, which then closes the journal."""
    receive, send = os.pipe()
    pid = _fork()
    if not pid:
        try:
            journal.flush()
        except JournalError as error:
            os.write(send, type(error).__name__.encode())
        finally:
            journal.close()
            os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as file:
        answer = file.read()
    os.waitpid(pid, 0)
    return answer


def _fork() -> int:
    # Python 3.12 and later warn when a process with threads forks; that is what the case is about.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
