"""The journal itself: records in numbered segments of a store, under a lease."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from typing_extensions import override

from sparkml_track import schema
from sparkml_track.errors import JournalError, LeaseHeld
from sparkml_track.journals._base import Journal, Record
from sparkml_track.journals._chain import Link, newest, records, walk
from sparkml_track.journals._lines import FORMAT, encode, frame
from sparkml_track.journals._store import SEGMENT_BYTES, Lease, SegmentName, Store

__all__ = ["SegmentJournal"]

_log = logging.getLogger(__name__)

# More than this is flushed without being asked, so that a driver's memory stays bounded.
_BUFFER_BYTES = 4 << 20


# Each flush is an object: with so many a second, a sweep of an hour is read back in seconds.
_EVERY = 0.5


class _Flush(threading.Thread):
    """One group on its way. By ``run`` it is made durable here, by ``start`` on a thread of its own.

    Attributes:
        error: what it ended with, None for well.
    """

    def __init__(self, write: Callable[[Sequence[bytes]], None], payloads: Sequence[bytes]) -> None:
        super().__init__(name="sparkml-journal", daemon=True)
        self._write, self._payloads = write, payloads
        # Until it has ended well: whoever is interrupted does not know what is there.
        self.error: JournalError | LeaseHeld | None = JournalError(
            "the journal was interrupted while it wrote; results acknowledged before are kept. Run the same command "
            "again to go on"
        )

    @override
    def run(self) -> None:
        try:
            self._write(self._payloads)
            self.error = None
        except (JournalError, LeaseHeld) as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - the journal says it, on the driver's thread
            self.error = JournalError(f"the journal cannot be written: {type(error).__name__}: {error}")


class SegmentJournal(Journal):
    """A journal over any store.

    The lease is held before the segments are read, and checked after each write. So what a driver acknowledges is
    read by its successor: either its write came before that reading, or the check sees the successor's lease.

    Args:
        sweep: the sweep id.
        store: is closed with the journal, also when opening fails.
        lease: is released likewise.
        durable: see ``Journal``.

    Raises:
        JournalError: a segment is damaged, missing, or of a newer format.
    """

    def __init__(self, sweep: str, store: Store, lease: Lease, durable: bool) -> None:
        self.sweep, self.epoch, self.durable = sweep, lease.epoch, durable
        self._store, self._lease = store, lease
        self._closed, self._pid = False, os.getpid()
        self._broken: JournalError | LeaseHeld | None = None
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._lines = self._groups = 0
        self._grows = False  # only what this driver created
        self._behind: _Flush | None = None
        self.every = Journal.every if store.quick else _EVERY
        try:
            chain, self._number = walk(store, sweep), newest(store).number
        except BaseException:
            self.close()
            raise
        self.repaired, self._opened = chain.repaired, chain.links
        self._last = chain.links[-1] if chain.links else None
        if self.repaired:
            _log.warning("journal of sweep %s: %s", sweep, self.repaired)

    def replay(self) -> Iterator[Record]:
        """Reads one segment at a time; see ``Journal``."""
        return records(self._store, self._opened)

    @override
    def append(self, records: Sequence[Record]) -> None:
        self._usable()
        payloads = [self._payload(record) for record in records]
        self._pending += payloads
        self._pending_bytes += sum(map(len, payloads))
        if self._pending_bytes > _BUFFER_BYTES:
            self.flush()

    @override
    def flush(self) -> None:
        self._usable()
        if self._behind is not None and self._behind.is_alive():
            self._behind.join()
        self._settle()
        if self._pending:
            self._handed_over().run()
            self._settle()

    @override
    def begin_flush(self) -> None:
        self._usable()
        if self._store.quick:
            self.flush()
        elif self._pending and not self.flushing():
            self._handed_over().start()

    @override
    def flushing(self) -> bool:
        if self._behind is not None and self._behind.is_alive():
            return True
        self._settle()
        return False

    @property
    @override
    def asked_to_stop(self) -> bool:
        return self._lease.asked_to_stop

    def close(self) -> None:
        """See ``Journal``. In a fork of the driver it does nothing."""
        if self._closed or os.getpid() != self._pid:
            return
        try:
            if self._broken is None:
                self.flush()
        finally:
            self._closed = True
            self._store.close()
            self._lease.release()

    def _handed_over(self) -> _Flush:
        payloads, self._pending, self._pending_bytes = self._pending, [], 0
        self._behind = _Flush(self._made_durable, payloads)
        return self._behind

    def _settle(self) -> None:
        """Takes notice of how the flush that was handed over has ended."""
        if self._behind is not None:
            self._broken, self._behind = self._behind.error, None
        if self._broken is not None:
            raise self._broken

    def _made_durable(self, payloads: Sequence[bytes]) -> None:
        self._write(payloads)
        self._lease.check()

    def _payload(self, record: Record) -> bytes:
        if record.kind not in schema.RECORDS:
            raise JournalError(
                f"{record.kind!r} is not a kind of record; there are {', '.join(sorted(schema.RECORDS))}"
            )
        return encode(record.kind, record.body)

    def _usable(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._closed:
            raise JournalError(f"the journal of sweep {self.sweep!r} is closed; open it again to write to it")
        if os.getpid() != self._pid:
            raise JournalError(
                f"the journal of sweep {self.sweep!r} belongs to process {self._pid}, which opened it; "
                f"its fork {os.getpid()} may not write to it"
            )

    def _write(self, payloads: Sequence[bytes]) -> None:
        if self._grows and self._last is not None and self._last.length < SEGMENT_BYTES:
            data = self._frames(payloads)
            self._store.grow(data)
            self._last = Link(self._last.name, self._last.length + len(data))
            return
        name = SegmentName(self.epoch, self._number + 1)
        self._lines = self._groups = 0
        data = self._frames([self._header(name), *payloads])
        self._store.create(name, data)
        self._last, self._number, self._grows = Link(name, len(data)), name.number, self._store.grows

    def _frames(self, payloads: Sequence[bytes]) -> bytes:
        """One group of lines, numbered on from where the segment is."""
        data = b"".join([frame(number, self._groups, payload) for number, payload in enumerate(payloads, self._lines)])
        self._lines, self._groups = self._lines + len(payloads), self._groups + 1
        return data

    def _header(self, name: SegmentName) -> bytes:
        follows = self._last and [str(self._last.name), self._last.length]
        body = {"format": FORMAT, "sweep": self.sweep, "segment": str(name), "epoch": self.epoch, "time": time.time()}
        return encode("segment", {**body, "follows": follows})
