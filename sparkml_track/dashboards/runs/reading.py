"""Journals that pages look at again and again: each is read once, and then what was appended alone."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path

from sparkml_track.dashboards.page import Page
from sparkml_track.dashboards.runs.columns import Columns
from sparkml_track.dashboards.runs.seen import Seen
from sparkml_track.dashboards.stamps import Kind, Stamp
from sparkml_track.errors import JournalError
from sparkml_track.journals import Place, follow

__all__ = ["Reader", "Readers", "readers", "seen"]

# Some 700 bytes each at ten parameters: up to some 350 megabytes.
_MOST_ROWS = 500_000
# An address may name any number of sweeps that are not there, of which no trials are kept.
_MOST_READERS = 256


class Reader:
    """Reads one journal. Any thread.

    Args:
        home: the state folder.
        sweep: of the journal.
    """

    def __init__(self, home: Path, sweep: str) -> None:
        self._home, self._sweep = home, sweep
        self._columns = Columns(sweep)
        self._lock = threading.Lock()
        self._place: Place | None = None
        self._stamp: Stamp | None = None
        self._seen: Seen | None = None
        self._failed: JournalError | None = None

    @property
    def rows(self) -> int:
        """How many trials are kept."""
        return 0 if self._seen is None else len(self._seen.states)

    def look(self, stamp: Stamp, until: float | None = None) -> Seen | None:
        """The sweep as it is now.

        Args:
            stamp: of the journal; where it is that of the last look, nothing is read.
            until: by ``time.monotonic``; then what is left is for the next look, and the answer is None.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._lock:
            if stamp != self._stamp:
                self._failed = None
                whole = self._read(until)
                if not whole:
                    return None
                self._stamp = stamp
            if self._failed is not None:
                raise self._failed
            return self._seen

    def _read(self, until: float | None) -> bool:
        try:
            for portion in follow(self._home, self._sweep, self._place):
                if portion.anew:
                    self._columns = Columns(self._sweep)
                self._columns.add(portion.records)
                self._place, self._seen = portion.place, None
                if until is not None and time.monotonic() > until:
                    return False
        except JournalError as error:
            # What was read may be half of a portion.
            self._columns, self._place, self._failed = Columns(self._sweep), None, error
        self._seen = self._seen or self._columns.seen()
        return True


class Readers:
    """The readers of a home; those that were not asked for the longest go where they are or keep too many.

    Args:
        home: the state folder.
        most: trials that are kept.
    """

    def __init__(self, home: Path, most: int = _MOST_ROWS) -> None:
        self._home, self._most = home, most
        self._found: OrderedDict[str, Reader] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, sweep: str) -> Reader:
        """The reader of a sweep."""
        with self._lock:
            reader = self._found.setdefault(sweep, Reader(self._home, sweep))
            self._found.move_to_end(sweep)
            while len(self._found) > 1 and self._too_much():
                self._found.popitem(last=False)
            return reader

    def __len__(self) -> int:
        return len(self._found)

    def _too_much(self) -> bool:
        return len(self._found) > _MOST_READERS or sum(one.rows for one in self._found.values()) > self._most


def readers(page: Page) -> Readers:
    """The readers that all pages of this home share."""
    return page.kept.get("readers of journals", (), lambda: Readers(page.home.root))


def seen(page: Page, sweep: str) -> Seen:
    """A sweep as it is now.

    Raises:
        SpecError: the id is not valid.
        JournalError: there is no such journal, or it cannot be read.
    """
    found = readers(page).of(sweep).look(page.stamp(Kind.SWEEPS, of=sweep))
    assert found is not None
    return found
