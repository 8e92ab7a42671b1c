"""Records on their way into a journal whose flushes take a while."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from sparkml_track.engine.loop import journal_writer
from sparkml_track.engine.loop.journal_writer import JournalWriter
from sparkml_track.engine.records.types import Late
from sparkml_track.errors import JournalError
from sparkml_track.journals import Journal, Record
from sparkml_track.trackers import ChildRun


class Slow(Journal):
    """Makes records durable when it is said to."""

    every = 0.5

    def __init__(self) -> None:
        self.appended = self.durable_count = 0
        self.under_way: int | None = None
        self.broken = False

    def replay(self) -> Iterator[Record]:
        return iter(())

    def append(self, records: Sequence[Record]) -> None:
        self.appended += len(records)

    def begin_flush(self) -> None:
        self.under_way = self.appended

    def flushing(self) -> bool:
        if self.broken:
            raise JournalError("the store is gone")
        return self.under_way is not None

    def land(self) -> None:
        assert self.under_way is not None
        self.durable_count, self.under_way = self.under_way, None

    def flush(self) -> None:
        self.durable_count, self.under_way = self.appended, None

    def close(self) -> None: ...


class Published:
    def __init__(self) -> None:
        self.children: list[object] = []

    def put(self, child: ChildRun) -> None:
        self.children.append(child)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(journal_writer.time, "monotonic", lambda: now[0])
    return now


def result(writer: JournalWriter, number: int) -> None:
    writer.record(Late(number + 1))
    writer.hold(cast("ChildRun", number))


def test_the_loop_goes_on_and_runs_leave_when_their_group_is_durable(clock: list[float]) -> None:
    journal, published = Slow(), Published()
    writer = JournalWriter(journal, published, deque())
    result(writer, 0)
    writer.turn()
    assert writer.wait(10) == 0.5  # results are gathered first
    clock[0] = 1.0
    writer.turn()
    result(writer, 1)
    clock[0] = 2.0
    writer.turn()
    assert (journal.under_way, published.children) == (1, [])
    assert writer.wait(10) < 0.1  # it looks again soon
    journal.land()
    writer.turn()
    assert (published.children, journal.under_way) == ([0], 2)
    result(writer, 2)
    writer.flush()
    assert (published.children, journal.durable_count) == ([0, 1, 2], 3)


def test_a_flush_that_failed_is_raised_and_nothing_is_published(clock: list[float]) -> None:
    journal, published = Slow(), Published()
    writer = JournalWriter(journal, published, deque())
    result(writer, 0)
    clock[0] = 1.0
    writer.turn()
    journal.broken = True
    with pytest.raises(JournalError, match="gone"):
        writer.turn()
    assert published.children == []
